"""The strict walk: whole data sets pass, and nothing that is cut off, damaged or mislabelled does."""

import contextlib
import zlib
from struct import pack

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pacs_agent.receive import elements, pace
from pacs_agent.receive.elements import Undecodable, walk_data_set
from tests.unit.archive.made_instances import ct_slice, encoded

EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
UNCOMPRESSED = [EXPLICIT, IMPLICIT, str(ExplicitVRBigEndian), str(DeflatedExplicitVRLittleEndian)]
SLICE = encoded(ct_slice(size=4)).data_set


def nested(depth: int, *, delimited: bool = False) -> Dataset:
    data_set = ct_slice(size=4)
    inner = Dataset()
    inner.CodeValue = "1"
    for _ in range(depth):
        outer = Dataset()
        outer.ConceptCodeSequence = Sequence([inner])
        outer["ConceptCodeSequence"].is_undefined_length = delimited
        inner.is_undefined_length_sequence_item = delimited
        inner = outer
    data_set.ProcedureCodeSequence = Sequence([inner])
    return data_set


@pytest.mark.parametrize("transfer_syntax_uid", UNCOMPRESSED)
@pytest.mark.parametrize("delimited", [False, True])
def test_whole_data_sets_pass_with_every_element(transfer_syntax_uid: str, delimited: bool) -> None:
    data_set = nested(5, delimited=delimited)
    sent = encoded(data_set, transfer_syntax_uid)
    walked = walk_data_set(sent.data_set, transfer_syntax_uid)
    assert set(walked.elements) == {int(element.tag) for element in data_set}
    assert walked.values(walked.elements).decoded()["PatientName"].value == "Doe^Jane"
    _vr, start, end, _length = walked.elements[0x7FE00010]
    assert end - start == 32


@pytest.mark.parametrize("transfer_syntax_uid", UNCOMPRESSED)
def test_a_data_set_cut_off_anywhere_never_passes_as_whole(transfer_syntax_uid: str) -> None:
    whole = encoded(nested(2, delimited=True), transfer_syntax_uid).data_set
    elements_of_whole = set(walk_data_set(whole, transfer_syntax_uid).elements)
    for length in range(len(whole)):
        try:
            walked = walk_data_set(whole[:length], transfer_syntax_uid)
        except Undecodable:
            continue
        assert set(walked.elements) < elements_of_whole, "cut between two elements: fewer of them"
        assert 0x7FE00010 not in walked.elements


@pytest.mark.parametrize(
    ("inside", "announced"),
    [
        (EXPLICIT, IMPLICIT),
        (IMPLICIT, EXPLICIT),
        *((EXPLICIT, other) for other in UNCOMPRESSED[2:]),
        *((other, EXPLICIT) for other in UNCOMPRESSED[2:]),
    ],
)
def test_another_transfer_syntax_inside_is_seen(inside: str, announced: str) -> None:
    with pytest.raises(Undecodable):
        walk_data_set(encoded(ct_slice(), inside).data_set, announced)


@pytest.mark.parametrize("nothing", [b"", b"\0", b"\0" * 7, b"<!DOCTYPE html><html></html>", b"\x7fELF" * 40])
def test_what_is_no_data_set_is_refused(nothing: bytes) -> None:
    for transfer_syntax_uid in UNCOMPRESSED:
        with pytest.raises(Undecodable):
            walk_data_set(nothing, transfer_syntax_uid)


def test_padding_after_the_last_element_is_let_in() -> None:
    assert walk_data_set(SLICE + b"\0", EXPLICIT).elements.keys() == walk_data_set(SLICE, EXPLICIT).elements.keys()


def test_values_that_would_fill_the_memory_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    walked = walk_data_set(SLICE, EXPLICIT)
    monkeypatch.setattr(elements, "LARGEST_VALUES_BYTES", len(walked.value(0x00100010)) - 1)
    with pytest.raises(Undecodable, match="header values"):
        walked.value(0x00100010)
    with pytest.raises(Undecodable, match="header values"):
        walked.values((0x00100010, 0x00100020))


