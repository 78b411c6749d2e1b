"""A bundle small enough to reckon by hand, and a series for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from tiny_bundle import MakeSeries, load, settings_of, write_bundle

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import OrderedSeries, order_series, read_headers
from pacs_agent.inference import Bundle, Reader


@pytest.fixture
def bundle_folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundles" / "tiny-1.0")


@pytest.fixture
def bundle(bundle_folder: Path) -> Bundle:
    return load(bundle_folder)


@pytest.fixture
def settings(bundle_folder: Path) -> InferenceSettings:
    return settings_of(bundle_folder, batch_slices=3)


@pytest.fixture
def reader(bundle: Bundle, settings: InferenceSettings, tmp_path: Path) -> Reader:
    return Reader(bundle, settings, tmp_path / "tokens")


@pytest.fixture
def make_series(tmp_path: Path) -> MakeSeries:
    """A series of uniform slices of the HU given; `corners` are the HU of each slice's first pixel."""

    def make(hu: Sequence[int], corners: Sequence[int] | None = None, slope: float = 1.0) -> OrderedSeries:
        folder = tmp_path / f"series-{generate_uid()}"
        folder.mkdir()
        first = hu if corners is None else corners
        for index, (body, corner) in enumerate(zip(hu, first, strict=True)):
            pixels = np.full((4, 6), body, np.int16)
            pixels[0, 0] = corner
            _ct_slice(index, pixels, slope).save_as(folder / f"{index}.dcm", enforce_file_format=True)
        return order_series(read_headers(sorted(folder.glob("*.dcm"))))

    return make


def _ct_slice(index: int, pixels: np.ndarray, slope: float) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.826.0.1.{index + 1}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.4", "1.2.5"
    dataset.Modality, dataset.BodyPartExamined = "CT", "CHEST"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 2.0 * index], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [1, 1], slope, 0
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset
