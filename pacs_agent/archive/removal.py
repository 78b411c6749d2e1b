"""Taking a study out of the archive: its rows in one transaction, then its files.

The transaction leaves a list of the files that are to go. Whoever dies before they are gone leaves them to the sweep; a
row without its file never comes to be.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Table, delete, exists, func, select, update
from sqlalchemy.orm import Session

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.arrived import has_arrived
from pacs_agent.archive.errors import ArchiveError, NotArchived
from pacs_agent.archive.index import is_quarantined
from pacs_agent.db import (
    Base,
    Delivery,
    Instance,
    Job,
    JobState,
    JobStep,
    Origin,
    Patient,
    QuarantinedInstance,
    RemovedFile,
    ResultObject,
    ReviewerHere,
    Series,
    StepState,
    Study,
    StudyState,
)
from pacs_agent.ops import Outcome, audit, get_log

UNFINISHED = (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING)
IMAGES_REMOVED = "its images were removed from the archive; send them again to look at them or to read them"
FILES = "archive"
TOKENS = "tokens"
"""Folder beside the archive's: `<encoder digest>/<first two of key>/<key>.npz`, as the reading's job says."""
KEY_LISTS = "keys"
"""Folder among the tokens: `keys/<first two of digest>/<digest>.json` names the keys of the tokens of an instance."""
SEGMENTED = "segmented"
"""Folder of regions between the steps of jobs: `<SHA-256 of the Series Instance UID>-<digest>.npz`."""
SWEPT_AT_ONCE = 500
_BESIDE = (f"{TOKENS}/", f"{SEGMENTED}/")
"""Where files lie that are made of instances and can be made again."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

log = get_log("archive")


class StudyInUse(ArchiveError):
    """A study that may not be removed now: why, and what to do first."""


@dataclass(frozen=True)
class Removed:
    """What was taken out of the archive. `freed_bytes` counts the instances, without tokens and rows."""

    study_instance_uid: str
    instances: int
    results: int
    freed_bytes: int


def remove_study(
    archive: Archive,
    study_instance_uid: str,
    *,
    actor: str,
    reason: str = "",
    keep_results: bool = False,
    even_undelivered: bool = False,
    received_before: datetime | None = None,
) -> Removed:
    """Takes a study out of the archive, with one audit line: images, results, jobs, reviews, slice tokens, regions.

    With `keep_results` only what was received goes, and what the agent and people said of it stays. A study with
    results that a destination does not have goes only with `even_undelivered`; `received_before` spares one that has
    grown since. Files that arrived less than an hour ago go with a later sweep (`sweep_removed`).
    Raises NotArchived for an unknown study, StudyInUse for one with work under way.
    """
    with archive.database.writing() as session:
        study = _locked(session, study_instance_uid)
        if received_before is not None and study.last_received_at >= received_before:
            raise StudyInUse("it has grown meanwhile")
        refuse_in_use(session, study, even_undelivered=even_undelivered)
        instances = _instances(session, study, only_received=keep_results)
        tokens = (*_token_files(session, study), *_token_files_ahead(archive, instances))
        regions = _region_files(archive, session, study)
        paths = list(dict.fromkeys((*_instance_files(session, study, instances), *tokens, *regions)))
        _list_removed(session, paths)
        removed = _removed(study, instances)
        _remove_images(session, study, instances) if keep_results else _remove_all(session, study)
        audit(
            session,
            actor=actor,
            action="study.images_removed" if keep_results else "study.removed",
            outcome=Outcome.SUCCESS,
            subject=study_instance_uid,
            reason=reason,
            instances=removed.instances,
            results=removed.results,
            freed_bytes=removed.freed_bytes,
        )
    _take_away(archive, paths)
    return removed


def sweep_removed(archive: Archive, at_once: int = SWEPT_AT_ONCE) -> int:
    """Removes files that were too young when their rows went, or whose remover died; returns how many are gone."""
    with archive.database.reading() as session:
        query = select(RemovedFile.path).order_by(RemovedFile.removed_at, RemovedFile.path).limit(at_once)
        paths = list(session.scalars(query))
    return _take_away(archive, paths)


