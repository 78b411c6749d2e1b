"""Studies that pause are rehearsed: read as their jobs would read them now, so that these find what they ask for."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from pacs_agent.ahead import Allowance
from pacs_agent.archive import Archive
from pacs_agent.assemble import image_digests, input_digest, orders_now
from pacs_agent.db import Study, utc_now
from pacs_agent.imaging import UnusableImages
from pacs_agent.inference import ModelFailed
from pacs_agent.ops import get_log
from pacs_agent.pipeline.errors import JobFailed, NothingToSay
from pacs_agent.pipeline.places import Places
from pacs_agent.pipeline.rehearsable import Rehearsable
from pacs_agent.pipeline.stages import JobFacts
from pacs_agent.pipeline.staging import STAGING
from pacs_agent.results import UnusableEvidence
from pacs_agent.route import Expected, PipelineAsked, Rule, WrongRules, pipeline_asked, rules_in_force

ONE_BY_ONE = "msvlm"
"""The pipeline whose slices are encoded as they come, so that little is in vain where its rehearsal is."""
REHEARSED = (ONE_BY_ONE, STAGING)
"""The pipelines whose jobs are rehearsed."""

_log = get_log("pipeline")


class _GaveWay(Exception):
    """A rehearsal ended because a job began, or because slices of other studies wait."""


class _Spent(Exception):
    """A rehearsal ended because its budget is spent."""

    def __str__(self) -> str:
        return "no more slices of the study, or in this minute, are read ahead"


_NOT_REHEARSED = (_Spent, NothingToSay, JobFailed, ModelFailed, UnusableEvidence, UnusableImages, WrongRules, OSError)


class Rehearsal:
    """Reads studies that may not be complete, with the models of a worker. It waits for jobs, and nobody for it."""

    def __init__(self, archive: Archive, jobs: Places, stages: Mapping[str, Rehearsable]) -> None:
        """`jobs` are the places of the worker, `stages` those of each pipeline whose jobs are rehearsed."""
        self.archive = archive
        self.jobs = jobs
        self.stages = stages

    def rehearse(self, allowance: Allowance) -> bool:
        """Reads a study as far as all the slices that its jobs would read are encoded, or may be.

        False when it gave way to a job, so that it should be tried again.
        """
        try:
            with _left_to_the_job():
                jobs = list(self._jobs(allowance.study_pk))
                if not jobs:
                    allowance.had_nothing()
                for pipeline, job in jobs:
                    with _left_to_the_job():
                        self._rehearse(self.stages[pipeline], job, allowance)
        except _GaveWay:
            return False
        return True

    def _jobs(self, study_pk: int) -> Iterator[tuple[str, JobFacts]]:
        """The jobs that the study would become now, each with its pipeline."""
        with self.archive.database.reading() as session:
            study = session.get(Study, study_pk)
            uid = study.study_instance_uid if study else ""
            digests = image_digests(session, study_pk)
            rules = rules_in_force(session).rules
        images = tuple(self.archive.path(digest) for digest in digests)
        for asked, expected in self._asked(rules, uid):
            facts = JobFacts("", "", input_digest(digests), utc_now(), images, (), expected, asked.model)
            yield asked.pipeline, facts

    def _asked(
        self, rules: Collection[Rule], study_instance_uid: str
    ) -> Iterator[tuple[PipelineAsked, Expected | None]]:
        """By which pipeline and model each job would read, and what it may read.

        Where rules name nothing but the pipeline whose slices are encoded already, nobody is asked: it costs time.
        """
        ours = [rule for rule in rules if rule.enabled and pipeline_asked(rule.pipeline).pipeline in self.stages]
        if all(rule.pipeline == ONE_BY_ONE and rule.expects is None for rule in ours):
            yield PipelineAsked(ONE_BY_ONE, ""), None
            return
        for order in orders_now(self.archive.database, self.archive, study_instance_uid):
            asked = pipeline_asked(order.pipeline)
            if asked.pipeline in self.stages:
                yield asked, order.expected

    def _rehearse(self, stages: Rehearsable, job: JobFacts, allowance: Allowance) -> None:
        def before(series_instance_uid: str, slices: int) -> None:
            self._give_way()
            if allowance.must_end():
                raise _GaveWay
            if not allowance.take(series_instance_uid, slices):
                raise _Spent

        self._give_way()
        earlier = {"select_series": stages.select_series(job).selected}
        if not earlier["select_series"] or not stages.make_ready(earlier, before):
            return
        earlier["encode_missing"] = stages.encode_for_later(earlier)
        self._give_way()
        earlier["read_study"] = stages.read_study(job, earlier)
        self._give_way()
        earlier["weigh_evidence"] = stages.weigh_evidence(job, earlier)
        self._give_way()
        stages.compose(job, earlier)  # for the parts that follow from the reading alone; the documents are of no job

    def _give_way(self) -> None:
        """Ends a rehearsal where a job reads: whatever it needs of the step that just ended, it finds."""
        if not self.jobs.wait_free(0):
            raise _GaveWay


@contextmanager
def _left_to_the_job() -> Iterator[None]:
    """Whatever it is, the job, if one comes, will meet it as well and say so."""
    try:
        yield
    except _NOT_REHEARSED as why:
        _log.debug("not rehearsed", reason=str(why))
