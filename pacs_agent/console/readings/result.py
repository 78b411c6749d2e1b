"""A stored reading becomes the `result` of the JSON API."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pacs_agent.console.readings.distances import distances_shown
from pacs_agent.console.readings.models import (
    Coded,
    Evidence,
    Finding,
    Measurements,
    Model,
    Result,
    SentenceSaid,
    SeriesRead,
    SincePrior,
    SliceOfSeries,
)
from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference import Code, FindingReading, Sentence, SliceEvidence, StudyReading
from pacs_agent.review import DocumentNow

EVERY_ATTRIBUTE = ("count", "grade", "lobe", "side")
"""Offered for readings that do not tell what applies."""
WEIGHT_DIGITS = 4
"""Decimals of a slice weight on the wire: a bar of the panel has fewer pixels than that."""


def result_of(
    reading: StudyReading,
    *,
    job_id: str,
    run: int,
    created_at: datetime,
    instance_numbers: Mapping[str, int | None],
    sequences: Sequence[str],
    objects: Iterable[DocumentNow],
    measurements: Measurements | None,
    since_prior: SincePrior | None = None,
    recalled: str | None = None,
) -> Result:
    """The result that a reading is on the wire. `instance_numbers` by SOP Instance UID, for people to recognise.

    `sequences`: what each series shows; `recalled`: the reason why the version that made it was recalled.
    """
    series = tuple(
        _series(one, sequence, instance_numbers) for one, sequence in zip(reading.all_series, sequences, strict=True)
    )
    return Result(
        job_id=job_id,
        run=run,
        created_at=created_at,
        model=Model(**reading.bundle.model_dump()),
        series=series[0],
        further_series=series[1:],
        findings=tuple(_finding(one, reading) for one in reading.findings),
        sentences=_sentences(reading.sentences),
        impression=_sentences(reading.impression),
        evidence_method=reading.evidence_method,
        measurements=measurements,
        distances=distances_shown(reading),
        has_heat=reading.tokens is not None,
        since_prior=since_prior,
        objects=tuple(objects),
        recalled=recalled,
    )


def _series(series: OrderedSeries, sequence: str, instance_numbers: Mapping[str, int | None]) -> SeriesRead:
    slices = tuple(
        SliceOfSeries(
            sop_instance_uid=one.sop_instance_uid,
            frame_number=one.frame_number,
            z_mm=one.z_mm,
            instance_number=instance_numbers.get(one.sop_instance_uid),
            rows=one.rows,
            columns=one.columns,
        )
        for one in series.slices
    )
    return SeriesRead(
        series_instance_uid=series.series_instance_uid,
        frame_of_reference_uid=series.frame_of_reference_uid or None,
        modality=series.modality,
        description=series.description,
        plane=series.plane,
        sequence=sequence,
        slices=slices,
    )


def _finding(reading: FindingReading, study: StudyReading) -> Finding:
    said = reading.attributes
    return Finding(
        key=reading.label.key,
        name=reading.label.name,
        code=_coded(reading.label.code),
        site=_coded(reading.label.site),
        concern=reading.concern,
        probability=reading.probability,
        operating_point=reading.operating_point,
        uncertain_from=reading.uncertain_from,
        presence=reading.presence,
        sides=said.all_sides,
        lobes=said.lobes,
        grade=said.grade,
        grade_word=reading.grade,
        grades=reading.grades,
        count=said.count,
        applies=EVERY_ATTRIBUTE if reading.applies is None else reading.applies,
        slice_weights=tuple(round(weight, WEIGHT_DIGITS) for weight in reading.slice_weights),
        evidence=tuple(_evidence(one, study) for one in reading.evidence),
    )


def _evidence(one: SliceEvidence, study: StudyReading) -> Evidence:
    return Evidence(series_instance_uid=_series_of_slice(study, one.index), **one.model_dump())


def _series_of_slice(study: StudyReading, index: int) -> str:
    """Series Instance UID of a slice by its place among those of all series."""
    for series in study.all_series:
        if index < len(series.slices):
            return series.series_instance_uid
        index -= len(series.slices)
    raise IndexError(index)


def _coded(code: Code) -> Coded:
    return Coded(value=code.value, scheme=code.scheme, meaning=code.meaning)


def _sentences(sentences: Sequence[Sentence]) -> tuple[SentenceSaid, ...]:
    return tuple(SentenceSaid(**one.model_dump()) for one in sentences)
