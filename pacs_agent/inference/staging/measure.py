"""Distances that the model measures on what its encoder marks, with the points of the patient that they join."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pacs_agent.imaging import Plane
from pacs_agent.inference.heat import Field, Place, patient_mm, placed
from pacs_agent.inference.reading import MeasuredDistance
from pacs_agent.inference.staging.acquired import SequenceId
from pacs_agent.inference.staging.length import farthest, outlined
from pacs_agent.inference.staging.manifest import LengthEntry, MarginEntry, StagingManifest
from pacs_agent.inference.staging.margin import MarginStructures, Point, measured_margin
from pacs_agent.inference.staging.study import ReadStudy
from pacs_agent.inference.tokens import SliceToken

Floats = NDArray[np.float32]


def measured_distances(
    manifest: StagingManifest, study: ReadStudy, tokens: Sequence[SliceToken]
) -> tuple[MeasuredDistance, ...]:
    """The margin on axial T2, and the length on sagittal T2 or else over axial T2; none of what is not marked."""
    marks = _Marks(manifest, study, tokens)
    found = (
        _margin(manifest.margin, marks) if manifest.margin else None,
        _length(manifest.length, marks) if manifest.length else None,
    )
    return tuple(one for one in found if one is not None)


class _Marks:
    """What the patches of a study's slices mark, and where they lie."""

    def __init__(self, manifest: StagingManifest, study: ReadStudy, tokens: Sequence[SliceToken]) -> None:
        self.manifest, self.study, self._tokens = manifest, study, tokens
        self._field = Field(manifest.field_px, manifest.pixel_mm)

    def grids(self, stack: int) -> Floats:
        """Patch logits [n, S, gr, gc] of one stack."""
        return np.stack([self._tokens[at].patch_grid.astype(np.float32) for at in self.study.slices_of(stack)])

    def structure(self, name: str) -> int:
        """Its place among those that are marked."""
        return self.manifest.structures.index(name)

    def point_mm(self, stack: int, index: int, point: Point) -> Place:
        """The place of a point of slice `index` of a stack, given in patches."""
        at = self.study.slices_of(stack)[index]
        one, token = self.study.slices[at], self._tokens[at]
        origin, step = placed(token.patch_grid.shape[1:], token.field_centre_px, one, self._field)
        return patient_mm(one, (origin[0] + point[0] * step[0], origin[1] + point[1] * step[1]))


def _margin(entry: MarginEntry, marks: _Marks) -> MeasuredDistance | None:
    stack = marks.study.finest(Plane.AXIAL, SequenceId.T2)
    if stack is None:
        return None
    structures = MarginStructures(*(marks.structure(name) for name in (entry.tumour, entry.within, entry.fascia)))
    margin = measured_margin(marks.grids(stack), marks.manifest.patch_mm, structures)
    if margin is None:
        return None
    ends = (marks.point_mm(stack, margin.index, margin.ends[0]), marks.point_mm(stack, margin.index, margin.ends[1]))
    return _distance(entry, entry.name, marks, stack, ends)


def _length(entry: LengthEntry, marks: _Marks) -> MeasuredDistance | None:
    stack, within = marks.study.finest(Plane.SAGITTAL, SequenceId.T2), "in a sagittal slice"
    if stack is None:
        stack, within = marks.study.finest(Plane.AXIAL, SequenceId.T2), "over axial slices"
    if stack is None:
        return None
    found = outlined(marks.grids(stack)[:, marks.structure(entry.structure)])
    if found is None:
        return None
    sagittal = within == "in a sagittal slice"
    groups = [found.slices == index for index in np.unique(found.slices)] if sagittal else [found.slices >= 0]
    places = np.array(
        [marks.point_mm(stack, int(index), point) for index, point in zip(found.slices, found.points, strict=True)]
    )
    longest = max(((group, *farthest(places[group])) for group in groups), key=lambda one: one[3])
    group, first, second, _ = longest
    return _distance(
        entry, f"{entry.name} {within}", marks, stack, (_place(places[group][first]), _place(places[group][second]))
    )


def _distance(
    entry: MarginEntry | LengthEntry, name: str, marks: _Marks, stack: int, ends: tuple[Place, Place]
) -> MeasuredDistance:
    series = marks.study.stacks[stack].series
    return MeasuredDistance(
        finding=entry.item,
        name=name,
        type=entry.code,
        value_mm=float(np.linalg.norm(np.subtract(*ends))),
        ends_mm=ends,
        series_instance_uid=series.series_instance_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
    )


def _place(values: NDArray[np.float64]) -> Place:
    return float(values[0]), float(values[1]), float(values[2])
