"""The prior study at the source, where none was read here: asked for, fetched, and read by the same model.

All of it within a time, and whatever goes wrong costs the study that is read nothing more: it is told without
comparison, and why. What was fetched is read for this alone; its reading is kept as a job of the pipeline `prior`.
"""

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import ValidationError
from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.assemble import image_digests, input_digest, last_own_transfer
from pacs_agent.bring_in import (
    UNDER_WAY,
    BringInError,
    FoundStudy,
    StudyQuery,
    begin_pull,
    cancel,
    find_studies,
    ways_of,
)
from pacs_agent.config import Settings
from pacs_agent.db import (
    OWN_ACCORD,
    PRIOR_PIPELINE,
    Destination,
    Instance,
    Job,
    JobState,
    Origin,
    Series,
    Study,
    StudyState,
    Transfer,
    TransferKind,
    TransferState,
    utc_now,
)
from pacs_agent.deliver import DeliveryError, destination_of
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import PriorStudy, SincePrior
from pacs_agent.ops import Outcome, audit
from pacs_agent.pipeline.beyond_doubt import (
    OTHER_PERSON,
    Moment,
    birth_date_of,
    doubt_about,
    first_header,
    is_earlier,
    moment_of,
    sex_of,
)
from pacs_agent.pipeline.errors import PriorNotHad
from pacs_agent.pipeline.stages import JobFacts, Progress

NOBODY_TO_ASK = "Nobody can be asked for an earlier study: neither its sender nor where results go is searchable."
NO_BIRTH_DATE_HERE = "It has no birth date, without which no earlier study is certain to be of the same patient."
WILD_CARD = "Its Patient ID holds a wild card, by which studies of others would be found."
STEP_S = 0.2
_YEAR_DAYS = 365.25
_WILD = frozenset("*?\\")

Reads = Callable[[JobFacts, Progress], StudyReading | None]
"""Reads a study with the model of the job; None where the model reads no series of it."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: at which destination, of which modality, to be read by which model (name and version)."""

    source: str
    modality: str
    bundle: str


def source_to_ask(session: Session, job_id: str) -> str | None:
    """The destination that sent a job's study, else the first of those its results go to; empty where none is searched.

    None where the patient has no ID to ask for.
    """
    job = session.get(Job, job_id)
    if job is None or not job.study.patient.patient_id.strip():
        return None
    newest = select(Instance.source).join(Instance.series).where(Series.study_pk == job.study_pk)
    newest = newest.where(Instance.origin == Origin.RECEIVED).order_by(Instance.id.desc()).limit(1)
    sender = destination_of(session, session.scalar(newest) or "")
    rows = [sender, *(session.get(Destination, name) for name in job.destinations)]
    return next((row.name for row in rows if row is not None and row.enabled and ways_of(row.kind)), "")


def not_had(why: str) -> SincePrior:
    """What is said where an earlier study could not be looked for, or not be had."""
    return SincePrior(not_compared=why, search_failed=True)


class PriorAtSource:
    """Looks for priors. Safe for any number of threads."""

    def __init__(self, settings: Settings, archive: Archive) -> None:
        self._settings = settings
        self._archive = archive

    def find(
        self, job: JobFacts, wanted: Wanted, read: Reads, began: datetime, progress: Progress
    ) -> SincePrior | None:
        """The prior, read and still without changes, or why there is doubt about it; None where the source has none.

        Raises PriorNotHad where it could not be had before `results.prior_wait_s` after `began`, and what `progress`
        raises; what is under way then ends by itself.
        """
        wait_s, over = self._settings.results.prior_wait_s, threading.Event()
        search = _Search(self._settings, self._archive, job, wanted, read, over)
        found: Future[SincePrior | None] = Future()
        threading.Thread(target=_run, args=(search, found), name="prior", daemon=True).start()
        try:
            while (left_s := wait_s - (utc_now() - began).total_seconds()) > 0:
                if wait([found], min(left_s, STEP_S)).done:
                    return found.result()
                progress(0, 1)
        finally:
            over.set()
        raise PriorNotHad(f"{wanted.source} was asked for an earlier study; {wait_s:g} s later none was here and read.")


def _run(search: "_Search", found: "Future[SincePrior | None]") -> None:
    """A thread's outermost: whatever goes wrong is told to whoever waits."""
    try:
        found.set_result(search.run())
    except Exception as error:  # noqa: BLE001
        found.set_exception(error)


@dataclass(frozen=True)
class _Patient:
    """The patient of the study that is read, and when it was made."""

    patient_pk: int
    patient_id: str
    moment: Moment
    header: Dataset


