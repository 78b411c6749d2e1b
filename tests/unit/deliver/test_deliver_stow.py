"""STOW-RS against a service that answers whatever a test wants."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.deliver import Means, Outgoing, Refused, StowAddress, StowDestination, Unreachable, Verdict, Whereabouts
from pacs_agent.deliver.stow import _listed


@dataclass
class Service:
    """A web server with one answer for all requests; keeps what it was asked."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def answers(self, status: int, content: Any = None, **headers: str) -> None:
        self.status, self.headers = status, headers
        self.content = content if isinstance(content, bytes) else json.dumps(content).encode() if content else b""


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.asked.append((self.command, self.path, dict(self.headers), body))
            self.send_response(service.status)
            for name, value in {**service.headers, "Content-Length": str(len(service.content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(service.content)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}/dicom-web"
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


def _item(uid: str, **numbers: int) -> dict[str, Any]:
    tags = {"failure": "00081197", "warning": "00081196"}
    return {
        "00081155": {"vr": "UI", "Value": [uid]},
        **{tags[name]: {"vr": "US", "Value": [number]} for name, number in numbers.items()},
    }


def _response(stored: list[dict[str, Any]], failed: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"00081199": {"vr": "SQ", "Value": stored}}
    if failed is not None:
        content["00081198"] = {"vr": "SQ", "Value": failed} if failed else {"vr": "SQ"}
    return content


def _verdicts(service: Service, objects: list[Outgoing]) -> list[Verdict]:
    destination = StowDestination(StowAddress(url=service.url), Means(5))
    answers = {answer.sop_instance_uid: answer.verdict for answer in destination.send(objects)}
    return [answers[one.sop_instance_uid] for one in objects]


def test_an_empty_failed_sequence_is_no_failure(service: Service, two_objects: list[Outgoing]) -> None:
    """Orthanc sends one with every success."""
    service.answers(200, _response([_item("1.2.3.1"), _item("1.2.3.2")], failed=[]))
    assert _verdicts(service, two_objects) == [Verdict.STORED, Verdict.STORED]


def test_one_of_two_is_refused(service: Service, two_objects: list[Outgoing]) -> None:
    service.answers(202, _response([_item("1.2.3.1", warning=0xB000)], failed=[_item("1.2.3.2", failure=0xC000)]))
    assert _verdicts(service, two_objects) == [Verdict.STORED, Verdict.REFUSED]


def test_all_failed_for_lack_of_space_is_tried_again(service: Service, two_objects: list[Outgoing]) -> None:
    failed = [_item("1.2.3.1", failure=0xA700), _item("1.2.3.2", failure=0xA700)]
    service.answers(409, _response([], failed=failed))
    assert _verdicts(service, two_objects) == [Verdict.TRY_AGAIN, Verdict.TRY_AGAIN]


def test_a_duplicate_is_there(service: Service, two_objects: list[Outgoing]) -> None:
    service.answers(409, _response([], failed=[_item(one.sop_instance_uid, failure=0x0111) for one in two_objects]))
    assert _verdicts(service, two_objects) == [Verdict.STORED, Verdict.STORED]


def test_an_object_that_is_not_mentioned_is_not_sent(service: Service, two_objects: list[Outgoing]) -> None:
    service.answers(200, _response([_item("1.2.3.1")]))
    assert _verdicts(service, two_objects) == [Verdict.STORED, Verdict.TRY_AGAIN]


def test_accepted_without_content_is_not_stored(service: Service, two_objects: list[Outgoing]) -> None:
    service.answers(202)
    assert _verdicts(service, two_objects) == [Verdict.TRY_AGAIN, Verdict.TRY_AGAIN]


def test_both_objects_travel_as_they_are_in_one_request(service: Service, two_objects: list[Outgoing]) -> None:
    service.answers(200)
    _verdicts(service, two_objects)
    ((command, path, headers, body),) = service.asked
    assert (command, path) == ("POST", "/dicom-web/studies")
    assert headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert all(one.path.read_bytes() in body for one in two_objects)
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Unreachable), (503, Unreachable), (429, Unreachable), (408, Unreachable), (401, Refused), (403, Refused)],
)
def test_http_errors_by_class(service: Service, two_objects: list[Outgoing], status: int, error: type) -> None:
    service.answers(status)
    with pytest.raises(error, match=str(status)):
        _verdicts(service, two_objects)


