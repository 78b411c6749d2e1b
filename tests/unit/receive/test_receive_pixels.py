"""Pixel data are there as the header says, or the instance is refused."""

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from pacs_agent.receive import pixels
from pacs_agent.receive.elements import Undecodable, walk_data_set
from pacs_agent.receive.pixels import LONGEST_DESCRIPTION_BYTES, check_pixels
from tests.unit.archive.made_instances import CT, ct_slice, encoded

EXPLICIT, JPEG_SV1, J2K, HTJ2K, RLE, JPEG_LS = (
    f"1.2.840.10008.1.2.{last}" for last in ("1", "4.70", "4.90", "4.201", "5", "4.80")
)


def check(data_set: Dataset, transfer_syntax_uid: str = EXPLICIT) -> None:
    sent = encoded(data_set, transfer_syntax_uid)
    check_pixels(walk_data_set(sent.data_set, transfer_syntax_uid), data_set.SOPClassUID, transfer_syntax_uid)


def compressed(fragments: list[bytes], frames: int = 1) -> Dataset:
    data_set = ct_slice(size=4, NumberOfFrames=frames)
    data_set.PixelData = encapsulate(fragments, has_bot=False)
    data_set["PixelData"].is_undefined_length = True
    return data_set


def test_a_whole_slice_passes() -> None:
    check(ct_slice(size=4))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"PixelData": bytes(30)}, "have 30 bytes, 32 are described"),
        ({"PixelData": bytes(64)}, "a frame more"),
        ({"NumberOfFrames": 2}, "64 are described"),
        ({"Rows": 0}, "Rows"),
        ({"Columns": None}, "Columns"),
        ({"SamplesPerPixel": 0}, "SamplesPerPixel"),
        ({"Rows": 65535, "Columns": 65535, "NumberOfFrames": 2147483647}, "are described"),
        ({"NumberOfFrames": -1}, "NumberOfFrames"),
        ({"PixelData": None}, "without pixel data"),
    ],
)
def test_other_sizes_than_described_are_refused(wrong: dict[str, object], fault: str) -> None:
    with pytest.raises(Undecodable, match=fault):
        check(ct_slice(size=4, **wrong))


def test_a_description_of_many_bytes_is_refused_as_it_would_be_remembered() -> None:
    whole, head = encoded(ct_slice(size=4)).data_set, b"\x28\x00\x04\x00CS"
    before, _, behind = whole.partition(head)
    behind = behind[2 + int.from_bytes(behind[:2], "little") :]
    value = b"MONOCHROME2".ljust(LONGEST_DESCRIPTION_BYTES)
    data_set = before + head + len(value).to_bytes(2, "little") + value + behind
    with pytest.raises(Undecodable, match="are described in"):
        check_pixels(walk_data_set(data_set, EXPLICIT), CT, EXPLICIT)


def test_a_few_bytes_of_padding_are_harmless() -> None:
    check(ct_slice(size=4, PixelData=bytes(34)))


@pytest.mark.parametrize(
    ("others", "size_bytes"),
    [
        ({"BitsAllocated": 1, "Rows": 3, "Columns": 3, "NumberOfFrames": 3}, 4),
        ({"BitsAllocated": 8, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, 48),
        ({"BitsAllocated": 8, "SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"}, 32),
        ({"BitsAllocated": 8, "Rows": 3, "Columns": 3}, 10),
    ],
)
def test_sizes_of_other_kinds_of_pixels(others: dict[str, object], size_bytes: int) -> None:
    check(ct_slice(size=4, **others, PixelData=bytes(size_bytes)))
    with pytest.raises(Undecodable):
        check(ct_slice(size=4, **others, PixelData=bytes(size_bytes - 2)))


def test_raw_pixels_announced_as_compressed_are_refused() -> None:
    sent = encoded(ct_slice(size=4))
    with pytest.raises(Undecodable, match="uncompressed but were announced as JPEG Lossless"):
        check_pixels(walk_data_set(sent.data_set, JPEG_SV1), CT, JPEG_SV1)


def test_compressed_pixels_announced_as_raw_are_refused() -> None:
    sent = encoded(compressed([b"\xff\xd8\xff\xee"]), JPEG_SV1)
    with pytest.raises(Undecodable, match="encapsulated but were announced as Explicit VR"):
        check_pixels(walk_data_set(sent.data_set, EXPLICIT), CT, EXPLICIT)


@pytest.mark.parametrize(
    ("transfer_syntax_uid", "begin"),
    [
        (JPEG_SV1, b"\xff\xd8\xff\xee"),
        (JPEG_LS, b"\xff\xd8\xff\xf7"),
        (J2K, b"\xff\x4f\xff\x51"),
        (HTJ2K, b"\xff\x4f\xff\x51"),
        (J2K, b"\0\0\0\x0cjP  "),
        (RLE, b"\2\0\0\0" + bytes(60)),
    ],
)
def test_compressed_pixels_begin_as_their_codec_does(transfer_syntax_uid: str, begin: bytes) -> None:
    check(compressed([begin]), transfer_syntax_uid)
    with pytest.raises(Undecodable, match="the first fragment"):
        check(compressed([b"\x50\x4b\x03\x04" + begin]), transfer_syntax_uid)


def test_of_many_fragments_the_count_rests_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[int] = []
    monkeypatch.setattr(pixels, "USUAL_ELEMENTS", 100)
    monkeypatch.setattr(pixels, "ELEMENTS_AT_ONCE", 10)
    monkeypatch.setattr(pixels.Pace, "rest", lambda _: rests.append(1))
    check(compressed([b"\xff\xd8\xff\xee"] * 200, frames=150), JPEG_SV1)
    assert len(rests) == 5, "no more are counted than there are frames"


@pytest.mark.parametrize(("fragments", "frames"), [([b"\xff\xd8\xff\xee"], 2), ([], 1)])
def test_missing_frames_are_refused(fragments: list[bytes], frames: int) -> None:
    data_set = compressed([b"\xff\xd8\xff\xee"], frames)
    if not fragments:
        data_set.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0"  # an offset table and nothing behind it
    with pytest.raises(Undecodable, match="fragments for"):
        check(data_set, JPEG_SV1)
