"""Destinations of kind `stow`: STOW-RS (PS3.18 10.5), confirmed by QIDO-RS (PS3.18 10.6)."""

import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pacs_agent.deliver.answer import Answer, Confirmation, Verdict, Whereabouts, answer_for
from pacs_agent.deliver.errors import Refused, Unreachable
from pacs_agent.deliver.means import Means
from pacs_agent.deliver.outgoing import Outgoing
from pacs_agent.ops.outbound import AddressRefused

_PLAIN = Means()
_DICOM_JSON = "application/dicom+json"
_LARGEST_ANSWER = 8 * 1024 * 1024
_TEMPORARY = {408, 425, 429}
_REFERENCED, _FAILED = "00081199", "00081198"
_SOP_INSTANCE_UID, _FAILURE_REASON, _WARNING_REASON = "00081155", "00081197", "00081196"
_SOP_INSTANCE_UID_OF_OBJECT = "00080018"


class StowAddress(BaseModel):
    """A DICOMweb service, and how to log in.

    Secrets are no settings: they are in environment variables that are named here, or set apart and written only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="base URL of the DICOMweb service, for example https://pacs.example/dicom-web")
    user: str | None = None
    password_env: str | None = Field(None, description="environment variable with the password of `user`")
    token_env: str | None = Field(None, description="environment variable with a bearer token")
    ca_file: Path | None = Field(None, description="certificates that sign the service's own")
    segmentations: bool = Field(True, description="send segmentation objects, where it takes them")
    key_objects: bool = Field(True, description="send key object selections, where it takes them")
    saliency_maps: bool = Field(True, description="send saliency maps, where it takes them")
    secondary_captures: bool = Field(True, description="send summaries, where it takes them")

    @field_validator("url")
    @classmethod
    def _plain_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http or https URL")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("leave user, password, query and fragment out of the URL; use user and password_env")
        return url.rstrip("/")

    @field_validator("password_env", "token_env")
    @classmethod
    def _none_of_our_own(cls, variable: str | None) -> str | None:
        if variable is not None and variable.upper().startswith("PACS_AGENT_"):
            raise ValueError(f"{variable} is a setting of the agent itself, which it tells nobody; name another")
        return variable

    @model_validator(mode="after")
    def _one_login(self) -> "StowAddress":
        if self.user is None and self.password_env is not None:
            raise ValueError("password_env is of a user; give user")
        if self.user and self.token_env:
            raise ValueError("give either user and password_env or token_env")
        return self

    def __str__(self) -> str:
        return self.url


class StowDestination:
    """A DICOMweb service that takes objects by STOW-RS."""

    settings_type: ClassVar[type[BaseModel]] = StowAddress

    def __init__(self, settings: StowAddress, means: Means = _PLAIN) -> None:
        self.address = settings
        self.timeout_s = means.timeout_s
        self._means = means

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

    def search(self, path: str, query: Sequence[tuple[str, str]]) -> list[Any]:
        """What a search (QIDO-RS, PS3.18 10.6) finds, as DICOM JSON data sets. Raises Unreachable and Refused.

        Wild cards go as they are, which RFC 3986 3.4 allows: Orthanc 1.10 does not decode them.
        """
        status, found = self._request("GET", path, params=urlencode(query, safe="*?", quote_via=quote))
        if status not in (200, 204, 404):
            raise Refused(f"{self.address} answers a search with HTTP {status}")
        return found if isinstance(found, list) else []

    @contextmanager
    def retrieved(self, path: str, accept: str) -> Iterator[requests.Response]:
        """The answer to a WADO-RS request (PS3.18 10.4), its body not yet read. Raises Unreachable and Refused."""
        with self._http() as http, self._failures_in_words():
            response = self._asked(http, "GET", path, headers={"Accept": accept})
            with response:
                self._raise_for(response)
                if response.status_code != 200:
                    raise Refused(f"{self.address} answers HTTP {response.status_code}")
                yield response

    def _request(self, method: str, path: str, **details: Any) -> tuple[int, Any]:
        """Status and JSON content. Raises Unreachable for what may pass, Refused for what will not."""
        headers = {"Accept": _DICOM_JSON, **details.pop("headers", {})}
        with self._http() as http, self._failures_in_words():
            response = self._asked(http, method, path, headers=headers, **details)
            content = _bounded(response, time.monotonic() + self.timeout_s)
        self._raise_for(response)
        return response.status_code, _json(content)

    def _http(self) -> requests.Session:
        return self._means.outbound.session()

    def _asked(self, http: requests.Session, method: str, path: str, **details: Any) -> requests.Response:
        try:
            return http.request(
                method,
                self.address.url + path,
                headers={**details.pop("headers"), **self._login()},
                auth=self._password(),
                timeout=self.timeout_s,
                allow_redirects=False,
                stream=True,
                verify=str(self.address.ca_file) if self.address.ca_file else True,
                **details,
            )
        except requests.RequestException:
            raise
        except OSError as error:  # requests says so of certificates that are not there
            raise Refused(f"{self.address}: ca_file {self.address.ca_file} cannot be read") from error

    @contextmanager
    def _failures_in_words(self) -> Iterator[None]:
        try:
            yield
        except AddressRefused as error:
            raise Refused(str(error)) from error
        except requests.exceptions.SSLError as error:
            raise Refused(f"{self.address}: {certificate_fault(error)}") from error
        except requests.RequestException as error:
            raise Unreachable(f"{self.address} cannot be reached: {_network_fault(error)}") from error

    def _raise_for(self, response: requests.Response) -> None:
        status = response.status_code
        if 300 <= status < 400:
            raise Refused(f"{self.address} redirects (HTTP {status}); redirects are not followed, set the final URL")
        if status >= 500 or status in _TEMPORARY:
            raise Unreachable(f"{self.address} answers HTTP {status}")
        if status in (401, 403):
            raise Refused(f"{self.address} answers HTTP {status}: the login is not accepted")

    def _password(self) -> tuple[str, str] | None:
        if self.address.user is None:
            return None
        return self.address.user, self._secret("password", self.address.password_env)

    def _login(self) -> dict[str, str]:
        if self.address.user or not (self.address.token_env or "token" in self._means.secrets):
            return {}
        return {"Authorization": f"Bearer {self._secret('token', self.address.token_env)}"}

    def _secret(self, name: str, variable: str | None) -> str:
        if variable:
            return _environment(variable)
        if name not in self._means.secrets:
            raise Refused(f"{self.address}: no {name} of {self.address.user} is set; set it in the console")
        return self._means.secrets[name]


def certificate_fault(error: requests.exceptions.SSLError) -> str:
    """What is wrong with a service's certificate, in words."""
    text = str(error)
    for sign, words in _CERTIFICATE_FAULTS.items():
        if sign in text:
            return words
    return f"the certificate is not trusted ({text[:300]})"


