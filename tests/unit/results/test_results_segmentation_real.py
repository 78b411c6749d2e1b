"""Segmentations on the frames of real scans, each with its own way of breaking rules."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from segmented_cases import EFFUSION, LUNG, SEGMENTER, region
from study_readings import FACTS

from pacs_agent.imaging import order_series, read_headers, read_slices
from pacs_agent.imaging.measure import measure
from pacs_agent.inference.segmented import Segmentation
from pacs_agent.results import compose_segmentation, write_bytes
from tests.judges import dciodvfy, errors

pytestmark = [pytest.mark.real_images, pytest.mark.slow]

BONE_HU = 300.0


@pytest.mark.parametrize("archive", ["LIDC-IDRI-0001_CT.tar.xz"])
def test_bone_of_a_real_scan(archive: str, shared_data: Path, tmp_path: Path) -> None:
    """Its images have a frame of reference each: the segmentation has one of its own, and dciodvfy finds no fault."""
    with tarfile.open(shared_data / "ct_dicom" / archive, "r:xz") as packed:
        packed.extractall(tmp_path / "images", filter="data")
    headers = read_headers(sorted((tmp_path / "images").rglob("*.dcm")))
    series = order_series(headers)
    hu = np.stack(
        [one.slope * pixels + one.intercept for one, pixels in zip(series.slices, read_slices(series), strict=True)]
    ).astype(np.float32)
    bone = region(LUNG, 1, "right", hu > BONE_HU, series)
    bone = replace(bone, measured=measure(bone.crop, bone.box, hu[bone.box], series))
    block = np.zeros(hu.shape, np.bool_)
    block[40:44, 100:120, 200:240] = ~bone.mask(block.shape)[40:44, 100:120, 200:240]
    found = Segmentation(SEGMENTER, series, (bone, region(EFFUSION, 1, "", block, series)))

    document = compose_segmentation(found, [header.dataset for header in headers], FACTS)
    assert not series.frame_of_reference_uid
    assert document.FrameOfReferenceUID.startswith("2.25.")
    path = tmp_path / "segmentation.dcm"
    path.write_bytes(write_bytes(document))
    assert errors(dciodvfy.verdicts(path)) == []
    assert bone.measured is not None
    assert bone.measured.mean_hu is not None
    assert bone.measured.mean_hu > BONE_HU
    assert 300 < bone.measured.volume_ml < 2000
