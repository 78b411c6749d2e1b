"""Destinations of kind `stow`: STOW-RS (PS3.18 10.5), confirmed by QIDO-RS (PS3.18 10.6)."""

import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pacs_agent.deliver.answer import Answer, Confirmation, Verdict, Whereabouts, answer_for
from pacs_agent.deliver.errors import Refused, Unreachable
from pacs_agent.deliver.outgoing import Outgoing

_DICOM_JSON = "application/dicom+json"
_LARGEST_ANSWER = 8 * 1024 * 1024
_TEMPORARY = {408, 425, 429}
_REFERENCED, _FAILED = "00081199", "00081198"
_SOP_INSTANCE_UID, _FAILURE_REASON, _WARNING_REASON = "00081155", "00081197", "00081196"
_SOP_INSTANCE_UID_OF_OBJECT = "00080018"


class StowAddress(BaseModel):
    """A DICOMweb service, and how to log in: secrets are read from environment variables, never stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="base URL of the DICOMweb service, for example https://pacs.example/dicom-web")
    user: str | None = None
    password_env: str | None = Field(None, description="environment variable with the password of `user`")
    token_env: str | None = Field(None, description="environment variable with a bearer token")
    ca_file: Path | None = Field(None, description="certificates that sign the service's own")

    @field_validator("url")
    @classmethod
    def _plain_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("leave user, password, query and fragment out of the URL; use user and password_env")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_login(self) -> "StowAddress":
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env belong together")
        if self.user and self.token_env:
            raise ValueError("give either user and password_env or token_env")
        return self

    def __str__(self) -> str:
        return self.url


class StowDestination:
    """A DICOMweb service that takes objects by STOW-RS."""

    settings_type: ClassVar[type[BaseModel]] = StowAddress

    def __init__(self, settings: StowAddress, timeout_s: float) -> None:
        self.address = settings
        self.timeout_s = timeout_s

    def send(self, objects: Sequence[Outgoing]) -> Iterator[Answer]:
        """Sends all objects in one request."""
        boundary = uuid.uuid4().hex
        content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'
        status, content = self._request(
            "POST", "/studies", data=_multipart(objects, boundary), headers={"Content-Type": content_type}
        )
        listed = _listed(content)
        for one in objects:
            yield listed.get(one.sop_instance_uid) or self._unlisted(one, status, bool(listed))

    def confirm(self, objects: Sequence[Outgoing]) -> Iterator[Confirmation]:
        """Searches each object by its UIDs."""
        for one in objects:
            yield self._found(one)

    def probe(self) -> str:
        """A search for one study."""
        status, _ = self._request("GET", "/studies", params={"limit": "1"})
        if status not in (200, 204):
            raise Refused(f"{self.address} answers a search with HTTP {status}")
        return f"{self.address} answers a search with HTTP {status}"

    def _found(self, one: Outgoing) -> Confirmation:
        path = f"/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances"
        status, content = self._request("GET", path, params={"SOPInstanceUID": one.sop_instance_uid})
        if status not in (200, 204, 404):
            text = f"the search was answered with HTTP {status}"
            return Confirmation(one.sop_instance_uid, Whereabouts.UNKNOWN, text)
        found = content if isinstance(content, list) else []
        if any(one.sop_instance_uid in _values(item, _SOP_INSTANCE_UID_OF_OBJECT) for item in found):
            return Confirmation(one.sop_instance_uid, Whereabouts.THERE, "found by QIDO-RS")
        return Confirmation(one.sop_instance_uid, Whereabouts.ABSENT, "not found by QIDO-RS")

    def _unlisted(self, one: Outgoing, status: int, others_listed: bool) -> Answer:
        """The answer for an object that the response does not name: only a plain 200 vouches for it."""
        if status == 200 and not others_listed:
            return Answer(one.sop_instance_uid, Verdict.STORED, "HTTP 200")
        if 200 <= status < 300:
            return Answer(one.sop_instance_uid, Verdict.TRY_AGAIN, f"HTTP {status} does not mention this object")
        return Answer(one.sop_instance_uid, Verdict.REFUSED, f"HTTP {status}")

    def _request(self, method: str, path: str, **details: Any) -> tuple[int, Any]:
        """Status and JSON content. Raises Unreachable for what may pass, Refused for what will not."""
        with requests.Session() as http:
            http.trust_env = False  # no proxy and no .netrc that the settings do not name
            headers = {"Accept": _DICOM_JSON, **self._login(), **details.pop("headers", {})}
            try:
                response = http.request(
                    method,
                    self.address.url + path,
                    headers=headers,
                    auth=self._password(),
                    timeout=self.timeout_s,
                    allow_redirects=False,
                    stream=True,
                    verify=str(self.address.ca_file) if self.address.ca_file else True,
                    **details,
                )
                content = _bounded(response, time.monotonic() + self.timeout_s)
            except requests.exceptions.SSLError as error:
                raise Refused(f"{self.address}: the certificate is not trusted ({error})") from error
            except requests.RequestException as error:
                raise Unreachable(f"{self.address} cannot be reached: {type(error).__name__}") from error
            except OSError as error:  # requests says so of certificates that are not there
                raise Refused(f"{self.address}: ca_file {self.address.ca_file} cannot be read") from error
        self._raise_for(response)
        return response.status_code, _json(content)

    def _raise_for(self, response: requests.Response) -> None:
        status = response.status_code
        if 300 <= status < 400:
            raise Refused(f"{self.address} redirects (HTTP {status}); redirects are not followed, set the final URL")
        if status >= 500 or status in _TEMPORARY:
            raise Unreachable(f"{self.address} answers HTTP {status}")
        if status in (401, 403):
            raise Refused(f"{self.address} answers HTTP {status}: the login is not accepted")

    def _password(self) -> tuple[str, str] | None:
        if self.address.user is None or self.address.password_env is None:
            return None
        return self.address.user, _secret(self.address.password_env)

    def _login(self) -> dict[str, str]:
        token = self.address.token_env
        return {"Authorization": f"Bearer {_secret(token)}"} if token else {}


def _secret(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise Refused(f"the environment variable {variable} with the secret is not set for the agent")
    return value


def _multipart(objects: Sequence[Outgoing], boundary: str) -> bytes:
    """The body, one part a file, of known length: not every service takes chunks. PS3.18 8.6.1.2."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    parts = [head + one.path.read_bytes() + b"\r\n" for one in objects]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _bounded(response: requests.Response, deadline_s: float) -> bytes:
    """The whole body, but no more and no longer than an honest answer needs."""
    content = b""
    for piece in response.iter_content(65536):
        content += piece
        if len(content) > _LARGEST_ANSWER or time.monotonic() > deadline_s:
            raise requests.exceptions.ReadTimeout("the answer is too long or too slow")
    return content


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def _listed(content: Any) -> dict[str, Answer]:
    """The answers for the objects that the response names. PS3.18 10.5.3.1 and Table I.1-1."""
    answers: dict[str, Answer] = {}
    if isinstance(content, list):  # some services wrap the data set in an array
        content = content[0] if content else None
    for item in _items(content, _REFERENCED):
        for uid in _texts(item, _SOP_INSTANCE_UID):
            answers[uid] = answer_for(uid, next(iter(_numbers(item, _WARNING_REASON)), 0))
    for item in _items(content, _FAILED):  # may be there and empty: Orthanc
        for uid in _texts(item, _SOP_INSTANCE_UID):
            answers[uid] = answer_for(uid, next(iter(_numbers(item, _FAILURE_REASON)), 0xC000))
    return answers


def _items(content: Any, tag: str) -> list[Any]:
    values = _values(content, tag)
    return [item for item in values if isinstance(item, dict)]


def _values(content: Any, tag: str) -> list[Any]:
    """The values of an element of a DICOM JSON data set; none for whatever is shaped otherwise. PS3.18 F.2."""
    element = content.get(tag) if isinstance(content, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _texts(content: Any, tag: str) -> list[str]:
    return [value for value in _values(content, tag) if isinstance(value, str)]


def _numbers(content: Any, tag: str) -> list[int]:
    return [value for value in _values(content, tag) if isinstance(value, int)]