_CERTIFICATE_FAULTS = {
    "self-signed certificate in certificate chain": (
        "the certificate is not trusted: its authority is unknown here; put that authority's PEM file into ca_file"
    ),
    "self-signed certificate": "the certificate is not trusted: it is self-signed; put it into ca_file as a PEM file",
    "unable to get local issuer certificate": (
        "the certificate is not trusted: its authority is unknown here; put that authority's PEM file into ca_file"
    ),
    "certificate has expired": "the certificate has expired; ask who runs the service to renew it",
    "certificate is not yet valid": "the certificate is not valid yet; compare the clocks of both machines",
    "Hostname mismatch": "the certificate is of another host name; use the name that stands in it",
    "IP address mismatch": "the certificate does not name this IP address; use the host name that stands in it",
    "WRONG_VERSION_NUMBER": "no TLS is spoken there; is it http instead of https, or another port?",
    "UNSUPPORTED_PROTOCOL": "it speaks only outdated TLS; ask who runs the service for TLS 1.2 or later",
}
"""OpenSSL's words (x509_vfy) and ours."""


def _network_fault(error: requests.RequestException) -> str:
    """Why there is no answer, without the address, which stands before it."""
    text = str(error)
    for sign, words in (("Connection refused", "nobody listens at that port"), ("resolve", "nobody knows the host")):
        if sign in text:
            return words
    return "no answer in time" if isinstance(error, requests.Timeout) else type(error).__name__


def _environment(variable: str) -> str:
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
