"""What representation a client asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from pacs_agent.archive.dicomweb.accept import Wanted, accepts_json, media_type_of, wanted

OCTETS, DICOM = "application/octet-stream", "application/dicom"


def asking(accept: str | None, query: dict[str, str] | None = None) -> Request:
    headers = {} if accept is None else {"Accept": accept}
    return Request(EnvironBuilder(headers=headers, query_string=query).get_environ())


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, [Wanted("*/*", True)]),
        ("*/*", [Wanted("*/*", True)]),
        (DICOM, [Wanted(DICOM, False)]),
        (f'multipart/related; type="{DICOM}"; transfer-syntax=*', [Wanted(DICOM, True, "*")]),
        (f"multipart/related; type={OCTETS}; transfer-syntax=*", [Wanted(OCTETS, True, "*")]),
        ("multipart/related", [Wanted("*/*", True)]),
        ("image/png;q=0.5, image/jpeg", [Wanted("image/jpeg", False), Wanted("image/png", False)]),
        ("image/png;q=0, image/jpeg;q=x", []),
        ('Multipart/Related; Type="IMAGE/JLS"', [Wanted("image/jls", True)]),
    ],
)
def test_accept_headers_as_clients_write_them(accept: str | None, expected: list[Wanted]) -> None:
    assert wanted(asking(accept)) == expected


def test_parameter_of_the_url_goes_before_the_header() -> None:
    assert wanted(asking("*/*", {"accept": "image/png"})) == [Wanted("image/png", False)]


@given(st.text(st.characters(codec="latin-1"), max_size=100))
def test_any_header_is_understood_or_left_out(header: str) -> None:
    media_type_of(header)
    request = asking(None, {"accept": header})
    assert isinstance(accepts_json(request), bool)