@dataclass(frozen=True)
class _Search:
    """One search, in a thread of its own; ends soon after `over` is set."""

    settings: Settings
    archive: Archive
    job: JobFacts
    wanted: Wanted
    read: Reads
    over: threading.Event

    def run(self) -> SincePrior | None:
        """The first of the studies found that the model reads; None where there is none. Raises PriorNotHad."""
        row, patient = self._row(), self._patient()
        if patient is None:
            return None
        for study in self._found(row, patient):
            if _is_contradicted(study, patient.header):
                return SincePrior(not_compared=OTHER_PERSON)
            if told := self._told(row, patient, study):
                return told
        return None

    def _row(self) -> Destination:
        with self.archive.database.reading() as session:
            row = session.get(Destination, self.wanted.source)
        if row is None:
            raise PriorNotHad(f"There is no destination {self.wanted.source} any more.")
        return row

    def _patient(self) -> _Patient | None:
        """None where nothing is earlier for certain. Raises PriorNotHad where nobody is the same for certain."""
        with self.archive.database.reading() as session:
            uid = self.job.study_instance_uid
            study = session.scalars(select(Study).where(Study.study_instance_uid == uid)).one()
            header = first_header(self.archive, image_digests(session, study.id))
            patient_id = study.patient.patient_id.strip()
            moment = moment_of(study.study_date, study.study_time)
        if moment is None:
            return None
        if not birth_date_of(header):
            raise PriorNotHad(NO_BIRTH_DATE_HERE)
        if _WILD & set(patient_id):
            raise PriorNotHad(WILD_CARD)
        return _Patient(study.patient_pk, patient_id, moment, header)

    def _found(self, row: Destination, patient: _Patient) -> Sequence[FoundStudy]:
        """Earlier studies of the Patient ID and the modality at the source, latest first, as many as may be fetched."""
        try:
            query = _query(patient, self.wanted.modality, self.settings.results.prior_years)
            found = find_studies(row, self.settings, query)
        except ValidationError:
            raise PriorNotHad("Its Patient ID cannot be asked for.") from None
        except (DeliveryError, BringInError) as error:
            self._audit(row, error=str(error))
            raise PriorNotHad(f"{row.name} could not be asked for an earlier study: {error}.") from error
        self._audit(row, studies=len(found))
        self._check()
        dated = [
            (at, one)
            for one in found
            if _may_be_prior(one, patient, self.wanted.modality, self.job.study_instance_uid)
            and (at := moment_of(one.study_date, one.study_time))
            and is_earlier(at, patient.moment)
            and at[0] >= query.from_day
        ]
        latest_first = sorted(dated, key=lambda each: each[0], reverse=True)
        return [one for _, one in latest_first[: self.settings.results.prior_studies]]

    def _told(self, row: Destination, patient: _Patient, study: FoundStudy) -> SincePrior | None:
        """A study as the prior, or why it is in doubt; None where it is another's by its issuer, or not to be read."""
        uid = study.study_instance_uid
        if not self._is_here(uid):
            self._fetch(row, uid)
        with self.archive.database.reading() as session:
            here = _study(session, uid)
            digests = tuple(image_digests(session, here.id)) if here else ()
        if here is None or not digests or here.patient_pk != patient.patient_pk:
            return None
        at = moment_of(here.study_date, here.study_time)
        if at is None or not is_earlier(at, patient.moment):
            return None
        if doubt := doubt_about(patient.header, first_header(self.archive, digests)):
            return SincePrior(not_compared=doubt)
        job_id = self._known_reading(here, digests) or self._new_reading(here, digests)
        if job_id is None:
            return None
        return SincePrior(prior=PriorStudy(study_instance_uid=uid, study_date=here.study_date, job_id=job_id))

    def _is_here(self, uid: str) -> bool:
        """Whether all of a study is here already. Raises PriorNotHad while somebody sends it."""
        with self.archive.database.reading() as session:
            here = _study(session, uid)
            if here is None or not image_digests(session, here.id):
                return False
            last = last_own_transfer(session, uid)
        if last is not None:
            return last.state == TransferState.DONE and not last.refused
        if here.state == StudyState.RECEIVING:
            raise PriorNotHad("An earlier study is just arriving.")
        return True

    def _fetch(self, row: Destination, uid: str) -> None:
        """Brings a study here, by the ways of its source one after the other. Raises PriorNotHad."""
        troubles = []
        for way in ways_of(row.kind):
            try:
                ended = self._ended(self._begun(row, uid, way))
            except BringInError as error:
                troubles.append(f"{way.upper()}: {error}")
                continue
            if ended.state == TransferState.DONE and ended.refused:
                reason = "; ".join(ended.refusals)
                raise PriorNotHad(f"{ended.refused} instances of an earlier study could not be taken: {reason}.")
            if ended.state == TransferState.DONE:
                return
            troubles.append(f"{way.upper()}: {ended.error or ended.state}")
        raise PriorNotHad(f"An earlier study could not be fetched from {row.name}. {'; '.join(troubles)}.")

    def _begun(self, row: Destination, uid: str, way: TransferKind) -> str:
        """The transfer of a study; the one that is under way where there is one. Raises BringInError."""
        self._check()
        with self.archive.database.writing() as session:
            under_way = select(Transfer.id).where(Transfer.study_instance_uid == uid, Transfer.state.in_(UNDER_WAY))
            known = session.scalar(under_way.limit(1))
            return known or begin_pull(session, row, uid, way, actor=OWN_ACCORD).id

    def _ended(self, transfer_id: str) -> Transfer:
        """A transfer when it has ended; our own is canceled when the time is over. Raises PriorNotHad."""
        while True:
            with self.archive.database.reading() as session:
                transfer = session.get_one(Transfer, transfer_id)
            if transfer.state not in UNDER_WAY:
                return transfer
            if self.over.wait(STEP_S) and transfer.who == OWN_ACCORD:
                with suppress(BringInError), self.archive.database.writing() as session:
                    cancel(session, transfer_id, actor=OWN_ACCORD)
            self._check()

    def _known_reading(self, study: Study, digests: Sequence[str]) -> str | None:
        """The job that holds a reading of these images by the same model; None where there is none."""
        query = select(Job.id).where(Job.study_pk == study.id, Job.pipeline == PRIOR_PIPELINE)
        query = query.where(Job.input_digest == input_digest(digests), Job.bundle == self.wanted.bundle)
        with self.archive.database.reading() as session:
            return session.scalar(query.order_by(Job.created_at.desc()).limit(1))

    def _new_reading(self, study: Study, digests: Sequence[str]) -> str | None:
        """Reads a study, and keeps the reading; None where the model reads nothing of it."""
        images, now = tuple(self.archive.path(digest) for digest in digests), utc_now()
        facts = JobFacts("", study.study_instance_uid, input_digest(digests), now, images, ())
        reading = self.read(facts, lambda _done, _total: self._check())
        self._check()
        if reading is None:
            return None
        job = Job(
            id=str(uuid.uuid4()),
            study_pk=study.id,
            rule=PRIOR_PIPELINE,
            pipeline=PRIOR_PIPELINE,
            destinations=[],
            input_digest=facts.input_digest,
            state=JobState.DONE,
            progress=1.0,
            bundle=self.wanted.bundle,
            reading=reading.model_dump(mode="json"),
            created_at=now,
            started_at=now,
            finished_at=utc_now(),
        )
        with self.archive.database.writing() as session:
            session.add(job)
        return job.id

    def _audit(self, row: Destination, *, studies: int = 0, error: str = "") -> None:
        with self.archive.database.writing() as session:
            audit(
                session,
                actor=OWN_ACCORD,
                action="prior.searched",
                outcome=Outcome.MINOR_FAILURE if error else Outcome.SUCCESS,
                subject=self.job.study_instance_uid,
                source=row.name,
                studies=studies,
                **({"reason": error} if error else {}),
            )

    def _check(self) -> None:
        if self.over.is_set():
            raise PriorNotHad("The time for it is over.")


def _study(session: Session, uid: str) -> Study | None:
    return session.scalars(select(Study).where(Study.study_instance_uid == uid)).one_or_none()


def _query(patient: _Patient, modality: str, years: float) -> StudyQuery:
    last = date.fromisoformat(patient.moment[0])
    first = last - timedelta(days=min(years * _YEAR_DAYS, (last - date.min).days))
    return StudyQuery(
        patient_id=patient.patient_id, modality=modality, from_day=f"{first:%Y%m%d}", to_day=f"{last:%Y%m%d}"
    )


def _may_be_prior(study: FoundStudy, patient: _Patient, modality: str, own_uid: str) -> bool:
    """Of the same Patient ID and modality, by what the source says: one that takes no such keys answers with others."""
    modalities = study.modalities.replace(",", " ").split()
    return (
        study.study_instance_uid != own_uid
        and study.patient_id.strip() == patient.patient_id
        and (not modalities or modality in modalities)
    )


def _is_contradicted(study: FoundStudy, header: Dataset) -> bool:
    """Whether birth date or sex at the source are known and others. What it does not say, the images will."""
    own = (birth_date_of(header), sex_of(header))
    return any(said and known and said != known for said, known in zip((study.birth_date, study.sex), own, strict=True))
