"""The tiny bundle that reads all series, of CT: its graphs and items, and a trunk scanned in several phases.

What the slice encoder marks is a stored value; the tumour takes up contrast and is marked from the arterial phase on.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_agent.inference.staging.acquired import SEQUENCES, ContrastId
from tests.unit.imaging.imaging_slices import AXIAL, ct_slice
from tests.unit.inference.tiny_staging import CODES, GAP_MM, PIXEL_MM, SIDE_PX, write_staging_bundle

WINDOW_HU = (-150.0, 250.0)
PHASES = {"Abd nativ 5.0": "100000", "Abd art 5.0": "100500", "Abd pv 5.0": "100540"}
"""Descriptions and times of the phases."""
SLICES = 6
MANIFEST: dict[str, Any] = {
    "accepts": {
        "modalities": ["CT"],
        "body_parts": ["ABDOMEN"],
        "planes": ["axial"],
        "min_slices": 3,
        "max_slices": 100,
        "min_thickness_mm": 0.5,
        "max_thickness_mm": 6,
        "min_coverage_mm": 0,
    },
    "window_hu": WINDOW_HU,
    "sequences": SEQUENCES,
    "contrasts": [one.name for one in ContrastId],
    "series": [
        {"name": "CT before contrast", "planes": ["axial"], "sequences": ["CT"], "contrasts": ["BEFORE"]},
        {
            "name": "CT after contrast",
            "planes": ["axial"],
            "sequences": ["CT"],
            "contrasts": ["AFTER"],
            "required": True,
        },
    ],
    "margin": None,
    "length": None,
}
"""What its manifest says otherwise than that of the pelvis."""


def write_ct_bundle(folder: Path, **changes: Any) -> Path:
    """The bundle in a new folder, signed; `changes` are made to its manifest."""
    return write_staging_bundle(folder, **(MANIFEST | {"name": "tiny-ct"} | changes))


def trunk(*phases: str) -> list[Dataset]:
    """Axial scans of these phases, all of them where none is named."""
    return [
        dataset
        for number, (description, time) in enumerate(PHASES.items(), 2)
        if not phases or description in phases
        for dataset in scan(number, description, time)
    ]


def scan(number: int, description: str, time: str, gap_mm: float = GAP_MM, **changes: Any) -> list[Dataset]:
    """One series of the trunk; only what was taken after contrast shows the tumour."""
    native = "nativ" in description
    count = round(SLICES * GAP_MM / gap_mm)
    settings = {
        "BodyPartExamined": "ABDOMEN",
        "PixelSpacing": [PIXEL_MM, PIXEL_MM],
        "SeriesInstanceUID": f"1.2.826.0.1.3680043.8.498.81{number}",
        "SeriesNumber": number,
        "SeriesDescription": description,
        "StudyDate": "20260102",
        "AcquisitionTime": time,
        "ConvolutionKernel": "B30f",
        **({} if native else {"ContrastBolusAgent": "Imeron 400"}),
    }
    return [
        ct_slice(
            (-37.5, -37.5, index * gap_mm),
            AXIAL,
            pixels=_pixels(number, bool(not native and index in (count // 2 - 1, count // 2))),
            InstanceNumber=index + 1,
            **(settings | changes),
        )
        for index in range(count)
    ]


def _pixels(number: int, tumour: bool) -> NDArray[np.int16]:
    pixels = (np.arange(SIDE_PX**2, dtype=np.int16).reshape(SIDE_PX, SIDE_PX) % 97 + number).astype(np.int16)
    if tumour:
        pixels[6:9, 6:9] = CODES["tumour"]
    return pixels
