"""Studies that pause are rehearsed: read as their jobs would read them now, so that these find what they ask for."""

from collections.abc import Iterator

from pacs_agent.ahead import Kit
from pacs_agent.assemble import image_digests, input_digest, orders_now
from pacs_agent.db import Study, utc_now
from pacs_agent.imaging import UnusableImages
from pacs_agent.ops import get_log
from pacs_agent.pipeline.errors import JobFailed, NothingToSay
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.stages import JobFacts
from pacs_agent.results import UnusableEvidence
from pacs_agent.route import Expected, Rule, WrongRules, pipeline_asked, rules_in_force

REHEARSED = "msvlm"
"""The pipeline whose jobs are rehearsed, and whose slices are read before a study is complete."""
_NOT_REHEARSED = (NothingToSay, JobFailed, UnusableEvidence, UnusableImages, WrongRules, OSError)

_log = get_log("pipeline")


class _GaveWay(Exception):
    """A rehearsal ended because a job began."""


class Rehearsal:
    """Reads studies that may not be complete, with the models of a worker. It waits for jobs, and nobody for it."""

    def __init__(self, stages: MsVlm) -> None:
        self.stages = stages

    def kit(self) -> Kit:
        """What reading ahead shares with the jobs of its worker."""
        return Kit(self.stages.readers(), self.stages.headers, self.rehearse)

    def rehearse(self, study_pk: int) -> bool:
        """Reads a study as far as all the slices that its jobs would read are encoded.

        False when it gave way to a job, so that it should be tried again.
        """
        try:
            for job in self._jobs(study_pk):
                self._rehearse(job)
        except _GaveWay:
            return False
        except _NOT_REHEARSED as why:  # the job, if one comes, will meet it as well and say so
            _log.debug("not rehearsed", reason=str(why))
        return True

    def _jobs(self, study_pk: int) -> Iterator[JobFacts]:
        """The jobs that the study would become now."""
        with self.stages.database.reading() as session:
            study = session.get(Study, study_pk)
            uid = study.study_instance_uid if study else ""
            digests = image_digests(session, study_pk)
            rules = rules_in_force(session).rules
        images = tuple(self.stages.archive.path(digest) for digest in digests)
        for expected, model in self._asked(rules, uid):
            yield JobFacts("", "", input_digest(digests), utc_now(), images, (), expected, model)

    def _asked(self, rules: tuple[Rule, ...], study_instance_uid: str) -> Iterator[tuple[Expected | None, str]]:
        """What each job may read, and by which model. Without rules that limit these nobody is asked: it costs time."""
        if not any(map(_limits, rules)):
            yield None, ""
            return
        for order in orders_now(self.stages.database, self.stages.archive, study_instance_uid):
            asked = pipeline_asked(order.pipeline)
            if asked.pipeline == REHEARSED:
                yield order.expected, asked.model

    def _rehearse(self, job: JobFacts) -> None:
        stages = self.stages
        self._give_way()
        earlier = {"select_series": stages.select_series(job).selected}
        if not earlier["select_series"] or not stages.are_encoded(earlier):
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
        if not self.stages.jobs.wait_free(0):
            raise _GaveWay


def _limits(rule: Rule) -> bool:
    """Whether a rule limits what may be read, or by which model."""
    asked = pipeline_asked(rule.pipeline)
    return rule.enabled and asked.pipeline == REHEARSED and (rule.expects is not None or bool(asked.model))
