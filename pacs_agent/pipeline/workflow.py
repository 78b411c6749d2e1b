"""The story of a job, durable: after a crash it goes on at the step that was cut off.

Four kinds of DBOS workflow: `study` reads and composes, on a queue with few places; where an earlier study is looked
for at its source, `compared` does the second half, on a queue of its own, so that nobody else waits for that source;
`review` writes what a person said of a reading, on a queue of its own, as somebody waits; `attempt` delivers or
confirms once, on a queue with places of its own for each destination, so that one that is down holds up nobody else.
Between two attempts nothing runs: the next one lies in the queue with its delay.
"""

from collections.abc import Callable
from typing import Any

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID
from dbos import error as dbos_error
from sqlalchemy.exc import OperationalError

from pacs_agent.archive import StorageFailure
from pacs_agent.db import REVIEW_PIPELINE, Job
from pacs_agent.ops import get_log
from pacs_agent.pipeline.bell import Bell
from pacs_agent.pipeline.delivery import Act, Attempted, Deliveries, backoff_s
from pacs_agent.pipeline.errors import JobStopped, NothingToSay, PriorNotHad
from pacs_agent.pipeline.prior_at_source import not_had
from pacs_agent.pipeline.progress import describe
from pacs_agent.pipeline.stages import Earlier, parted
from pacs_agent.pipeline.steps import Steps

READING_QUEUE = "reading"
PRIOR_QUEUE = "prior"
REVIEW_QUEUE = "review"
DELIVERY_QUEUE = "delivery"
POLL_S = 0.2
"""How often a queue is looked into while it is in use; see `bell`."""
PLACES_OF_A_DESTINATION = 2
REVIEWS_AT_A_TIME = 2
SEARCHES_AT_A_TIME = 8
"""Jobs of a worker that wait for an earlier study. Those that must wait for these lose of their time for it."""
_TRANSIENT = (OperationalError, StorageFailure, ConnectionError, TimeoutError)
"""The database, the archive's disk or the network failed: trying again may help."""

log = get_log("pipeline")


