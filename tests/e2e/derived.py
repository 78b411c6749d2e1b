"""Objects that another program may have made of a phantom: a segmentation of a finding, and a parametric map."""

from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.sr.codedict import codes

MAKER = {
    "manufacturer": "Tests",
    "manufacturer_model_name": "Drawn by hand",
    "software_versions": "1",
    "device_serial_number": "1",
}
SEGMENT = "Effusion drawn by hand"
MAP = "Effusion map"


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
