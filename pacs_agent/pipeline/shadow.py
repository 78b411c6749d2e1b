"""Pipeline `shadow`: a model reads what the one in use has read. It makes no objects, and no rule may name it."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.db import OWN_PIPELINES, SHADOW_PIPELINE, Job, ModelShadow, ShadowReading, utc_now
from pacs_agent.inference import BundleRefused, StudyReading, pair_of, running_shadow, shadow_bundle
from pacs_agent.pipeline.errors import JobFailed, NothingToSay
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.shared import Shared
from pacs_agent.pipeline.stages import Choice, Documents, Earlier, JobFacts
from pacs_agent.pipeline.staging import STAGING
from pacs_agent.route import pipeline_asked

PRIORITY = 2_000_000
"""After every reading that somebody waits for: rules go to 1,000,000."""
_WITHOUT = (*OWN_PIPELINES, STAGING)
"""Pipelines whose readings no model in the shadow could give."""


class Shadow(MsVlm):
    """The stages of a model in shadow: those of the one in use, up to the objects, which are not made."""

    def __init__(self, settings: Settings, archive: Archive, shared: Shared | None = None) -> None:
        """`shared` None: with nobody."""
        super().__init__(settings, archive, (shared or Shared.of(settings)).unhurried)

    def select_series(self, job: JobFacts) -> Choice:
        """The series that the model in shadow would read, were it in use."""
        try:
            known = self.installed()
            return self.choice_of(job, shadow_bundle(self._digest(job), self.settings, self.database, known))
        except BundleRefused as refusal:
            raise JobFailed(f"the model in shadow cannot read: {refusal}") from refusal

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        """The reading alone."""
        return Documents((), self.described(earlier).model_dump(mode="json"))

    def compose_no_result(self, job: JobFacts, why: NothingToSay) -> Documents:
        """Nothing: the reason is in the job."""
        return Documents(())

    def _digest(self, job: JobFacts) -> str:
        query = select(ModelShadow.digest).join(ShadowReading).where(ShadowReading.job_id == job.job_id)
        with self.database.reading() as session:
            digest = session.scalar(query)
        if digest is None:
            raise JobFailed("nobody knows which model was to read in the shadow; cancel this job")
        return digest


def queue_shadow(session: Session, job: Job) -> None:
    """Queues the job of the shadow, if there is one, after a reading of its study; in the caller's transaction."""
    shadow = running_shadow(session)
    if shadow is None or pipeline_asked(job.pipeline).pipeline in _WITHOUT:
        return
    if session.scalar(select(ShadowReading.id).where(ShadowReading.of_job_id == job.id).limit(1)):
        return
    beside = Job(
        id=str(uuid.uuid4()),
        study_pk=job.study_pk,
        rule=job.rule,
        pipeline=SHADOW_PIPELINE,
        priority=PRIORITY,
        destinations=[],
        input_digest=job.input_digest,
        expected=job.expected,
        created_at=utc_now(),
    )
    session.add(beside)
    session.flush()
    session.add(ShadowReading(shadow_pk=shadow.id, job_id=beside.id, of_job_id=job.id))


def keep_pair(session: Session, job: Job, reading: StudyReading) -> None:
    """Keeps what the shadow says beside what the model in use had said, in the caller's transaction."""
    row = session.scalar(select(ShadowReading).where(ShadowReading.job_id == job.id))
    if row is not None and row.of_job.reading is not None:
        row.said = pair_of(StudyReading.model_validate(row.of_job.reading), reading).model_dump(mode="json")
