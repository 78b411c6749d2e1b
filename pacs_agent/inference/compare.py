"""A model in shadow compared with the one in use, finding by finding, over the studies that both have read."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.db import ModelShadow, ShadowReading
from pacs_agent.inference.intervals import wilson
from pacs_agent.inference.reading import Presence, StudyReading

MOST_STUDIES = 2000
"""The newest of a shadow that are compared: more would take long and tell no more."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Said(BaseModel):
    """What two models say of one finding."""

    name: str
    active: float
    shadow: float
    active_presence: Presence
    shadow_presence: Presence


class Pair(BaseModel):
    """What two models say of one study, by the keys of the findings that both know."""

    same_series: bool
    findings: dict[str, Said]


class FindingCompared(_Told):
    """One finding over all studies that both models have read."""

    key: str
    name: str
    studies: int
    mean_active: float
    mean_shadow: float
    mean_difference: float
    """Of the scores, shadow less active."""
    largest_difference: float
    """Size of the largest difference in one study."""
    present_active: int
    present_shadow: int
    """In how many studies it was said to be present."""
    gained: int
    """Studies in which only the shadow says that it is present."""
    lost: int
    """Studies in which only the active model says so."""
    agreement: float
    """Share of studies in which both say the same: present, uncertain or absent."""
    agreement_low: float
    agreement_high: float
    """95 % interval (Wilson)."""


class Comparison(_Told):
    """A shadow against the model in use."""

    shadow_id: int
    model: str
    studies: int
    other_series: int
    """Studies in which the two chose another series; their scores are compared all the same."""
    waiting: int
    """Studies that the shadow has not read yet, or could not read."""
    findings: tuple[FindingCompared, ...]


def pair_of(active: StudyReading, shadow: StudyReading) -> Pair:
    """What two readings of one study say."""
    known = {one.label.key: one for one in active.findings}
    findings = {
        one.label.key: Said(
            name=one.label.name,
            active=round(known[one.label.key].probability, 6),
            shadow=round(one.probability, 6),
            active_presence=known[one.label.key].presence,
            shadow_presence=one.presence,
        )
        for one in shadow.findings
        if one.label.key in known
    }
    same = active.series.series_instance_uid == shadow.series.series_instance_uid
    return Pair(same_series=same, findings=findings)


def compare(session: Session, shadow: ModelShadow) -> Comparison:
    """The comparison over the newest studies of a shadow."""
    row = ShadowReading
    of_shadow = select(row.said).where(row.shadow_pk == shadow.id)
    read = of_shadow.where(row.said.is_not(None)).order_by(row.id.desc()).limit(MOST_STUDIES)
    pairs = [Pair.model_validate(said) for said in session.scalars(read)]
    waiting = select(func.count(row.id)).where(row.shadow_pk == shadow.id, row.said.is_(None))
    keys = dict.fromkeys(key for pair in pairs for key in pair.findings)
    return Comparison(
        shadow_id=shadow.id,
        model=f"{shadow.name} {shadow.version}",
        studies=len(pairs),
        other_series=sum(not pair.same_series for pair in pairs),
        waiting=session.scalar(waiting) or 0,
        findings=tuple(_compared(key, [pair.findings[key] for pair in pairs if key in pair.findings]) for key in keys),
    )


def _compared(key: str, said: Sequence[Said]) -> FindingCompared:
    same = sum(one.active_presence == one.shadow_presence for one in said)
    low, high = wilson(same, len(said))
    differences = [one.shadow - one.active for one in said]
    present = [(_is_present(one.active_presence), _is_present(one.shadow_presence)) for one in said]
    return FindingCompared(
        key=key,
        name=said[0].name,
        studies=len(said),
        mean_active=_mean(one.active for one in said),
        mean_shadow=_mean(one.shadow for one in said),
        mean_difference=_mean(differences),
        largest_difference=max(abs(one) for one in differences),
        present_active=sum(active for active, _ in present),
        present_shadow=sum(shadow for _, shadow in present),
        gained=sum(shadow and not active for active, shadow in present),
        lost=sum(active and not shadow for active, shadow in present),
        agreement=same / len(said),
        agreement_low=low,
        agreement_high=high,
    )


def _is_present(presence: Presence) -> bool:
    return presence is Presence.PRESENT


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
