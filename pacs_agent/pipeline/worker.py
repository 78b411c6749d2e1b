"""A worker process: completes studies, reads them, delivers results, and takes over from workers that died."""

import gc
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from dbos import DBOS, DBOSConfig
from sqlalchemy.engine import make_url

from pacs_agent.ahead import Kit, ReadAhead
from pacs_agent.archive import Archive, keep_archive
from pacs_agent.assemble import Assembler
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.deliver import Outbox, SourceQuery, Vouching
from pacs_agent.ops import get_log
from pacs_agent.ops.audit_chain import SEAL_EVERY_S, seal_waiting
from pacs_agent.ops.notify import watch
from pacs_agent.pipeline.bell import Bell
from pacs_agent.pipeline.delivery import Deliveries
from pacs_agent.pipeline.dispatch import Dispatcher
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.reaper import Reaper
from pacs_agent.pipeline.registry import PIPELINES
from pacs_agent.pipeline.rehearsable import Rehearsable
from pacs_agent.pipeline.rehearsal import ONE_BY_ONE, REHEARSED, Rehearsal
from pacs_agent.pipeline.shared import Shared
from pacs_agent.pipeline.stages import Stages, StagesFactory
from pacs_agent.pipeline.steps import Steps
from pacs_agent.pipeline.workers import DeathWatch, Heartbeat
from pacs_agent.pipeline.workflow import Story, register_queues
from pacs_agent.receive import still_open

WORKFLOW_VERSION = "1"
"""Version of the workflows' shape: only workers of the same take up unfinished jobs. Raise it with the shape."""
UPKEEP_S = 30.0
NOTICES_S = 10.0
FENCED_EXIT_CODE = 75
WAKE_S = 0.5
COLLECTED_AFTER = 20_000, 20, 20
"""Objects and collections after which Python's collector looks for cycles, of which there are few."""

log = get_log("worker")