class Story:
    """The workflows, registered with DBOS when made: make it once, before DBOS is launched.

    `study` and `review` take (job id, run), `compared` also what the steps gave and when the search began, `attempt`
    (job id, run, act, destination, number).
    """

    def __init__(self, steps: Steps, deliveries: Deliveries, bell: Bell | None = None) -> None:
        self.steps = steps
        self.deliveries = deliveries
        self.bell = bell or Bell()
        self.study = _registered("study", self._study)
        self.compared = _registered("compared", self._compared)
        self.review = _registered("review", self._review)
        self.attempt = _registered("attempt", self._attempt)

    def _study(self, job_id: str, run: int) -> None:
        """Reads a study and hands its objects to delivery."""
        self._tell(job_id, run, lambda: self._begun(job_id, run) or self._read(job_id, run))

    def _compared(self, job_id: str, run: int, earlier: Earlier, began: str) -> None:
        """Looks for the earlier study of one that was read, and hands its objects to delivery."""
        self._tell(job_id, run, lambda: self._compare(job_id, run, earlier, began))

    def _review(self, job_id: str, run: int) -> None:
        """Writes the documents of a review and hands them to delivery."""
        self._tell(job_id, run, lambda: self._begun(job_id, run) or self._write_review(job_id, run))

    def _tell(self, job_id: str, run: int, make: Callable[[], bool]) -> None:
        """A job to its delivery; `make` makes the objects, or says that they are made elsewhere."""
        try:
            if make():
                self._hand_over(job_id, run)
        except JobStopped:
            _step("stop", self.steps.stop, job_id, run)
        except Exception as error:  # outermost of a job: whatever it was, the job must not seem to run
            reason = describe(_cause(error))
            log.error("job failed", job=job_id, reason=reason, exc_info=error)
            _step("fail", self.steps.fail, job_id, run, reason)

    def _begun(self, job_id: str, run: int) -> bool:
        """Whether a job that begins has its objects already."""
        return not _step("begin", self.steps.begin, job_id, run)

    def _hand_over(self, job_id: str, run: int) -> None:
        for destination in _step("hand_over", self.steps.hand_over, job_id, run):
            self._queue_attempt(job_id, run, Act.DELIVER, destination, 1)
        _step("settle", self.deliveries.settle, job_id, run)

    def _read(self, job_id: str, run: int) -> bool:
        """From the images to archived objects: what the model says, or why nothing can be said.

        False where an earlier study is to be looked for first: that holds no place.
        """
        with self.steps.jobs.job():
            return self._read_or_refuse(job_id, run)

    def _read_or_refuse(self, job_id: str, run: int) -> bool:
        steps, earlier = self.steps, dict[str, str]()
        try:
            chosen = _step("select_series", steps.select_series, job_id, run)
            earlier["select_series"], segmenter, earlier["prior"], source = parted(chosen)
            earlier["encode_missing"] = _step("encode_missing", steps.encode_missing, job_id, run, earlier)
            earlier["read_study"] = _step("read_study", steps.read_study, job_id, run, earlier)
            earlier["weigh_evidence"] = _step("weigh_evidence", steps.weigh_evidence, job_id, run, earlier)
            if segmenter:
                earlier["segmenter"] = segmenter
                earlier |= self._segment(job_id, run, earlier)
            if source:
                self._queue_search(job_id, run, {**earlier, "source": source})
                return False
            _step("compose", steps.compose, job_id, run, earlier)
        except NothingToSay as why:
            self._refuse(job_id, run, why)
        return True

    def _compare(self, job_id: str, run: int, earlier: Earlier, began: str) -> bool:
        """From what the model says to archived objects, by way of the earlier study."""
        earlier = {**earlier, "prior": self._find_prior(job_id, run, earlier, began)}
        with self.steps.jobs.job():
            try:
                _step("compose", self.steps.compose, job_id, run, earlier)
            except NothingToSay as why:
                self._refuse(job_id, run, why)
        return True

    def _refuse(self, job_id: str, run: int, why: NothingToSay) -> None:
        _step("no_result", self.steps.compose_no_result, job_id, run, why.code, why.reason, why.bundle)

    def _segment(self, job_id: str, run: int, earlier: Earlier) -> Earlier:
        """What was outlined, as `segment`; where that failed why, as `not_segmented`. The step's row says so, too."""
        try:
            return {"segment": str(_step("segment", self.steps.segment, job_id, run, earlier))}
        except JobStopped:
            raise
        except Exception as error:  # outermost of segmenting: whatever it was, the reading must not be lost
            reason = describe(_cause(error))
            log.error("not segmented", job=job_id, reason=reason, exc_info=error)
            _step("not_segmented", self.steps.broke_off, job_id, "segment", reason)
            return {"not_segmented": reason}

    def _find_prior(self, job_id: str, run: int, earlier: Earlier, began: str) -> str:
        """The prior that was fetched, or why none was."""
        try:
            return str(_step("find_prior", self.steps.find_prior, job_id, run, earlier, began))
        except JobStopped:
            raise
        except Exception as error:  # outermost of the search: whatever it was, the reading must not be lost
            cause, reason = _cause(error), describe(error)
            if isinstance(cause, PriorNotHad):
                log.info("prior not had", job=job_id, reason=reason)
            else:
                log.error("prior not had", job=job_id, exc_info=error)
                reason = f"The search for an earlier study broke off ({type(cause).__name__})."
            _step("prior_not_had", self.steps.broke_off, job_id, "find_prior", reason)
            return not_had(reason).model_dump_json()

    def _write_review(self, job_id: str, run: int) -> bool:
        _step("compose", self.steps.compose_review, job_id, run)
        return True

    def _attempt(self, job_id: str, run: int, act: str, destination: str, number: int) -> None:
        """Delivers or confirms once, and says what comes next."""
        ended = self._attempted(job_id, run, Act(act), destination, number)
        if ended == Attempted.AGAIN:
            delay_s = backoff_s(self.deliveries.settings, number)
            self._queue_attempt(job_id, run, Act(act), destination, number + 1, delay_s)
        elif ended == Attempted.DONE and act == Act.DELIVER:
            self._queue_attempt(job_id, run, Act.CONFIRM, destination, 1)
        else:
            _step("settle", self.deliveries.settle, job_id, run)

    def _attempted(self, job_id: str, run: int, act: Act, destination: str, number: int) -> Attempted:
        try:
            ended = _step(f"{act}:{destination}", self.deliveries.attempt, job_id, run, act, destination, number)
        except Exception as error:  # outermost of a delivery, as above
            reason = describe(_cause(error))
            log.error("delivery failed", job=job_id, destination=destination, reason=reason, exc_info=error)
            ended = _step("break_off", self.deliveries.break_off, job_id, act, destination, reason)
        return Attempted(ended)

    def _queue_search(self, job_id: str, run: int, earlier: Earlier) -> None:
        """The second half of a job. The time for its search begins here, and not anew at a restart."""
        began = _step("prior_wanted", self.steps.now)
        with SetWorkflowID(f"{study_workflow_id(job_id, run)}:{PRIOR_QUEUE}"):
            DBOS.enqueue_workflow(PRIOR_QUEUE, self.compared, job_id, run, earlier, began)
        self.bell.ring(PRIOR_QUEUE)

    def _queue_attempt(
        self, job_id: str, run: int, act: Act, destination: str, number: int, delay_s: float = 0
    ) -> None:
        workflow_id = f"{study_workflow_id(job_id, run)}:{act}:{destination}:{number}"
        options = SetEnqueueOptions(queue_partition_key=destination, delay_seconds=delay_s or None)
        with SetWorkflowID(workflow_id), options:
            DBOS.enqueue_workflow(DELIVERY_QUEUE, self.attempt, job_id, run, str(act), destination, number)
        if not delay_s:
            self.bell.ring(DELIVERY_QUEUE)