def test_an_element_that_stands_twice_is_refused() -> None:
    study = SLICE[: SLICE.index(b"\x20\x00\x0d\x00UI")]
    twice = b"\x20\x00\x0d\x00UI\x04\x001.9\x00"
    with pytest.raises(Undecodable, match=r"\(0020,000D\) stands twice"):
        walk_data_set(study + twice + SLICE[len(study) :], EXPLICIT)


def test_file_meta_information_has_no_place_in_a_data_set() -> None:
    with pytest.raises(Undecodable, match="no place"):
        walk_data_set(b"\x02\x00\x10\x00UI\x04\x001.9\x00" + SLICE, EXPLICIT)


def test_deep_nesting_is_refused_before_it_exhausts_the_stack() -> None:
    walk_data_set(encoded(nested(40)).data_set, EXPLICIT)
    item = pack("<HH2sHL", 8, 0x0104, b"SQ", 0, 0xFFFFFFFF) + pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(Undecodable, match="deeper"):
        walk_data_set(item * 10_000, EXPLICIT)


@pytest.mark.parametrize("limit", ["MOST_ELEMENTS", "MOST_TOP_LEVEL"])
def test_too_many_elements_are_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, limit, 10)
    monkeypatch.setattr(elements, "_LAYOUTS", elements.Layouts())
    with pytest.raises(Undecodable, match="more than 10"):
        walk_data_set(SLICE, EXPLICIT)


def test_the_delimiter_of_an_inner_item_does_not_end_the_outer_one() -> None:
    item, delimiter = pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), pack("<HHL", 0xFFFE, 0xE00D, 0)
    inner = pack("<HH2sHL", 8, 0x0104, b"SQ", 0, len(item + delimiter)) + item + delimiter
    for end, passes in ((delimiter, True), (b"", False)):
        outer = item + inner + end
        data_set = pack("<HH2sHL", 8, 0x1032, b"SQ", 0, len(outer)) + outer
        with contextlib.nullcontext() if passes else pytest.raises(Undecodable, match="cut off"):
            walk_data_set(data_set, EXPLICIT)


def test_deflate_bomb_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "LARGEST_INFLATED_BYTES", 1 << 20)
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(bytes(50 << 20)) + packer.flush()
    with pytest.raises(Undecodable, match="larger than"):
        walk_data_set(bomb, UNCOMPRESSED[3])


@pytest.mark.parametrize("size_mb", [3, 5])
def test_what_inflates_to_much_is_counted_first(monkeypatch: pytest.MonkeyPatch, size_mb: int) -> None:
    monkeypatch.setattr(elements, "USUAL_INFLATED_BYTES", 1 << 20)
    monkeypatch.setattr(elements, "LARGEST_INFLATED_BYTES", 4 << 20)
    monkeypatch.setattr(pace, "SHARE", 1.0)
    large = SLICE + pack("<HH2sHL", 0x7FE1, 0x1001, b"OB", 0, size_mb << 20) + bytes(size_mb << 20)
    packer = zlib.compressobj(wbits=-15)
    deflated = packer.compress(large) + packer.flush()
    with contextlib.nullcontext() if size_mb < 4 else pytest.raises(Undecodable, match="larger than"):
        assert walk_data_set(deflated, UNCOMPRESSED[3]).encoded == large


@pytest.mark.parametrize("delimited", [False, True])
def test_of_many_elements_the_walk_rests_now_and_then(monkeypatch: pytest.MonkeyPatch, delimited: bool) -> None:
    rests: list[int] = []
    monkeypatch.setattr(elements, "USUAL_ELEMENTS", 100)
    monkeypatch.setattr(elements, "ELEMENTS_AT_ONCE", 10)
    monkeypatch.setattr(pace.Pace, "rest", lambda _: rests.append(1))
    of_sequence, of_item = (0xFFFFFFFF, 0xFFFFFFFF) if delimited else (500 * 18, 10)
    items = pack("<HHL", 0xFFFE, 0xE000, of_item) + pack("<HH2sH", 8, 0x0100, b"SH", 2) + b"1 "
    items += pack("<HHL", 0xFFFE, 0xE00D, 0) * delimited
    end = pack("<HHL", 0xFFFE, 0xE0DD, 0) * delimited
    data_set = pack("<HH2sHL", 8, 0x0104, b"SQ", 0, of_sequence) + items * 500 + end
    assert list(walk_data_set(data_set, EXPLICIT).elements) == [0x00080104]
    assert len(rests) == pytest.approx((500 * (3 if delimited else 2) - 100) / 10, rel=0.3)