class WorkerProcess:
    """One worker. DBOS is one to a process, so is this."""

    def __init__(self, settings: Settings, pipelines: Mapping[str, StagesFactory] = PIPELINES) -> None:
        self.settings = settings
        self.database = Database(settings.sqlalchemy_url)
        self.archive = Archive(self.database, settings.data_dir / "archive")
        self.heartbeat = Heartbeat(self.database)
        self.fenced = False
        self._pipelines = pipelines
        ask = SourceQuery(self.database, settings)
        is_open = partial(still_open, settings.data_dir)
        self._assembler = Assembler(self.database, self.archive, settings.assemble, ask, still_open=is_open)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._ahead: ReadAhead | None = None

    def start(self) -> None:
        """Begins to work, in threads of its own."""
        self.heartbeat.register()
        self._launch_workflows()
        self._reaper.reap()
        heartbeat_s, poll_s = self.settings.work.heartbeat_s, self.settings.assemble.poll_s
        self._every(heartbeat_s, self._beat, "heartbeat")
        self._every(heartbeat_s, self._reaper.reap, "reaper")
        self._every(UPKEEP_S, self._keep_up, "upkeep")
        self._every(UPKEEP_S, lambda: keep_archive(self.archive), "retention")
        self._every(NOTICES_S, lambda: watch(self.settings, self.database), "notices")
        self._every(SEAL_EVERY_S, lambda: seal_waiting(self.database), "sealer")
        self._every(lambda: min(poll_s, self._assembler.next_quiet_in_s()), self._assemble, "assemble")
        self._every(poll_s, self._dispatcher.dispatch, "dispatch")
        if self._ahead is not None:
            self._every(self._ahead.next_look_in_s, self._ahead.look, "ahead")
            self._every(0, self._ahead.encode_waiting, "encoder ahead")
        self._every(poll_s, Vouching(self.database, self.archive, self.settings).answer_due, "commitment")
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        log.info("worker works", worker=self.heartbeat.executor_id)

    def run(self) -> None:
        """Works until `stop` is called, or until others have taken this worker for dead."""
        self.start()
        while not self._stopping.wait(WAKE_S):
            pass  # an endless wait is not woken when the kernel gives the signal to another thread

    def stop(self, patience_s: float = 0) -> None:
        """Ends the work. A job that is running longer than the patience goes on elsewhere, or at the next start."""
        self._stopping.set()
        if self._ahead is not None:
            self._ahead.stop()
        for thread in self._threads:
            thread.join(timeout=5)
        DBOS.destroy(workflow_completion_timeout_sec=int(patience_s))
        self.heartbeat.sign_off()
        self.database.close()

    def ask_to_stop(self) -> None:
        """Makes `run` return; safe in a signal handler."""
        self._stopping.set()

    def _launch_workflows(self) -> None:
        DBOS.destroy(destroy_registry=True)
        _use_write_ahead_log(self.settings.workflow_url)
        DBOS(config=_dbos_config(self.settings, self.heartbeat.executor_id))
        shared = Shared.of(self.settings)
        stages = {name: make(self.settings, self.archive, shared) for name, make in self._pipelines.items()}
        self._ahead = self._read_ahead(stages, shared)
        outbox = Outbox(self.database, self.archive, self.settings)
        organization, executor_id = self.settings.results.organization, self.heartbeat.executor_id
        steps = Steps(self.database, self.archive, stages, organization, executor_id, shared.jobs)
        deliveries = Deliveries(self.database, outbox, self.settings.deliver, executor_id)
        bell = Bell()
        bell.hang()
        story = Story(steps, deliveries, bell)
        self._dispatcher = Dispatcher(self.database, story)
        watch = DeathWatch(self.heartbeat.executor_id, self.settings.work.takeover_s)
        self._reaper = Reaper(self.database, watch)
        DBOS.launch()
        register_queues(self.settings.work.concurrency)

    def _read_ahead(self, stages: Mapping[str, Stages], shared: Shared) -> ReadAhead | None:
        """What reads slices before their study is complete, where a pipeline can and the settings want it."""
        reading = stages.get(ONE_BY_ONE)
        if not self.settings.ahead.enabled or not isinstance(reading, MsVlm):
            return None
        rehearsed = {name: one for name, one in stages.items() if name in REHEARSED and isinstance(one, Rehearsable)}
        rehearse = Rehearsal(self.archive, shared.jobs, rehearsed).rehearse
        executor_id = self.heartbeat.executor_id

        def kit() -> Kit:
            return Kit(reading.readers(), shared.headers, rehearse)

        return ReadAhead(self.archive, self.settings.ahead, kit, executor_id, ONE_BY_ONE, rehearsed)

    def _warm_up(self) -> None:
        """Loads the models in use before the first study asks for them, and takes what stays from the collector.

        A full collection over all that is loaded took 0.2 s, several times while one study's documents were made.
        """
        if self._ahead is not None:
            self._ahead.load()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED_AFTER)

    def _every(self, period_s: float | Callable[[], float], act: Callable[[], object], name: str) -> None:
        """Acts again and again in a thread of its own, each time after the period, which may be another each time."""
        thread = threading.Thread(target=self._loop, args=(period_s, act, name), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self, period_s: float | Callable[[], float], act: Callable[[], object], name: str) -> None:
        """A process's outermost loop: whatever goes wrong is logged, and tried again after a while."""
        while not self._stopping.is_set():
            try:
                act()
            except Exception as error:  # noqa: BLE001
                log.error("failed, is tried again", loop=name, error=f"{type(error).__name__}: {error}")
            self._stopping.wait(period_s() if callable(period_s) else period_s)

    def _beat(self) -> None:
        if not self.heartbeat.beat():
            log.error("others took this worker for dead; it ends so that no job runs twice")
            self.fenced = True
            self._stopping.set()

    def _keep_up(self) -> None:
        self._reaper.fail_lost_jobs()
        self._reaper.forget_ended()

    def _assemble(self) -> None:
        completions = self._assembler.complete()
        for completion in completions:
            log.info("study", study=completion.study_instance_uid, outcome=completion.summary)
        if any(completion.jobs for completion in completions):
            self._dispatcher.dispatch()


def run_worker(settings: Settings) -> None:
    """Runs a worker until SIGTERM or SIGINT; the process ends with it.

    The end is abrupt by intent: a reading of minutes is not waited for, its workflow goes on where it was at the next
    start. That is safe as kill -9 is.
    """
    worker = WorkerProcess(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: worker.ask_to_stop())
    worker.run()
    if not worker.fenced:
        worker.heartbeat.sign_off()
    os._exit(FENCED_EXIT_CODE if worker.fenced else 0)


def _dbos_config(settings: Settings, executor_id: str) -> DBOSConfig:
    """DBOS without anything that reaches out: no Conductor key, no telemetry, no administration port."""
    return {
        "name": "pacs-agent",
        "system_database_url": settings.workflow_url,
        "application_version": WORKFLOW_VERSION,
        "executor_id": executor_id,
        "enable_otlp": False,
        "log_level": "ERROR",
        "console_log_level": "ERROR",
    }


def _use_write_ahead_log(url: str) -> None:
    """Sets SQLite's write-ahead log, which stays set in the file: four times the workflows a second."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(parsed.database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
