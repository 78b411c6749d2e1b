"""Which answers of the PACS are given on, with which headers, and in which words the others are told."""

import requests
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadGateway, HTTPException, ServiceUnavailable

ASKED = ("Accept", "If-Modified-Since", "If-None-Match", "Range")
"""Headers of a browser that the PACS sees: no cookie, no login, nothing of who is asking."""

_GIVEN = ("Accept-Ranges", "Content-Range", "Content-Type", "ETag", "Last-Modified", "Warning")
_MEDIA_TYPES = (
    "application/dicom",
    "application/dicom+json",
    "application/dicom+xml",
    "application/json",
    "application/octet-stream",
    "application/pdf",
    "multipart/related",
)
_MEDIA_FAMILIES = ("image/", "video/")
_ACTIVE = "image/svg+xml"


def asked_headers(headers: Headers) -> dict[str, str]:
    """What the PACS is told of a request. A range is of the bytes themselves, so nothing is compressed then."""
    wanted = {name: headers[name] for name in ASKED if name in headers}
    return {**wanted, "Accept-Encoding": "identity" if "Range" in wanted else "gzip"}


def given_headers(answer: requests.Response) -> dict[str, str]:
    """What the browser is told of an answer. Its length is unknown when it came compressed.

    The answer is data on our own origin: never a page, whatever the PACS says of it.
    """
    headers = {name: answer.headers[name] for name in _GIVEN if name in answer.headers}
    if "Content-Length" in answer.headers and "Content-Encoding" not in answer.headers:
        headers["Content-Length"] = answer.headers["Content-Length"]
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return headers


def is_json(answer: requests.Response) -> bool:
    """Whether the body is DICOM JSON."""
    return _media_type(answer) in ("application/dicom+json", "application/json")


def check(answer: requests.Response) -> None:
    """Raises the error that an answer stands for; passes what may be given on."""
    status = answer.status_code
    if status in (204, 304) or (status in (200, 206) and _is_data(answer)):
        return
    answer.close()
    raise _error(answer)


def _error(answer: requests.Response) -> HTTPException:
    status = answer.status_code
    if status in (200, 206):
        return BadGateway(f"the PACS answers with {_media_type(answer) or 'no media type'}, which is not DICOMweb")
    if 300 <= status < 400:
        return BadGateway("the PACS answers with a redirect, which is not followed; set the final address in web.pacs")
    if status in (401, 403):
        return BadGateway(f"the PACS does not let the agent in (HTTP {status}); check the login in web.pacs")
    if status in (429, 503):
        return ServiceUnavailable(f"the PACS is busy (HTTP {status}); try again")
    if 400 <= status < 500:
        return _Refused(status)
    return BadGateway(f"the PACS answers HTTP {status}; ask who runs it")


class _Refused(HTTPException):
    """What the PACS finds wrong with the request, such as 404 or 406: the browser's to know."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the PACS answers HTTP {status}")
        self.code = status


def _is_data(answer: requests.Response) -> bool:
    media_type = _media_type(answer)
    return media_type in _MEDIA_TYPES or (media_type.startswith(_MEDIA_FAMILIES) and media_type != _ACTIVE)


def _media_type(answer: requests.Response) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