def test_unknown_sequence_of_undefined_length_is_implicit_inside() -> None:
    """PS3.5 6.2.2: UN of undefined length holds items in Implicit VR Little Endian."""
    inner = pack("<HHL", 0x0008, 0x0100, 2) + b"1 "
    item = pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner + pack("<HHL", 0xFFFE, 0xE0DD, 0)
    private = pack("<HH2sHL", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFFF) + item
    assert 0x00091001 in walk_data_set(private, EXPLICIT).elements


@given(st.integers(0, len(SLICE) - 1), st.binary(min_size=1, max_size=12), st.sampled_from(UNCOMPRESSED))
def test_damage_is_walked_or_refused_and_walked_spans_lie_inside(position: int, damage: bytes, syntax: str) -> None:
    damaged = SLICE[:position] + damage + SLICE[position + len(damage) :]
    try:
        walked = walk_data_set(damaged, syntax)
    except Undecodable:
        return
    for _vr, start, end, _length in walked.elements.values():
        assert 0 <= start <= end <= len(walked.encoded)


@given(st.binary(max_size=300), st.sampled_from(UNCOMPRESSED))
def test_any_bytes_are_walked_or_refused(noise: bytes, syntax: str) -> None:
    with contextlib.suppress(Undecodable):
        walk_data_set(noise, syntax)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30))
def test_header_says_what_pydicom_says(description: str) -> None:
    sent = encoded(ct_slice(size=4, StudyDescription=description))
    walked = walk_data_set(sent.data_set, EXPLICIT).values((0x00080005, 0x00081030)).decoded()
    read = pydicom.dcmread(DicomBytesIO(sent.data_set), force=True)
    assert walked.get("StudyDescription") == read.get("StudyDescription")


@given(st.integers(0, 1000), st.binary(min_size=1, max_size=4))
def test_a_layout_that_came_before_never_hides_damage(position: int, damage: bytes) -> None:
    data_set = ct_slice(size=4)
    data_set.ReferencedImageSequence = Sequence([Dataset(), Dataset()])
    data_set.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    whole = encoded(data_set).data_set
    for _ in range(4):
        walk_data_set(whole, ExplicitVRLittleEndian)
    position %= len(whole) - len(damage)
    damaged = whole[:position] + damage + whole[position + len(damage) :]
    assert walked_or_refused(damaged) == walked_or_refused(damaged, elements.Layouts())


def walked_or_refused(data_set: bytes, layouts: elements.Layouts[elements.Span] | None = None) -> object:
    with pytest.MonkeyPatch.context() as patch:
        if layouts is not None:
            patch.setattr(elements, "_LAYOUTS", layouts)
        try:
            return walk_data_set(data_set, ExplicitVRLittleEndian).elements
        except Undecodable as error:
            return str(error)


def test_layouts_are_kept_from_the_second_time_and_not_without_end() -> None:
    kept = elements.Layouts[int]()
    assert kept.found(("1.2", 4), b"abcd") is None
    assert not kept.came_before(("1.2", 4))
    assert kept.came_before(("1.2", 4))
    kept.keep(("1.2", 4), b"abcd", [(0, 1), (2, 3)], {1: 2})
    assert kept.found(("1.2", 4), b"aXcX") == {1: 2}
    assert kept.found(("1.2", 4), b"abXd") is None
    for size in range(100):
        kept.came_before(("1.2", size + 5))
    assert kept.found(("1.2", 4), b"abcd") is None
    assert len(kept._layouts) == 32