def refuse_in_use(session: Session, study: Study, *, even_undelivered: bool) -> None:
    """Raises StudyInUse while a job of the study is not over, or a destination lacks a result of it."""
    jobs = session.scalars(select(Job).where(Job.study_pk == study.id).with_for_update()).all()
    if unfinished := [job.id for job in jobs if job.state in UNFINISHED]:
        raise StudyInUse(f"{len(unfinished)} of its jobs are not over ({unfinished[0]}); wait, or cancel them first")
    canceled = [job.id for job in jobs if job.state == JobState.CANCELED]
    if _has_running_step(session, canceled):
        raise StudyInUse("a canceled job of it is just being ended; try again in a moment")
    if not even_undelivered and _has_undelivered(session, study):
        raise StudyInUse(
            "a destination does not have all of its results; deliver them first, or remove it all the same"
        )


def _locked(session: Session, study_instance_uid: str) -> Study:
    query = select(Study).where(Study.study_instance_uid == study_instance_uid)
    study = session.scalars(query.with_for_update()).one_or_none()
    if study is None:
        raise NotArchived(f"no study {study_instance_uid} in the archive")
    return study


def _has_running_step(session: Session, job_ids: Sequence[str]) -> bool:
    running = exists().where(JobStep.job_id.in_(job_ids), JobStep.state == StepState.RUNNING)
    return bool(job_ids) and bool(session.scalar(select(running)))


def _has_undelivered(session: Session, study: Study) -> bool:
    query = select(Delivery.id).join(Delivery.result_object).join(ResultObject.job)
    query = query.where(Job.study_pk == study.id, ~has_arrived(session)).limit(1)
    return session.scalar(query) is not None


def _instances(session: Session, study: Study, *, only_received: bool) -> Sequence[Instance]:
    query = select(Instance).join(Instance.series).where(Series.study_pk == study.id)
    return session.scalars(query.where(Instance.origin == Origin.RECEIVED) if only_received else query).all()


def _instance_files(session: Session, study: Study, instances: Iterable[Instance]) -> list[str]:
    """The files of the instances, and of those that were kept apart."""
    apart = QuarantinedInstance.study_instance_uid == study.study_instance_uid
    quarantined = session.scalars(select(QuarantinedInstance.digest).where(apart)).all()
    digests = (*(one.digest for one in instances), *quarantined)
    return [f"{FILES}/{digest[:2]}/{digest}.dcm" for digest in digests]


def _token_files(session: Session, study: Study) -> list[str]:
    """Files of the slice tokens that the study's readings name. A reading of an older version names none."""
    readings = session.scalars(select(Job.reading).where(Job.study_pk == study.id)).all()
    named = [reading["tokens"] for reading in readings if reading and reading.get("tokens")]
    paths = (f"{TOKENS}/{one['encoder_digest']}/{key[:2]}/{key}.npz" for one in named for key in one["keys"])
    return list(dict.fromkeys(paths))


def _token_files_ahead(archive: Archive, instances: Iterable[Instance]) -> Iterator[str]:
    """Files of what was encoded of the instances whether a job read it or not, and the lists that name these."""
    data_dir = archive.files.root.parent
    encoders = [folder.name for folder in (data_dir / TOKENS).glob("*") if folder.name != KEY_LISTS]
    for one in instances:
        listed = f"{TOKENS}/{KEY_LISTS}/{one.digest[:2]}/{one.digest}.json"
        if (keys := _listed_keys(data_dir / listed)) is not None:
            yield listed
            yield from (f"{TOKENS}/{encoder}/{key[:2]}/{key}.npz" for encoder in encoders for key in keys)


def _region_files(archive: Archive, session: Session, study: Study) -> Iterator[str]:
    """Files of the regions that are kept of the study's series, also those of jobs that broke off."""
    folder = archive.files.root.parent / SEGMENTED
    for uid in session.scalars(select(Series.series_instance_uid).where(Series.study_pk == study.id)):
        series = hashlib.sha256(uid.encode()).hexdigest()
        yield from (f"{SEGMENTED}/{path.name}" for path in folder.glob(f"{series}-*.npz"))


