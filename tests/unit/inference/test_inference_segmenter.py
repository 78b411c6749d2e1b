"""A phantom whose two lungs and nodule are known, through the tiny segmenter."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from tiny_bundle import keys_of, settings_of
from tiny_segmenter import write_segmenter

from pacs_agent.imaging import OrderedSeries, order_series, read_headers
from pacs_agent.inference import SegmenterBundle, load_any, segmented_store
from pacs_agent.inference.segmented_store import SegmentedStore
from pacs_agent.inference.segmenter import Segmented, Segmenter

ROWS, COLUMNS, SPACING_MM = 96, 120, 1.0
RADII_MM = {"right": (24.0, 30.0, 18.0), "left": (24.0, 27.0, 15.0)}
CENTRES_MM = {"right": (30.0, 47.0, 30.0), "left": (30.0, 47.0, 88.0)}
NODULE_HU = 1850
"""As far above the threshold of a nodule as the lung is below it."""
NODULE_MM, NODULE_CENTRE_MM = 6.0, (30.0, 47.0, 88.0)
"""In the left lung: a patient's left is at the right of an axial slice."""


def phantom(folder: Path, gap_mm: float = 2.0, direction: tuple[int, ...] = (1, 0, 0, 0, 1, 0)) -> OrderedSeries:
    """Axial slices; with `direction` (−1, 0, 0, 0, −1, 0) the files hold them turned by half a circle."""
    folder.mkdir()
    y, x = np.mgrid[:ROWS, :COLUMNS] * SPACING_MM
    flip = direction[0] < 0
    for index, z in enumerate(np.arange(0, 60 + gap_mm / 2, gap_mm)):
        hu = np.full((ROWS, COLUMNS), 40, np.int16)
        for side, (rz, ry, rx) in RADII_MM.items():
            cz, cy, cx = CENTRES_MM[side]
            hu[((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1] = -850
        cz, cy, cx = NODULE_CENTRE_MM
        hu[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= NODULE_MM**2] = NODULE_HU
        pixels = hu[::-1, ::-1] if flip else hu
        at = [(COLUMNS - 1) * SPACING_MM, (ROWS - 1) * SPACING_MM, z] if flip else [0, 0, z]
        _saved(folder / f"{index}.dcm", index, np.ascontiguousarray(pixels), at, direction)
    return order_series(read_headers(sorted(folder.glob("*.dcm"))))


def _saved(path: Path, index: int, pixels: np.ndarray, at: list[float], direction: tuple[int, ...]) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.826.0.7.{index + 1}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.4", "1.2.5"
    dataset.Modality, dataset.BodyPartExamined = "CT", "CHEST"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [float(one) for one in at], list(direction)
    dataset.PixelSpacing, dataset.RescaleSlope, dataset.RescaleIntercept = [SPACING_MM] * 2, 1, -24
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.PixelData = (pixels + 24).astype(np.int16).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)


def lung_ml(side: str) -> float:
    whole = 4 / 3 * np.pi * np.prod(RADII_MM[side]) / 1000
    return whole - (4 / 3 * np.pi * NODULE_MM**3 / 1000 if side == "left" else 0)


@pytest.fixture
def segmenter(tmp_path: Path) -> Segmenter:
    folder = write_segmenter(tmp_path / "bundles" / "tiny-segmenter-1.0")
    bundle = load_any(folder, keys_of(folder))
    assert isinstance(bundle, SegmenterBundle)
    return Segmenter(bundle, settings_of(folder), tmp_path / "segmented")


@pytest.mark.parametrize("gap_mm", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0)])
def test_lungs_and_nodule_of_a_phantom(segmenter: Segmenter, tmp_path: Path, gap_mm: float, direction: tuple) -> None:
    series = phantom(tmp_path / "series", gap_mm, direction)
    told: list[int] = []
    done = segmenter.segment(series, lambda at, of: told.append(at))
    found = segmenter.segmentation(series, done)
    assert found.model.name == "tiny-segmenter"
    assert [(one.structure.key, one.side) for one in found.regions] == [
        ("lung", "right"),
        ("lung", "left"),
        ("lung_nodule", "left"),
    ]
    for one in found.regions[:2]:
        assert one.measured.volume_ml == pytest.approx(lung_ml(one.side), rel=0.03)
    nodule = found.regions[2]
    assert nodule.measured.volume_ml == pytest.approx(4 / 3 * np.pi * NODULE_MM**3 / 1000, rel=0.15 if gap_mm < 3 else 0.25)
    assert nodule.measured.longest_diameter_mm == pytest.approx(2 * NODULE_MM, abs=2)
    assert nodule.measured.mean_hu == pytest.approx(NODULE_HU, abs=250)
    where_mm = np.mean(nodule.measured.diameter_ends_mm, axis=0)
    assert where_mm == pytest.approx([88, 47, 30], abs=2.5)
    assert told == sorted(told)
    assert told[0] < 20
    assert told[-1] == 80


def test_what_is_gone_is_segmented_again(segmenter: Segmenter, tmp_path: Path) -> None:
    series = phantom(tmp_path / "series", 4.0)
    done = segmenter.segment(series)
    kept = segmenter.segmentation(series, done)
    (file,) = (tmp_path / "segmented").iterdir()
    for broken in (file.read_bytes()[:-200], b"", b"PK"):
        file.write_bytes(broken)
        again = segmenter.segmentation(series, done)
        assert [one.crop.tobytes() for one in again.regions] == [one.crop.tobytes() for one in kept.regions]
        assert [one.measured for one in again.regions] == [one.measured for one in kept.regions]
    assert segmenter.segment(series) == done
    assert Segmented.model_validate_json(done.model_dump_json()) == done


def test_it_can_be_stopped(segmenter: Segmenter, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > 25:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        segmenter.segment(phantom(tmp_path / "series", 4.0), stop)
    assert list((tmp_path / "segmented").iterdir()) == []


def test_the_store_is_bounded(segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = phantom(tmp_path / "series", 4.0)
    done = segmenter.segment(series)
    regions = segmenter.segmentation(series, done).regions
    store = SegmentedStore(tmp_path / "segmented")
    (path,) = store.folder.iterdir()
    long_ago_s = time.time() - segmented_store.KEPT_S - 60
    os.utime(path, (long_ago_s, long_ago_s))
    fewer = store.keep(regions[:1])
    assert [one.name for one in store.folder.iterdir()] == [f"{fewer}.npz"]
    monkeypatch.setattr(segmented_store, "MOST_BYTES", path.stat().st_size if path.exists() else 600)
    last = store.keep(regions[1:2])
    assert last not in (fewer, done.regions)
    assert len(list(store.folder.iterdir())) <= 1
