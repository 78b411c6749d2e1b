"""Stored values out of every transfer syntax, laid out for reading; broken pixel data name their image."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import gdcm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imaging_slices import AXIAL, ct_slice, gradient, saved, set_pixels
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from pacs_agent.imaging import (
    AcceptedInput,
    UnusableImages,
    UnusableSlice,
    choose_series,
    hounsfield_units,
    order_series,
    read_headers,
    read_slices,
)
from pacs_agent.imaging import headers as headers_module
from pacs_agent.imaging.codestream import codestream_size

BODY = (np.hypot(*np.mgrid[-32:32, -40:40]) * 30 - 900).astype(np.int16)
UNSIGNED = (BODY.astype(np.int32) + 2000).astype(np.uint16)


def stored_in(path: Path) -> NDArray[np.int16]:
    """The one slice of a file, decoded."""
    return next(read_slices(order_series(read_headers([path]))))


@pytest.mark.parametrize("pixels", [BODY, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_native(tmp_path: Path, syntax: UID, pixels: NDArray[np.int16]) -> None:
    dataset = ct_slice(pixels=pixels)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = pixels.byteswap().tobytes()
    path = tmp_path / "slice.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert_same_hu(path, pixels)


@pytest.mark.parametrize("pixels", [BODY, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_by_pydicom(tmp_path: Path, syntax: UID, pixels: NDArray[np.int16]) -> None:
    dataset = ct_slice(pixels=pixels)
    dataset.compress(syntax, generate_instance_uid=False)
    assert_same_hu(saved([dataset], tmp_path)[0], pixels)


@pytest.mark.parametrize("pixels", [BODY, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEG2000", "RLELossless"])
def test_compressed_by_gdcm(tmp_path: Path, syntax: str, pixels: NDArray[np.int16]) -> None:
    original = saved([ct_slice(pixels=pixels)], tmp_path)[0]
    path = tmp_path / "compressed.dcm"
    reader = gdcm.ImageReader()
    reader.SetFileName(str(original))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    # Pixels, not HU: gdcm rewrites the slope of what it compresses by JPEG 2000 into its own form.
    np.testing.assert_array_equal(hu_in(path), pixels.astype(np.float32) - 1024)


@pytest.mark.peers
@pytest.mark.parametrize(
    "command", [["dcmcjpeg", "+e1"], ["dcmcjpeg", "+el"], ["dcmcjpls"], ["dcmcrle"], ["dcmconv", "+td"]]
)
def test_compressed_by_dcmtk(tmp_path: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on this machine")
    original, path = saved([ct_slice(pixels=UNSIGNED)], tmp_path)[0], tmp_path / "compressed.dcm"
    subprocess.run([*command, original, path], check=True)
    assert dcmread(path).file_meta.TransferSyntaxUID != ExplicitVRLittleEndian
    assert_same_hu(path, UNSIGNED)


def hu_in(path: Path) -> NDArray[np.float32]:
    one = order_series(read_headers([path])).slices[0]
    return hounsfield_units(stored_in(path), one.slope, one.intercept)


def assert_same_hu(path: Path, pixels: NDArray[np.int16]) -> None:
    np.testing.assert_array_equal(hu_in(path), pixels.astype(np.float32) - 1024)


@given(st.lists(st.integers(0, 65535), min_size=4, max_size=4), st.integers(-3, 3).filter(bool))
def test_all_unsigned_16_bit_values_keep_their_hu(values: list[int], slope: int) -> None:
    from pacs_agent.imaging.pixels import _int16

    stored = _int16(np.array(values, np.uint16), 32768)
    assert stored.dtype == np.int16
    intercept = -1024 + slope * 32768
    np.testing.assert_array_equal(hounsfield_units(stored, slope, intercept), np.array(values) * slope - 1024.0)


def test_unsigned_values_beyond_int16(tmp_path: Path) -> None:
    assert_same_hu(
        saved([ct_slice(pixels=UNSIGNED + np.uint16(40000))], tmp_path)[0], UNSIGNED.astype(np.int32) + 40000
    )


def test_12_of_16_bits_ignore_what_lies_above(tmp_path: Path) -> None:
    dataset = ct_slice(pixels=(gradient() | 0x4000).astype(np.uint16), BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(stored_in(saved([dataset], tmp_path)[0]), gradient())


def test_8_bits(tmp_path: Path) -> None:
    pixels = gradient(4, 5).astype(np.uint8)
    np.testing.assert_array_equal(stored_in(saved([ct_slice(pixels=pixels)], tmp_path)[0]), pixels)


@pytest.mark.parametrize(
    ("orientation", "shown"),
    [
        (AXIAL, lambda pixels: pixels),
        ((-1, 0, 0, 0, -1, 0), lambda pixels: pixels[::-1, ::-1]),
        ((-1, 0, 0, 0, 1, 0), lambda pixels: pixels[:, ::-1]),
        ((0, 1, 0, 1, 0, 0), lambda pixels: pixels.T),
    ],
)
def test_slices_are_laid_out_for_reading(tmp_path: Path, orientation: tuple[float, ...], shown) -> None:
    path = saved([ct_slice(orientation=orientation)], tmp_path)[0]
    series = order_series(read_headers([path]))
    stored = next(read_slices(series))
    np.testing.assert_array_equal(stored, shown(gradient()))
    assert series.slices[0].orientation == pytest.approx(AXIAL)
    assert stored.shape == (series.slices[0].rows, series.slices[0].columns)


def broken(tmp_path: Path, change) -> UnusableSlice:
    """What reading says when a file changes after its series was ordered."""
    dataset = ct_slice()
    series = order_series(read_headers(saved([dataset], tmp_path)))
    change(dataset)
    dataset.save_as(series.slices[0].path, enforce_file_format=True)
    with pytest.raises(UnusableSlice) as caught:
        list(read_slices(series))
    return caught.value


def cut(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-2]


def no_pixels(dataset: Dataset) -> None:
    del dataset.PixelData


def other_image(dataset: Dataset) -> None:
    dataset.SOPInstanceUID = "1.2.3"


def huge(dataset: Dataset) -> None:
    dataset.Rows = dataset.Columns = 65535


def garbage_frame(dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + b"\x00" * 60])


def cut_frame(dataset: Dataset) -> None:
    set_pixels(dataset, BODY)
    dataset.Rows, dataset.Columns = BODY.shape
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    dataset.PixelData = encapsulate([dataset.PixelData[16:200]])


def lying_frame(dataset: Dataset) -> None:
    """A JPEG-LS frame of 64 × 80 pixels under a header that says 12 × 16."""
    set_pixels(dataset, BODY)
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    dataset.Rows, dataset.Columns = 12, 16


def zero_rows(dataset: Dataset) -> None:
    dataset.Rows = 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (cut, "382 bytes where 384 belong"),
        (no_pixels, "no pixel data"),
        (other_image, "another image"),
        (huge, "at most"),
        (garbage_frame, "compressed frame 1 has (0, 0)"),
        (cut_frame, "cannot be decoded"),
        (lying_frame, "compressed frame 1 has (64, 80)"),
        (zero_rows, "0 rows"),
    ],
)
def test_broken_pixel_data(tmp_path: Path, change, says: str) -> None:
    error = broken(tmp_path, change)
    assert says in error.reason
    assert error.sop_instance_uid
    assert error.sop_instance_uid in error.reason


def test_raw_pixels_that_are_declared_rle(tmp_path: Path) -> None:
    path = saved([ct_slice()], tmp_path)[0]
    series = order_series(read_headers([path]))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"))
    with pytest.raises(UnusableSlice, match="cannot be decoded"):
        list(read_slices(series))


@pytest.mark.parametrize(("slope", "intercept"), [(0, 1), (float("nan"), 0), (1, float("inf"))])
def test_no_hu_without_a_line(slope: float, intercept: float) -> None:
    with pytest.raises(UnusableSlice, match="give no HU"):
        hounsfield_units(gradient(), slope, intercept)


def test_a_truncated_file_names_itself(tmp_path: Path) -> None:
    path = saved([ct_slice()], tmp_path)[0]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnusableImages, match=path.name):
        order_series(read_headers([path]))


@pytest.mark.parametrize("content", [b"", b"MZ" + b"\x00" * 4000, b"<html>" * 100])
def test_not_dicom(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.dcm"
    path.write_bytes(content)
    with pytest.raises(UnusableSlice, match=r"other\.dcm cannot be read as DICOM"):
        read_headers([path])


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UnusableSlice) as refused:
        read_headers([tmp_path / "gone.dcm"])
    assert str(refused.value).endswith("gone.dcm cannot be read as DICOM: No such file or directory")
    assert str(tmp_path) not in str(refused.value)


def test_a_deflate_bomb_is_refused_before_it_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers_module, "MAX_INFLATED_BYTES", 1 << 20)
    dataset = ct_slice()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = saved([dataset], tmp_path)[0]
    whole = path.read_bytes()
    meta = whole[: 144 + struct.unpack_from("<L", whole, 140)[0]]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(meta + deflater.compress(bytes(1 << 24)) + deflater.flush())
    with pytest.raises(UnusableSlice, match="inflates to more than"):
        read_headers([path])


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_the_codestreams_own_size(syntax: UID) -> None:
    dataset = ct_slice(pixels=BODY)
    dataset.compress(syntax)
    assert codestream_size(get_frame(dataset.PixelData, 0, number_of_frames=1)) == BODY.shape


@given(st.binary(max_size=64), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\xff\x4f\xff\x51"]))
def test_any_bytes_have_a_size_or_none(tail: bytes, head: bytes) -> None:
    size = codestream_size(head + tail)
    assert size is None or len(size) == 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("keyword", ["NumberOfFrames", "RescaleSlope", "PixelSpacing", "SeriesNumber"])
def test_numbers_that_are_none_on_disk(tmp_path: Path, keyword: str) -> None:
    value = ["8888", "8888"] if keyword == "PixelSpacing" else "8888"
    path = saved([ct_slice(**{keyword: value})], tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"8888", b"many"))
    headers = read_headers([path])
    accepted = AcceptedInput(
        modalities=("CT",),
        body_parts=("CHEST",),
        planes=("axial",),
        min_slices=1,
        max_slices=9,
        min_thickness_mm=0,
        max_thickness_mm=9,
        min_coverage_mm=0,
    )
    choice = choose_series(headers, accepted)
    assert (choice.chosen is not None) == (keyword == "SeriesNumber")
    assert keyword == "SeriesNumber" or keyword in choice.reason