def _listed_keys(path: Path) -> set[str] | None:
    """The token keys of one instance; None when nothing was ever encoded of it, none when the list is damaged."""
    try:
        keys = json.loads(path.read_bytes()).values()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, AttributeError):
        return set()
    return {key for key in keys if isinstance(key, str) and _DIGEST.fullmatch(key)}


def _list_removed(session: Session, paths: Sequence[str]) -> None:
    """Notes what is to go. A study may have more files than a statement takes values."""
    for start in range(0, len(paths), SWEPT_AT_ONCE):
        some = paths[start : start + SWEPT_AT_ONCE]
        listed = set(session.scalars(select(RemovedFile.path).where(RemovedFile.path.in_(some))))
        session.add_all(RemovedFile(path=path) for path in some if path not in listed)


def _removed(study: Study, instances: Sequence[Instance]) -> Removed:
    return Removed(
        study_instance_uid=study.study_instance_uid,
        instances=len(instances),
        results=sum(one.origin == Origin.RESULT for one in instances),
        freed_bytes=sum(one.size_bytes for one in instances),
    )


def _remove_images(session: Session, study: Study, instances: Sequence[Instance]) -> None:
    """Takes away what was received; the study stays, with what was said of it."""
    of_study = select(Series.id).where(Series.study_pk == study.id)
    session.execute(delete(Instance).where(Instance.series_pk.in_(of_study), Instance.origin == Origin.RECEIVED))
    is_empty = ~exists().where(Instance.series_pk == Series.id)
    session.execute(delete(Series).where(Series.study_pk == study.id, is_empty))
    _remove_apart(session, study)
    study.state, study.state_reason = StudyState.IGNORED, IMAGES_REMOVED


def _remove_all(session: Session, study: Study) -> None:
    """Takes away the study with every row of any table that belongs to it, and its patient when it was the last one."""
    patient_pk = study.patient_pk
    _remove_apart(session, study)
    session.execute(delete(ReviewerHere).where(ReviewerHere.study_instance_uid == study.study_instance_uid))
    studies: Table = Study.__table__  # type: ignore[assignment]
    _remove_rows(session, studies, studies.c.id == study.id)
    others = select(func.count()).select_from(Study).where(Study.patient_pk == patient_pk)
    if session.scalar(others) == 0:
        session.execute(delete(Patient).where(Patient.id == patient_pk))
    session.expire_all()


def _remove_apart(session: Session, study: Study) -> None:
    apart = QuarantinedInstance.study_instance_uid == study.study_instance_uid
    session.execute(delete(QuarantinedInstance).where(apart))


def _remove_rows(session: Session, table: Table, which: ColumnElement[bool]) -> None:
    """Deletes rows after those that belong to them, in whichever table these are; a reference that may be empty is."""
    for child in Base.metadata.sorted_tables:
        for key in child.foreign_keys:
            if key.column.table is not table or child is table:
                continue
            belongs = key.parent.in_(select(key.column).where(which))
            if key.parent.nullable:
                session.execute(update(child).where(belongs).values({key.parent: None}))
            else:
                _remove_rows(session, child, belongs)
    session.execute(delete(table).where(which))


def _take_away(archive: Archive, paths: Sequence[str]) -> int:
    """Removes files and then strikes them off the list; one that cannot be removed now stays on it."""
    over = [path for path in paths if _is_over(archive, path)]
    with archive.database.writing() as session:
        for start in range(0, len(over), SWEPT_AT_ONCE):
            some = over[start : start + SWEPT_AT_ONCE]
            session.execute(delete(RemovedFile).where(RemovedFile.path.in_(some)))
    return len(over)


def _is_over(archive: Archive, path: str) -> bool:
    """Whether nothing is left to do about a file: it is gone, or its instance has come again."""
    try:
        if path.startswith(_BESIDE):
            (archive.files.root.parent / path).unlink(missing_ok=True)
            return True
        digest = path.rpartition("/")[2].removesuffix(".dcm")
        return _is_indexed(archive, digest) or archive.files.take_away(digest)
    except OSError as error:
        log.error("file not removed, is tried again", path=path, error=error.strerror)
        return False


def _is_indexed(archive: Archive, digest: str) -> bool:
    with archive.database.reading() as session:
        known = select(exists().where(Instance.digest == digest))
        return bool(session.scalar(known)) or is_quarantined(session, digest)