def _registered(name: str, function: Callable[..., None]) -> Callable[..., None]:
    """A function of an object as a workflow: DBOS knows it by its name, so it is found again after a restart."""

    def workflow(*arguments: Any) -> None:
        function(*arguments)

    return DBOS.workflow(name=name)(workflow)


def study_workflow_id(job_id: str, run: int) -> str:
    """The id of the workflow of a run of a job: the job's own id, and the run's number from the second on."""
    return job_id if run == 1 else f"{job_id}.{run}"


def queue_study(story: Story, job: Job) -> None:
    """Puts a job into its queue by its priority; a job that is there already is left as it is."""
    is_review = job.pipeline == REVIEW_PIPELINE
    queue, workflow = (REVIEW_QUEUE, story.review) if is_review else (READING_QUEUE, story.study)
    with SetWorkflowID(study_workflow_id(job.id, job.run)), SetEnqueueOptions(priority=max(1, job.priority)):
        DBOS.enqueue_workflow(queue, workflow, job.id, job.run)
    story.bell.ring(queue)


def register_queues(concurrency: int) -> None:
    """Declares the queues, after launch. `concurrency` is how many studies one worker reads at a time."""
    DBOS.register_queue(
        READING_QUEUE, worker_concurrency=concurrency, polling_interval_sec=POLL_S, on_conflict="always_update"
    )
    DBOS.register_queue(
        PRIOR_QUEUE, worker_concurrency=SEARCHES_AT_A_TIME, polling_interval_sec=POLL_S, on_conflict="always_update"
    )
    DBOS.register_queue(
        REVIEW_QUEUE, worker_concurrency=REVIEWS_AT_A_TIME, polling_interval_sec=POLL_S, on_conflict="always_update"
    )
    DBOS.register_queue(
        DELIVERY_QUEUE,
        partition_concurrency=PLACES_OF_A_DESTINATION,
        polling_interval_sec=POLL_S,
        on_conflict="always_update",
    )


def _step(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a step whose outcome is kept: after a crash it is not run again once it has ended."""
    options: Any = {
        "name": name,
        "retries_allowed": True,
        "max_attempts": 5,
        "interval_seconds": 1.0,
        "backoff_rate": 2.0,
        "should_retry": lambda error: isinstance(error, _TRANSIENT),
    }
    return DBOS.run_step(options, function, *arguments)


def _cause(error: BaseException) -> BaseException:
    """What went wrong the last time, where a step was tried several times."""
    if isinstance(error, dbos_error.DBOSMaxStepRetriesExceeded) and error.errors:
        last: BaseException = error.errors[-1]
        return last
    return error
