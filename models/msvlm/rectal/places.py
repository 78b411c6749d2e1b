"""Where slices and what they show lie in the patient, so that planes know where they cross. Lengths in mm.

Coordinates are those of PS3.3 C.7.6.2.1.1: to the patient's left, to the back, to the head.
"""

from typing import NamedTuple

import torch
from torch import Tensor

WAVELENGTHS_MM = (16.0, 32.0, 64.0, 128.0, 256.0)
POSITION_FEATURES = 3 * (2 * len(WAVELENGTHS_MM) + 1) + 3
"""Of a slice: sines, cosines and decimetres of its centre along three axes, and its normal."""
ALIKE = 0.7
"""Cosine of the angle up to which two slices count as parallel, so that their distance means something."""
FAR = 1.0e6


class StudyPlaces(NamedTuple):
    """Slices of studies padded to one length.

    `centre_mm` [b, L, 3] about the study's origin; `right`, `down` and `normal` [b, L, 3] unit vectors along its rows,
    down its columns and across the slice; `mask` [b, L].
    """

    centre_mm: Tensor
    right: Tensor
    down: Tensor
    normal: Tensor
    mask: Tensor


def study_places(centre_mm: Tensor, orientation: Tensor, mask: Tensor) -> StudyPlaces:
    """Places from slice centres [b, L, 3] and ImageOrientationPatient [b, L, 6]; the scanner's zero tells nothing."""
    right, down = orientation[..., :3], orientation[..., 3:]
    real = mask.to(torch.float32)[..., None]
    return StudyPlaces((centre_mm - origin_mm(centre_mm, mask)) * real, right, down, _cross(right, down), mask)


def origin_mm(centre_mm: Tensor, mask: Tensor) -> Tensor:
    """The study's origin [b, 1, 3]: the middle of the box about the centres of its slices."""
    away = (1.0 - mask.to(torch.float32))[..., None] * FAR
    return 0.5 * ((centre_mm + away).amin(1, keepdim=True) + (centre_mm - away).amax(1, keepdim=True))


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        dim=-1,
    )


def position_features(places: StudyPlaces) -> Tensor:
    """What a token is told of its place [b, L, POSITION_FEATURES]."""
    waves = torch.tensor(WAVELENGTHS_MM, device=places.centre_mm.device)
    angle = 2.0 * torch.pi * places.centre_mm[..., None] / waves
    own = torch.cat([angle.sin().flatten(2), angle.cos().flatten(2), places.centre_mm / 100.0], dim=-1)
    return torch.cat([own, places.normal], dim=-1)


def gap_mm(places: StudyPlaces) -> tuple[Tensor, Tensor]:
    """How far slice j's centre lies from the plane of slice i [b, L, L], and whether the two are parallel (1 or 0).

    Parallel slices of different series that lie at one place are neighbours; slices that cross are near everywhere.
    """
    between = places.centre_mm[:, None] - places.centre_mm[:, :, None]
    gap = (between * places.normal[:, :, None]).sum(-1).abs()
    alike = (places.normal[:, :, None] * places.normal[:, None]).sum(-1).abs()
    return gap, torch.gt(alike, ALIKE).to(torch.float32)


def patient_points(places: StudyPlaces, place: Tensor, half_field_mm: tuple[float, float]) -> Tensor:
    """Points [b, L, S, 3] in mm about the study's origin of rows and columns [b, L, S, 2] in [-1, 1] of the field."""
    down = place[..., :1] * half_field_mm[0] * places.down[:, :, None]
    right = place[..., 1:] * half_field_mm[1] * places.right[:, :, None]
    return places.centre_mm[:, :, None] + down + right
