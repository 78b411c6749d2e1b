"""Earlier studies of a patient at their source: asked for, and fetched one after the other, the latest first."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import ValidationError
from pydicom.dataset import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.assemble import image_digests, last_own_transfer
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
from pacs_agent.db import OWN_ACCORD, Destination, Study, StudyState, Transfer, TransferKind, TransferState
from pacs_agent.deliver import DeliveryError
from pacs_agent.inference.reading import SincePrior
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
from pacs_agent.pipeline.stages import JobFacts

NO_BIRTH_DATE_HERE = "It has no birth date, without which no earlier study is certain to be of the same patient."
WILD_CARD = "Its Patient ID holds a wild card, by which studies of others would be found."
STEP_S = 0.2
_YEAR_DAYS = 365.25
_WILD = frozenset("*?\\")


@dataclass(frozen=True)
class Here:
    """An earlier study whose images are here: its key, UID and date, and the digests of its images."""

    study_pk: int
    study_instance_uid: str
    study_date: str
    digests: tuple[str, ...]


@dataclass(frozen=True)
class _Patient:
    """The patient of the study that is read, and when it was made."""

    patient_pk: int
    patient_id: str
    moment: Moment
    header: Dataset


@dataclass(frozen=True)
class Search:
    """One search for a job, in threads that its asker may leave behind: it ends soon after `over` is set."""

    settings: Settings
    archive: Archive
    job: JobFacts
    source: str
    modality: str
    over: threading.Event

    def found(self) -> Iterator["Here | SincePrior"]:
        """Earlier studies of the patient, latest first, each fetched when it is asked for; or why there is doubt.

        Raises PriorNotHad.
        """
        row, patient = self._row(), self._patient()
        if patient is None:
            return
        for study in self._earlier(row, patient):
            if _is_contradicted(study, patient.header):
                yield SincePrior(not_compared=OTHER_PERSON)
                return
            if here := self._here(row, patient, study):
                yield here

    def _row(self) -> Destination:
        with self.archive.database.reading() as session:
            row = session.get(Destination, self.source)
        if row is None:
            raise PriorNotHad(f"There is no destination {self.source} any more.")
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

    def _earlier(self, row: Destination, patient: _Patient) -> Sequence[FoundStudy]:
        """Earlier studies of the Patient ID and the modality at the source, latest first, as many as may be fetched."""
        try:
            query = _query(patient, self.modality, self.settings.results.prior_years)
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
            if _may_be_prior(one, patient, self.modality, self.job.study_instance_uid)
            and (at := moment_of(one.study_date, one.study_time))
            and is_earlier(at, patient.moment)
            and at[0] >= query.from_day
        ]
        latest_first = sorted(dated, key=lambda each: each[0], reverse=True)
        return [one for _, one in latest_first[: self.settings.results.prior_studies]]

    def _here(self, row: Destination, patient: _Patient, study: FoundStudy) -> "Here | SincePrior | None":
        """A study that is here now, or why it is in doubt; None where it is another's by its issuer, or not earlier."""
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
        return Here(here.id, uid, here.study_date, digests)

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
