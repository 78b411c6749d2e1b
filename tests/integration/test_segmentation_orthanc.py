"""Segmentations with a real archive: Orthanc takes them with their images and gives back the same voxels."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from pacs_agent.imaging import HeaderFile, OrderedSeries, order_series
from pacs_agent.imaging.measure import measure
from pacs_agent.inference.reading import BundleIdentity, Code
from pacs_agent.inference.segmented import Segmentation, SegmentedRegion, Structure
from pacs_agent.results import DocumentFacts, compose_segmentation, write_bytes
from tests.peers import Orthanc

pytestmark = [pytest.mark.peers, pytest.mark.slow]

ROWS, COLUMNS, PIXEL_MM = 72, 80, 0.8
RADIUS_MM = 18.0
SPHERE = Structure(
    "nodule",
    "Lung nodule",
    Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure"),
    Code(value="786838002", scheme="SCT", meaning="Lung nodule"),
    (240, 200, 40),
    "lesion",
    "lung_nodule",
)
MODEL = BundleIdentity(
    name="gtgm-thorax-demo",
    version="0.1.0",
    digest="ef" * 32,
    device_uid="2.25.15324671209856543210987654321",
    manufacturer="pacs-agent project",
    intended_use="Demonstration.",
    training_data="Phantoms.",
    demo=True,
)

FACTS = DocumentFacts(composed_at=datetime(2026, 1, 2, 11, 12, 13, tzinfo=UTC), input_digest="cd" * 32)


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("pacs")) as running:
        yield running


def _images(gap_mm: float, angles_deg: tuple[float, float, float], flipped: bool) -> list[Dataset]:
    """A phantom with a sphere of 40 HU in lung of −800 HU, stored with its rows and columns backwards when flipped."""
    turn = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    row, column, normal = (turn[:, 0], turn[:, 1], turn[:, 2])
    row, column = (-row, -column) if flipped else (row, column)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    count = math.ceil(46 / gap_mm)
    first = np.array([15.0, -40.0, 700.0])
    centre = first + row * 31.7 + column * 28.3 + normal * 22.6
    rows, columns = np.mgrid[:ROWS, :COLUMNS] * PIXEL_MM
    return [
        _image((study, series, frame), number, first + number * gap_mm * normal, (row, column), (rows, columns), centre)
        for number in range(count)
    ]


def _image(
    uids: tuple[str, str, str],
    number: int,
    position: NDArray[np.float64],
    directions: tuple[NDArray[np.float64], NDArray[np.float64]],
    offsets_mm: tuple[NDArray[np.float64], NDArray[np.float64]],
    centre: NDArray[np.float64],
) -> Dataset:
    row, column = directions
    places = position + offsets_mm[1][..., None] * row + offsets_mm[0][..., None] * column
    inside = np.linalg.norm(places - centre, axis=-1) <= RADIUS_MM
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = uids
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = "Phantom^Sphere", "S1", "", "O"
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = "20260102", "101112", "1", ""
    image.ReferringPhysicianName, image.Manufacturer, image.Modality = "", "SCANNERS INC", "CT"
    image.InstanceNumber, image.ImageType = number + 1, ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.ImagePositionPatient = [round(float(each), 6) for each in position]
    image.ImageOrientationPatient = [round(float(each), 10) for each in (*row, *column)]
    image.PixelSpacing, image.SliceThickness = [PIXEL_MM, PIXEL_MM], 1
    image.Rows, image.Columns, image.SamplesPerPixel = ROWS, COLUMNS, 1
    image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.RescaleSlope, image.RescaleIntercept = 1, -1024
    image.PixelData = np.where(inside, 1064, 224).astype("<u2").tobytes()
    return image


def _segmented(images: list[Dataset], series: OrderedSeries) -> Segmentation:
    """The sphere by its CT numbers, in the layout that the reader gives."""
    stored = {image.SOPInstanceUID: image for image in images}
    flipped = series.slices[0].orientation != tuple(images[0].ImageOrientationPatient)
    step = -1 if flipped else 1
    planes = [stored[one.sop_instance_uid].pixel_array[::step, ::step] for one in series.slices]
    hu = np.stack(planes).astype(np.float32) - 1024
    whole = tuple(slice(0, size) for size in hu.shape)
    mask = hu > 0
    box = (whole[0], whole[1], whole[2])
    region = SegmentedRegion(SPHERE, 1, "", box, mask, measure(mask, box, hu, series))
    return Segmentation(MODEL, series, (region,))


@pytest.mark.parametrize("gap_mm", [1.0, 2.5, 5.0])
@pytest.mark.parametrize("angles_deg", [(0, 0, 0), (22, -15, 30)], ids=["axial", "oblique"])
@pytest.mark.parametrize("flipped", [False, True], ids=["upright", "flipped"])
def test_a_sphere_comes_back_with_its_volume(
    pacs: Orthanc, gap_mm: float, angles_deg: tuple[float, float, float], flipped: bool
) -> None:
    images = _images(gap_mm, angles_deg, flipped)
    series = order_series([HeaderFile(Path(f"{n}.dcm"), image) for n, image in enumerate(images)])
    found = _segmented(images, series)
    written = write_bytes(compose_segmentation(found, images, FACTS))
    pacs.upload([*map(write_bytes, images), written])

    [instance] = pacs.wait_for(1, timeout_s=30, StudyInstanceUID=images[0].StudyInstanceUID, Modality="SEG")
    assert pacs.file(instance) == written
    kept = segread(BytesIO(pacs.file(instance)))
    truth_ml = 4 / 3 * math.pi * RADIUS_MM**3 / 1000
    measures = kept.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    voxel_mm3 = math.prod(map(float, measures.PixelSpacing)) * float(measures.SpacingBetweenSlices)
    assert kept.pixel_array.sum() * voxel_mm3 / 1000 == pytest.approx(truth_ml, rel=0.03)
    [measured] = [one.measured for one in found.regions]
    assert measured is not None
    assert measured.volume_ml == pytest.approx(truth_ml, rel=0.03)

    for image in images:
        plane = kept.get_pixels_by_source_instance([image.SOPInstanceUID], assert_missing_frames_are_empty=True)
        np.testing.assert_array_equal(plane[0, :, :, 0], image.pixel_array > 1024)
