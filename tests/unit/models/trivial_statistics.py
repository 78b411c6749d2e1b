"""Statistics of a CT that have nothing to do with a finding, to see whether a generator gives its labels away."""

import itertools

import numpy as np
from scipy import ndimage

from models.datasets.study import LabelledStudy
from models.phantoms.findings import Finding

LUNG_HU = (-1000, -950, -920, -890, -860, -830, -800, -750, -700, -600)
SOFT_HU = (-150, -110, -80, -40, 0, 30, 60, 90, 130)
BRIGHT_HU = (130, 180, 250, 350, 600, 3072)
RANGES_HU = (LUNG_HU, SOFT_HU, BRIGHT_HU)
NAMES = (
    *("slices", "slice distance", "z extent", "pixel", "field", "first z"),
    *("air mean", "air spread", "below the body", "noise of air", "noise of tissue", "even tissue"),
    *("body area", "body width", "body depth", "body shift x", "body shift y", "body area low", "body area high"),
    *("lung air in lowest slice", "lung air in highest slice"),
    *(f"{low} to {high} HU" for edges in RANGES_HU for low, high in itertools.pairwise(edges)),
)
SCAN_AND_BODY = slice(0, 21)
"""Places in NAMES of what the scanner and the body tell; the rest are shares of CT numbers."""


class StudyStatistics:
    """All statistics of one study; those of its HU leave out a finding's own voxels and their neighbours."""

    def __init__(self, study: LabelledStudy) -> None:
        self.study = study
        self.body = np.stack([ndimage.binary_fill_holes(level) for level in _tissue(study.hu)])
        self.outside = ~ndimage.binary_dilation(self.body, np.ones((1, 7, 7)))
        detail = study.hu.astype(np.float32) - ndimage.uniform_filter(study.hu.astype(np.float32), (0, 3, 3))
        self.spread = np.sqrt(np.maximum(ndimage.uniform_filter(detail**2, (0, 5, 5)), 0.0))

    def without(self, finding: Finding) -> list[float]:
        """Values in the order of NAMES."""
        hu, body = self.study.hu, self.body
        free = np.ones(hu.shape, bool)
        if finding in self.study.masks:
            own = ndimage.binary_dilation(self.study.masks[finding], np.ones((1, 5, 5)))
            free &= ~ndimage.binary_dilation(own, np.ones((3, 1, 1)))
        return [*self._geometry(), *self._air(free), *self._outline(), *self._histogram(body & free)]

    def _geometry(self) -> list[float]:
        z, (rows_mm, columns_mm) = self.study.z_mm, self.study.spacing_mm
        distance = float(np.median(np.diff(z)))
        return [len(z), distance, float(z[-1] - z[0]), rows_mm, columns_mm * self.study.hu.shape[2], float(z[0])]

    def _air(self, free: np.ndarray) -> list[float]:
        hu, body = self.study.hu, self.body
        outside = self.outside & free
        rows = np.nonzero(body.any(axis=(0, 2)))[0]
        above, below = outside.copy(), outside.copy()
        above[:, rows[-1] :], below[:, : rows[-1]] = False, False
        tissue = body & free & (hu > -10) & (hu < 90)
        noise = self.spread[tissue] if tissue.any() else np.zeros(1)
        return [
            _mean(hu[above]),
            float(hu[above].std()) if above.any() else 0.0,
            _mean(hu[below]),
            _mean(self.spread[above]),
            float(np.quantile(noise, 0.2)),
            float(np.median(hu[tissue])) if tissue.any() else 0.0,
        ]

    def _outline(self) -> list[float]:
        pixel = self.study.spacing_mm[0]
        middle = self.body[len(self.body) // 2]
        rows, columns = np.nonzero(middle)
        if not len(rows):
            return [0.0] * 9
        shift = [columns.mean() - middle.shape[1] / 2.0, rows.mean() - middle.shape[0] / 2.0]
        ends = [self.study.hu[k][self.body[k]] for k in (0, -1)]
        return [
            float(middle.sum()) * pixel**2,
            float(np.ptp(columns)) * pixel,
            float(np.ptp(rows)) * pixel,
            *(float(s) * pixel for s in shift),
            *(float(self.body[k].sum()) * pixel**2 for k in (0, -1)),
            *(_mean(((end > -950) & (end < -600)).astype(float)) for end in ends),
        ]

    def _histogram(self, where: np.ndarray) -> list[float]:
        """Shares of CT numbers within lung, soft tissue and what is brighter, each by itself.

        Taking a finding's voxels away must not tell by itself that it was there: less lung left is no statistic.
        """
        hu = self.study.hu[where]
        shares: list[float] = []
        for edges in RANGES_HU:
            counts, _ = np.histogram(hu, edges)
            shares += list((counts + 1.0) / (counts.sum() + len(counts)))
        return shares


def _tissue(hu: np.ndarray) -> np.ndarray:
    label, count = ndimage.label(ndimage.binary_opening(hu > -300, np.ones((1, 3, 3))))
    sizes = np.bincount(label.ravel())
    return label == 1 + sizes[1:].argmax() if count else np.zeros(hu.shape, bool)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0
