"""A real mass, as four radiologists outlined it: what is measured of their outlines lies among their own figures."""

import csv
import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from measured_shapes import cropped

from pacs_agent.imaging import order_series, read_headers, read_slices
from pacs_agent.imaging.measure import measure

pytestmark = [pytest.mark.real_images, pytest.mark.slow]

SCAN = "LIDC-IDRI-0001"
PIXEL_MM = 0.703125


@pytest.mark.parametrize("readers", [2, 3])
def test_the_mass_of_lidc_idri_0001(shared_data: Path, tmp_path: Path, readers: int) -> None:
    nibabel = pytest.importorskip("nibabel")
    with tarfile.open(shared_data / "ct_dicom" / f"{SCAN}_CT.tar.xz", "r:xz") as packed:
        packed.extractall(tmp_path, filter="data")
    series = order_series(read_headers(sorted(tmp_path.rglob("*.dcm"))))
    outlined = nibabel.load(shared_data / "lidc" / f"{SCAN}_nodule_readercount_native.nii.gz")
    # on the scan's own grid: columns, rows, slices in ascending z
    mask = np.transpose(np.asarray(outlined.dataobj), (2, 1, 0)) >= readers
    crop, box = cropped(mask)
    slices = zip(series.slices[box[0]], read_slices(series, range(box[0].start, box[0].stop)), strict=True)
    hu = np.stack([one.slope * pixels + one.intercept for one, pixels in slices]).astype(np.float32)
    found = measure(crop, box, hu[:, box[1], box[2]], series)

    with gzip.open(shared_data / "lidc" / "lidc_reader_annotations.csv.gz", "rt") as rows:
        own = [row for row in csv.DictReader(rows) if row["patient_id"] == SCAN]
    volumes_ml = [float(row["volume_mm3"]) / 1000 for row in own]
    diameters_mm = [float(row["max_axial_diam_mm"]) for row in own]
    assert len(own) == 4
    assert min(volumes_ml) <= found.volume_ml <= max(volumes_ml)
    assert min(diameters_mm) - PIXEL_MM <= found.longest_diameter_mm <= max(diameters_mm) + PIXEL_MM
