"""What no path and no cutting of a text into pieces can do to the proxy."""

import posixpath
import re
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacs_agent.console.proxy.addresses import Readdressed
from pacs_agent.console.proxy.resources import NoResource, readable_path
from pacs_agent.console.study_views import study_in

BASE = "https://pacs.example:8443/a.b/dicom-web"
OURS = "/pacs/dicom-web"

segments = st.one_of(
    st.sampled_from(["studies", "series", "instances", "1.2.3", "..", ".", "", "%2e%2e", "a\\b", "metadata", "..."]),
    st.text(max_size=8),
)


@given(st.lists(segments, max_size=8).map("/".join))
@example("studies/1.2/../../system")
@example("studies/%2e%2e/system")
def test_a_path_that_passes_stays_below_the_service(path: str) -> None:
    try:
        passed = readable_path(path)
    except NoResource:
        return
    for read in (passed, unquote(passed), unquote(unquote(passed)), passed.replace("\\", "/")):
        assert posixpath.normpath(f"/dicom-web/{read}") == f"/dicom-web/{passed}"
    assert not re.search(r"[?#;\s\x00]", passed)


@pytest.mark.parametrize(
    "path",
    [
        "studies",
        "series",
        "studies/1.2/series/1.3/instances",
        "studies/1.2/metadata",
        "studies/1.2/series/1.3/instances/1.4/frames/1,2,3",
        "studies/1.2/series/1.3/instances/1.4/frames/1/rendered",
        "studies/1.2/series/1.3/instances/1.4/bulkdata/7fe00010/1",
        "studies/1.2/series/1.3/instances/1.4/bulk/00420011",
    ],
)
def test_resources_of_dicomweb_pass(path: str) -> None:
    assert readable_path(path) == path


@pytest.mark.parametrize(("path", "study"), [("studies/1.2/series", "1.2"), ("studies", ""), ("series", "")])
def test_the_study_of_a_path(path: str, study: str) -> None:
    assert study_in(path) == study


addresses = st.sampled_from(
    [
        f'"{BASE}/studies/1.2"',
        f'"{BASE}/studies/1.2"'.replace("/", "\\/"),
        '"http://inner/a.b/dicom-web/instances/1"',
        '"/a.b/dicom-web/series"',
        '"/aXb/dicom-web/studies"',
        f'"text {BASE}/studies"',
        '"https:',
        '"',
        '": "',
        "x" * 3000,
    ]
)


@given(st.lists(addresses, max_size=12).map("".join), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_cutting_the_text_into_pieces_changes_nothing(text: str, lengths: list[int]) -> None:
    whole = b"".join(Readdressed(BASE, OURS).stream([text.encode()]))
    rest, pieces = text.encode(), []
    for length in lengths:
        pieces.append(rest[:length])
        rest = rest[length:]
    assert b"".join(Readdressed(BASE, OURS).stream([*pieces, rest])) == whole


def test_addresses_are_ours_afterwards() -> None:
    escaped = f"{BASE}/studies/1".replace("/", "\\/")
    text = f'{{"BulkDataURI":"{BASE}/studies/1.2/bulkdata/1"}},{{"Value":["{escaped}"]}}'
    assert b"".join(Readdressed(BASE, OURS).stream([text.encode()])) == (
        b'{"BulkDataURI":"/pacs/dicom-web/studies/1.2/bulkdata/1"},{"Value":["/pacs/dicom-web/studies\\/1"]}'
    )


def test_a_service_at_the_root_of_its_host() -> None:
    text = b'["https://pacs.example/studies/1.2","https://pacs.example/x/studies"]'
    answered = b"".join(Readdressed("https://pacs.example", OURS).stream([text]))
    assert answered == b'["/pacs/dicom-web/studies/1.2","https://pacs.example/x/studies"]'


def test_little_is_held_back_of_a_long_value() -> None:
    """Inline binary values have no quotation mark for megabytes."""
    stream = Readdressed(BASE, OURS).stream([b'{"InlineBinary":"', b"A" * 100_000, b"B" * 100_000, b'"}'])
    assert len(next(stream)) > 0
    assert len(next(stream)) >= 100_000
