"""What is said of each finding: scores become a probability, presence, attributes and evidence."""

import math
from collections.abc import Sequence

from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference.attributes import Attributes, attributes_of
from pacs_agent.inference.evidence import strongest
from pacs_agent.inference.heat import Field, heat_of
from pacs_agent.inference.manifest import FindingEntry, Manifest
from pacs_agent.inference.reading import FindingLabel, FindingReading, Presence, SliceEvidence
from pacs_agent.inference.tokens import SliceToken


def probability(entry: FindingEntry, logit: float) -> float:
    """Calibrated probability of a finding: sigmoid(scale × logit + bias)."""
    score = entry.scale * logit + entry.bias
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))


def presence_of(entry: FindingEntry, p: float) -> Presence:
    """What is said at a probability."""
    if p >= entry.operating_point:
        return Presence.PRESENT
    return Presence.UNCERTAIN if p >= entry.uncertain_from else Presence.ABSENT


def finding_reading(
    manifest: Manifest,
    number: int,
    logit: float,
    attribute_logits: Sequence[float],
    slice_weights: Sequence[float],
    evidence: tuple[SliceEvidence, ...],
) -> FindingReading:
    """The reading of finding `number` from its logit, its attribute logits [A] and the weights of the slices [L].

    `evidence` and attributes are kept of what is not absent. No attribute logits: a reading from before they were kept.
    """
    entry = manifest.findings[number]
    p = probability(entry, logit)
    presence = presence_of(entry, p)
    stated = presence is not Presence.ABSENT
    said = Attributes()
    if stated and attribute_logits:
        said = attributes_of(manifest.attributes, attribute_logits, entry.applies, entry.points)
    return FindingReading(
        label=label_of(entry),
        probability=p,
        operating_point=entry.operating_point,
        uncertain_from=entry.uncertain_from,
        presence=presence,
        attributes=said,
        applies=tuple(sorted(entry.applies)),
        grades=entry.grades,
        concern=entry.concern,
        slice_weights=tuple(slice_weights),
        evidence=evidence if stated else (),
    )


def key_slices(
    number: int, weights: Sequence[float], series: OrderedSeries, tokens: Sequence[SliceToken], field: Field
) -> tuple[SliceEvidence, ...]:
    """The slices on which finding `number` rests most, each with the point at which it is strongest there."""
    return tuple(
        _key_slice(number, index, weights[index], series, tokens[index], field) for index in strongest(weights)
    )


def label_of(entry: FindingEntry) -> FindingLabel:
    """The finding by its name and codes."""
    return FindingLabel(key=entry.key, name=entry.name, code=entry.code, site=entry.site)


def _key_slice(
    number: int, index: int, weight: float, series: OrderedSeries, token: SliceToken, field: Field
) -> SliceEvidence:
    one = series.slices[index]
    heat = heat_of(token, number, one, field)
    return SliceEvidence(
        index=index,
        sop_instance_uid=one.sop_instance_uid,
        frame_number=one.frame_number,
        weight=weight,
        peak_px=heat.peak_px,
        peak_mm=heat.peak_mm,
        peak_heat=heat.peak_heat,
    )
