"""Objects made of a phantom: segmentations and parametric maps of a finding, by another program and by the agent."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Literal

import highdicom as hd
import numpy as np
import pydicom
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.sr.codedict import codes

from pacs_agent.imaging import HeaderFile, order_series
from pacs_agent.imaging.measure import measure
from pacs_agent.imaging.series import Slice
from pacs_agent.inference.heat import Field, Heat, heat_of
from pacs_agent.inference.reading import (
    BundleIdentity,
    Code,
    FindingLabel,
    FindingReading,
    Presence,
    SaliencyMap,
    StudyReading,
)
from pacs_agent.inference.segmented import Segmentation as Segmented
from pacs_agent.inference.segmented import SegmentedRegion, Structure
from pacs_agent.inference.tokens import slice_token
from pacs_agent.results import DocumentFacts, compose_saliency_map, compose_segmentation, write_bytes

SEGMENTER = BundleIdentity(
    name="gtgm-thorax-demo",
    version="0.1.0",
    digest="ef" * 32,
    device_uid="2.25.15324671209856543210987654321",
    manufacturer="Tests",
    intended_use="Tests.",
    training_data="None.",
    demo=True,
)
MAKER = {
    "manufacturer": "Tests",
    "manufacturer_model_name": "Drawn by hand",
    "software_versions": "1",
    "device_serial_number": "1",
}
SEGMENT = "Effusion drawn by hand"
MAP = "Effusion map"
OURS = "AI-generated, of drawn regions"
OUR_MAP = "AI-generated, of drawn activations"
OUR_PATCHES = "AI-generated, of drawn patches"
PATCH_PX = 8
"""Of the images, in which the activations are drawn."""


def segmentation(files: Sequence[Path], masks: Sequence[NDArray[np.bool_]]) -> Segmentation:
    """A binary segmentation, PS3.3 A.51; `masks` are of the files, [rows, columns] each."""
    return Segmentation(
        source_images=[pydicom.dcmread(file) for file in files],
        pixel_array=np.stack(masks),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            SegmentDescription(
                segment_number=1,
                segment_label=SEGMENT,
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.PleuralEffusion,
                algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
                display_color=hd.color.CIELabColor.from_rgb(255, 0, 0),
            )
        ],
        series_instance_uid=hd.UID(),
        series_number=901,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        series_description=SEGMENT,
        **MAKER,
    )


def segmentation_of_ours(files: Sequence[Path], masks: Sequence[NDArray[np.bool_]]) -> pydicom.Dataset:
    """The same regions as the agent itself writes them, described unlike those that it outlines by itself."""
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    series = order_series([HeaderFile(file, header) for file, header in zip(files, headers, strict=True)])
    by_uid = {str(header.SOPInstanceUID): mask for header, mask in zip(headers, masks, strict=True)}
    mask = np.stack([by_uid[one.sop_instance_uid] for one in series.slices])
    code = Code(value="60046008", scheme="SCT", meaning="Pleural effusion")
    structure = Structure(
        key="pleural_effusion",
        name="Pleural effusion",
        category=Code(value="49755003", scheme="SCT", meaning="Morphologically Abnormal Structure"),
        type=code,
        colour=(255, 0, 0),
        kind="lesion",
        finding="pleural_effusion",
    )
    box = (slice(0, mask.shape[0]), slice(0, mask.shape[1]), slice(0, mask.shape[2]))
    measured = measure(mask, box, np.zeros(mask.shape, np.float32), series)
    region = SegmentedRegion(structure, 1, "", box, mask, measured)
    facts = DocumentFacts(datetime(2026, 1, 2, tzinfo=UTC), "ab" * 32)
    document = compose_segmentation(Segmented(SEGMENTER, series, (region,)), headers, facts)
    document.SeriesDescription = OURS
    return write_as_read(document)


def map_of_ours(
    files: Sequence[Path], masks: Sequence[NDArray[np.bool_]], form: Literal["patches", "images"]
) -> pydicom.Dataset:
    """A saliency map as the agent writes it, of an encoder that sees a finding in the patches of the masks."""
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    series = order_series([HeaderFile(file, header) for file, header in zip(files, headers, strict=True)])
    by_uid = {str(header.SOPInstanceUID): mask for header, mask in zip(headers, masks, strict=True)}
    heats = [_heat(one, by_uid[one.sop_instance_uid]) for one in series.slices]
    code = Code(value="60046008", scheme="SCT", meaning="Pleural effusion")
    finding = FindingReading(
        label=FindingLabel(key="pleural_effusion", name="Pleural effusion", code=code, site=code),
        probability=0.9,
        operating_point=0.5,
        presence=Presence.PRESENT,
        slice_weights=(1.0,) * len(heats),
        evidence=(),
    )
    reading = StudyReading(bundle=SEGMENTER, series=series, findings=(finding,), sentences=(), impression=())
    facts = DocumentFacts(datetime(2026, 1, 2, tzinfo=UTC), "ab" * 32)
    drawn = SaliencyMap(finding="pleural_effusion", form=form, digest="ab" * 32)
    document = compose_saliency_map(drawn, heats, reading, headers, facts)
    document.SeriesDescription = OUR_MAP if form == "images" else OUR_PATCHES
    return write_as_read(document)


def _heat(one: Slice, mask: NDArray[np.bool_]) -> Heat:
    """1 in patches that lie in the mask, 0 in those outside of it."""
    grid = one.rows // PATCH_PX, one.columns // PATCH_PX
    shares = mask.reshape(grid[0], PATCH_PX, grid[1], PATCH_PX).mean(axis=(1, 3))
    centre = np.array([(one.rows - 1) / 2, (one.columns - 1) / 2], np.float32)
    token = slice_token(np.zeros(1, np.float32), (20 * shares - 10).astype(np.float32)[None], centre)
    return heat_of(token, 0, one, Field((one.rows, one.columns), one.spacing_mm[0]))


def write_as_read(document: pydicom.Dataset) -> pydicom.Dataset:
    """What a file of the document is read as."""
    return pydicom.dcmread(BytesIO(write_bytes(document)))


def parametric_map(files: Sequence[Path], masks: Sequence[NDArray[np.bool_]]) -> ParametricMap:
    """A parametric map, PS3.3 A.75, 1 in the masks and 0 elsewhere, with its frames from the feet to the head.

    OHIF shows only maps of floats with a frame for every image. highdicom sorts frames from the head to the feet, which
    OHIF would show upside down.
    """
    made = ParametricMap(
        source_images=[pydicom.dcmread(file) for file in files],
        pixel_array=np.stack(masks).astype(np.float32),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label="1",
                lut_explanation="Share of fluid",
                unit=codes.UCUM.NoUnits,
                value_range=(0.0, 1.0),
                slope=1.0,
                intercept=0.0,
            )
        ],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        series_instance_uid=hd.UID(),
        series_number=902,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        series_description=MAP,
        **MAKER,
    )
    _turn_round(made)
    return made


def _turn_round(multiframe: pydicom.Dataset) -> None:
    """Puts the last frame first."""
    keyword = next(name for name in ("FloatPixelData", "PixelData") if name in multiframe)
    frames = np.frombuffer(multiframe[keyword].value, np.uint8).reshape(multiframe.NumberOfFrames, -1)
    multiframe[keyword].value = frames[::-1].tobytes()
    multiframe.PerFrameFunctionalGroupsSequence = multiframe.PerFrameFunctionalGroupsSequence[::-1]