@pytest.mark.parametrize("status", [400, 404, 409, 415])
def test_a_client_error_without_content_refuses_all(service: Service, two_objects: list[Outgoing], status: int) -> None:
    service.answers(status)
    assert _verdicts(service, two_objects) == [Verdict.REFUSED, Verdict.REFUSED]


def test_redirects_are_not_followed(service: Service, two_objects: list[Outgoing]) -> None:
    service.answers(307, Location=f"{service.url}/elsewhere")
    with pytest.raises(Refused, match="redirect"):
        _verdicts(service, two_objects)
    assert len(service.asked) == 1


def test_nobody_there_is_unreachable(two_objects: list[Outgoing]) -> None:
    destination = StowDestination(StowAddress(url="http://127.0.0.1:9/dicom-web"), Means(1))
    with pytest.raises(Unreachable):
        list(destination.send(two_objects))


def test_secrets_come_from_the_environment(
    service: Service, two_objects: list[Outgoing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACS_TOKEN", "s3cret")
    service.answers(200)
    list(StowDestination(StowAddress(url=service.url, token_env="PACS_TOKEN"), Means(5)).send(two_objects))
    monkeypatch.setenv("PACS_PASSWORD", "pw")
    list(
        StowDestination(StowAddress(url=service.url, user="me", password_env="PACS_PASSWORD"), Means(5)).send(
            two_objects
        )
    )
    bearer, basic = (headers["Authorization"] for _, _, headers, _ in service.asked)
    assert (bearer, basic) == ("Bearer s3cret", "Basic bWU6cHc=")


def test_a_missing_secret_refuses_and_sends_nothing(service: Service, two_objects: list[Outgoing]) -> None:
    with pytest.raises(Refused, match="NOT_SET_ANYWHERE"):
        list(StowDestination(StowAddress(url=service.url, token_env="NOT_SET_ANYWHERE"), Means(5)).send(two_objects))
    assert not service.asked


def test_a_missing_certificate_file_is_named(two_objects: list[Outgoing]) -> None:
    address = StowAddress(url="https://127.0.0.1:9/dicom-web", ca_file="/nowhere/ca.pem")
    with pytest.raises(Refused, match=r"/nowhere/ca\.pem"):
        list(StowDestination(address, Means(1)).send(two_objects))


def test_an_endless_answer_is_cut_off(
    service: Service, two_objects: list[Outgoing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_agent.deliver.stow._LARGEST_ANSWER", 1000)
    service.answers(200, b"x" * 100_000)
    with pytest.raises(Unreachable):
        _verdicts(service, two_objects)


@pytest.mark.parametrize(
    ("status", "content", "whereabouts"),
    [
        (200, [{"00080018": {"vr": "UI", "Value": ["1.2.3.1"]}}], Whereabouts.THERE),
        (200, [{"00080018": {"vr": "UI", "Value": ["1.2.9"]}}], Whereabouts.ABSENT),
        (200, [], Whereabouts.ABSENT),
        (204, None, Whereabouts.ABSENT),
        (404, None, Whereabouts.ABSENT),
        (400, None, Whereabouts.UNKNOWN),
        (501, None, None),
    ],
)
def test_confirmation_searches_the_object(
    service: Service, two_objects: list[Outgoing], status: int, content: Any, whereabouts: Whereabouts | None
) -> None:
    service.answers(status, content)
    destination = StowDestination(StowAddress(url=service.url), Means(5))
    if whereabouts is None:
        with pytest.raises(Unreachable):
            list(destination.confirm(two_objects[:1]))
        return
    (found,) = destination.confirm(two_objects[:1])
    assert found.whereabouts is whereabouts
    assert service.asked[0][1].startswith("/dicom-web/studies/1.2.1/series/1.2.2.1/instances?SOPInstanceUID=1.2.3.1")


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
_ELEMENT = _JSON | st.fixed_dictionaries({"Value": _JSON})
_ITEM = _JSON | st.dictionaries(st.sampled_from(["00081155", "00081196", "00081197"]), _ELEMENT)
_SEQUENCE = _JSON | st.fixed_dictionaries({"Value": _JSON | st.lists(_ITEM, max_size=3)})


@given(_JSON | st.dictionaries(st.sampled_from(["00081199", "00081198"]), _SEQUENCE))
def test_no_answer_makes_the_reader_stumble(content: Any) -> None:
    assert all(isinstance(uid, str) for uid in _listed(content))
