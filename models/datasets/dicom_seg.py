"""A DICOM series with a Segmentation (PS3.3 A.51) of it, as a labelled volume.

The series is read as the agent reads it; the segments are found by the SOP instances that they name, and laid out as
the slices are.
"""

from collections.abc import Sequence
from pathlib import Path

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import SegmentationStorage

from models.datasets.dicom_folder import CHEST_CT, volume_of
from models.datasets.nifti_pairs import VolumeFault
from models.gtgm.mr_study import directions_of, in_patient_axes, intensities_of, sequence_of, spacing_of
from models.gtgm.volume import LabelledVolume, Modality, UnusableVolume
from pacs_agent.imaging import AcceptedInput, HeaderFile, OrderedSeries, UnusableImages, choose_series, read_headers
from pacs_agent.imaging.geometry import turn_between


def read_dicom_seg(
    images: Sequence[Path], segmentation: Path, accepted: AcceptedInput = CHEST_CT, collection: str = "DICOM SEG"
) -> LabelledVolume:
    """The series that `accepted` chooses among the images, CT or MR, with the segments of a SEG object as labels.

    Where segments overlap the one with the higher number wins. Raises VolumeFault.
    """
    headers = _headers(images)
    choice = choose_series(headers, accepted)
    if choice.chosen is None:
        raise VolumeFault(f"{images[0].parent}: {choice.reason}")
    series = choice.chosen
    names, labels = _labels(segmentation, series, headers)
    modality = Modality(series.modality)
    try:
        values = intensities_of(series) if modality is Modality.MR else volume_of(series)[0].astype(np.float32)
        turned, spacing_mm = in_patient_axes(values, spacing_of(series), directions_of(series))
    except (UnusableImages, UnusableVolume) as error:
        raise VolumeFault(f"{images[0].parent}: {error}") from error
    return LabelledVolume(
        values=turned,
        spacing_mm=spacing_mm,
        modality=modality,
        sequence=_sequence(series, headers) if modality is Modality.MR else "",
        patient=str(headers[0].dataset.get("PatientID", "")),
        study=series.study_instance_uid,
        source=collection,
        labels=in_patient_axes(labels, spacing_of(series), directions_of(series))[0],
        names=names,
    )


def _sequence(series: OrderedSeries, headers: Sequence[HeaderFile]) -> str:
    first = series.slices[0].sop_instance_uid
    return next(sequence_of(one.dataset) for one in headers if str(one.dataset.SOPInstanceUID) == first)


def _headers(images: Sequence[Path]) -> list[HeaderFile]:
    if not images:
        raise VolumeFault("no image files are given: name the files of the series")
    try:
        return list(read_headers(images))
    except UnusableImages as error:
        raise VolumeFault(f"{images[0].parent}: {error}") from error


def _labels(
    path: Path, series: OrderedSeries, headers: Sequence[HeaderFile]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Names with the background first, and labels [slices, rows, columns] laid out as the slices are."""
    seg = _read(path)
    numbers = [int(number) for number in seg.segment_numbers]
    if len(numbers) > 255:
        raise VolumeFault(f"{path} has {len(numbers)} segments; at most 255 fit into a label image")
    uids = [one.sop_instance_uid for one in series.slices]
    if len(set(uids)) < len(uids):
        raise VolumeFault(f"{path}: the series is an enhanced multi-frame one; give single-frame images")
    if set(uids).isdisjoint(str(sop) for _, _, sop in seg.get_source_image_uids()):
        raise VolumeFault(f"{path} is of another series than the images, or names no images: give those it names")
    try:
        # [slices, rows, columns, segments]
        masks = seg.get_pixels_by_source_instance(
            uids, segment_numbers=numbers, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
        )
    except (KeyError, RuntimeError, ValueError) as error:
        raise VolumeFault(f"{path} cannot be laid on the images it names: {error}") from error
    stored = {str(header.dataset.SOPInstanceUID): header.dataset for header in headers}
    labels = np.zeros((len(uids), series.slices[0].rows, series.slices[0].columns), np.uint8)
    for index, one in enumerate(series.slices):
        turn = turn_between(_orientation(stored[one.sop_instance_uid]), one.orientation)
        for label in range(len(numbers)):
            labels[index][turn.pixels(masks[index, ..., label] > 0)] = label + 1
    named = tuple(str(seg.get_segment_description(number).segment_label) for number in numbers)
    return ("background", *named), labels


def _read(path: Path) -> highdicom.seg.Segmentation:
    try:
        dataset = dcmread(path)
    except FileNotFoundError as error:
        raise VolumeFault(f"{path} is not there: name the file of the Segmentation object") from error
    except InvalidDicomError as error:
        raise VolumeFault(f"{path} is no DICOM file: {error}") from error
    if dataset.get("SOPClassUID") != SegmentationStorage:
        raise VolumeFault(f"{path} is no Segmentation object but {dataset.get('SOPClassUID', 'nothing known')}")
    try:
        return highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VolumeFault(f"{path} is no complete Segmentation object: {error}") from error


def _orientation(dataset: Dataset) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(value) for value in dataset.ImageOrientationPatient)
    return a, b, c, d, e, f
