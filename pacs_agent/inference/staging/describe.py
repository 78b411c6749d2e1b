"""What is said of each item: its levels become a finding with presence, grade and evidence.

An item of two levels is present or not. Of one with more the grade says which: with a lowest level that is an absence
(`free`) the grades are those above it, else (T1 to T4) every level is one. Where a distance was measured that means
another level than the one that was read, neither is believed: the item is uncertain, and a person looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.evidence import strongest
from pacs_agent.inference.heat import Field, heat_of
from pacs_agent.inference.reading import FindingLabel, FindingReading, MeasuredDistance, Presence, SliceEvidence
from pacs_agent.inference.staging.levels import levels_of_steps
from pacs_agent.inference.staging.manifest import ItemEntry, MarginEntry, StagingManifest
from pacs_agent.inference.staging.study import ReadStudy
from pacs_agent.inference.tokens import SliceToken


@dataclass(frozen=True)
class SaidItem:
    """What is said of one item: probability of each level [K], and of what it is said with that presence."""

    number: int
    """Place among the items."""
    entry: ItemEntry
    levels: tuple[float, ...]
    presence: Presence
    level: int
    """The level that is said; of what is uncertain the likeliest above its absence."""

    @property
    def probability(self) -> float:
        """Of any level above the absence; of an item that is always there, of the level that is said."""
        return 1.0 - self.levels[0] if self.entry.lowest_is_absence else self.levels[self.level]

    @property
    def grades(self) -> tuple[str, ...]:
        """The words for its grades; none where it is present or not and no more."""
        levels = self.entry.levels
        return levels[1:] * (len(levels) > 2) if self.entry.lowest_is_absence else levels

    @property
    def grade(self) -> int | None:
        """Place among the grades; None where there are none, or it is absent."""
        if not self.grades or self.presence is Presence.ABSENT:
            return None
        return self.level - self.entry.lowest_is_absence


def said_items(
    manifest: StagingManifest, step_logits: Sequence[float], distances: Sequence[MeasuredDistance] = ()
) -> tuple[SaidItem, ...]:
    """The items of which something is said: those of a tumour only where there is one. `step_logits` [C]."""
    steps = iter(step_logits)
    read = [_said(number, entry, [next(steps) for _ in entry.steps]) for number, entry in enumerate(manifest.items)]
    every = [_beside_measured(one, manifest.margin, distances) for one in read]
    there = {one.entry.key for one in every if one.presence is Presence.PRESENT}
    return tuple(one for one in every if one.entry.of is None or one.entry.of in there)


def step_probabilities(entry: ItemEntry, logits: Sequence[float]) -> NDArray[np.float64]:
    """Calibrated probability of each step [K - 1], given the one before."""
    scores = np.array([step.scale * logit + step.bias for step, logit in zip(entry.steps, logits, strict=True)])
    shares: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * scores))
    return shares


def _said(number: int, entry: ItemEntry, logits: Sequence[float]) -> SaidItem:
    levels = tuple(float(share) for share in levels_of_steps(step_probabilities(entry, logits)))
    if not entry.lowest_is_absence:
        return SaidItem(number, entry, levels, Presence.PRESENT, int(np.argmax(levels)))
    presence = _presence(entry, 1.0 - levels[0])
    level = 0 if presence is Presence.ABSENT else 1 + int(np.argmax(levels[1:]))
    return SaidItem(number, entry, levels, presence, level)


def margin_mm(entry: MarginEntry, distances: Sequence[MeasuredDistance]) -> float | None:
    """The margin in mm as it is written, to a tenth; None where nobody measured it."""
    found = (one.value_mm for one in distances if (one.finding, one.type) == (entry.item, entry.code))
    return next((round(value, 1) for value in found), None)


def _beside_measured(said: SaidItem, entry: MarginEntry | None, distances: Sequence[MeasuredDistance]) -> SaidItem:
    """The same, or uncertain where the measured margin is on the other side of its limit."""
    if entry is None or entry.item != said.entry.key:
        return said
    measured = margin_mm(entry, distances)
    if measured is None or (measured <= entry.involved_mm) == (said.level > 0):
        return said
    return replace(said, presence=Presence.UNCERTAIN, level=max(said.level, 1))


def _presence(entry: ItemEntry, probability: float) -> Presence:
    if probability >= entry.operating_point:
        return Presence.PRESENT
    return Presence.UNCERTAIN if probability >= entry.uncertain_from else Presence.ABSENT


def finding_of(
    said: SaidItem, weights: Sequence[float], study: ReadStudy, tokens: Sequence[SliceToken], manifest: StagingManifest
) -> FindingReading:
    """An item as a finding. `weights` [L] in [0, 1] of the slices of all stacks."""
    entry, always = said.entry, not said.entry.lowest_is_absence
    stated = said.presence is not Presence.ABSENT
    return FindingReading(
        label=FindingLabel(key=entry.key, name=entry.name, code=entry.code, site=entry.site),
        probability=said.probability,
        operating_point=1.0 / len(entry.levels) if always else entry.operating_point,
        uncertain_from=None if always else entry.uncertain_from,
        presence=said.presence,
        attributes=Attributes(grade=said.grade),
        applies=("grade",) if said.grades else (),
        grades=said.grades,
        concern=entry.concern,
        slice_weights=tuple(weights),
        evidence=key_slices(entry, weights, study, tokens, manifest) if stated else (),
    )


def key_slices(
    entry: ItemEntry,
    weights: Sequence[float],
    study: ReadStudy,
    tokens: Sequence[SliceToken],
    manifest: StagingManifest,
) -> tuple[SliceEvidence, ...]:
    """The slices on which an item rests most, of any stack, each with where its structure is strongest there."""
    field, structure = Field(manifest.field_px, manifest.pixel_mm), manifest.structures.index(entry.structure)
    slices = study.slices
    found = []
    for index in strongest(weights):
        one, heat = slices[index], heat_of(tokens[index], structure, slices[index], field)
        found.append(
            SliceEvidence(
                index=index,
                sop_instance_uid=one.sop_instance_uid,
                frame_number=one.frame_number,
                weight=weights[index],
                peak_px=heat.peak_px,
                peak_mm=heat.peak_mm,
                peak_heat=heat.peak_heat,
            )
        )
    return tuple(found)
