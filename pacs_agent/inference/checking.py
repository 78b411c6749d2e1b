"""Verifications that people ask for: they run in the background, tell how far they are, and their outcome is kept."""

import threading
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.config import Settings
from pacs_agent.db import Database, ModelCheck, utc_now
from pacs_agent.inference.activation import MEMORY
from pacs_agent.inference.bundle import load_any
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.verification import BundleCheck, Verification, check_count, checks_of, remember
from pacs_agent.ops import Outcome, audit, get_log

RUNNING, PASSED, FAILED, BROKEN_OFF = "running", "passed", "failed", "broken off"

log = get_log("models")


class CheckRuns(RuntimeError):
    """A check was asked for while another one runs."""


class Checks:
    """The checks of this process, one at a time: each may take all of the machine for minutes."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self._running: int | None = None
        self._lock = threading.Lock()

    def start(self, folder: Path, *, actor: str) -> threading.Thread:
        """Begins a check in a thread of its own. Raises CheckRuns."""
        with self._lock:
            if self._running is not None:
                raise CheckRuns("a bundle is being checked already; wait until that is done")
            with self.database.writing() as session:
                row = ModelCheck(folder=folder.name[:255], state=RUNNING, started_by=actor[:128])
                session.add(row)
                audit(session, actor=actor, action="model.check", outcome=Outcome.SUCCESS, subject=folder.name)
                session.flush()
                self._running = row.id
        thread = threading.Thread(target=self._run, args=(folder, self._running), name="model check", daemon=True)
        thread.start()
        return thread

    def newest(self, session: Session, folder: str) -> ModelCheck | None:
        """The newest check of a bundle's folder; one that another process began and never ended is broken off."""
        query = select(ModelCheck).where(ModelCheck.folder == folder).order_by(ModelCheck.id.desc()).limit(1)
        row = session.scalar(query)
        if row is not None and row.state == RUNNING and row.id != self._running:
            row.state = BROKEN_OFF
        return row

    def _run(self, folder: Path, check: int) -> None:
        """Outermost of a thread: whatever goes wrong, the check must not seem to run."""
        state = FAILED
        try:
            state = PASSED if self._verified(folder, check).passed else FAILED
        except Exception as error:  # noqa: BLE001
            log.error("check of a bundle broke off", bundle=folder.name, error=f"{type(error).__name__}: {error}")
            state = BROKEN_OFF
        finally:
            with self.database.writing() as session:
                row = session.get_one(ModelCheck, check)
                row.state, row.finished_at = state, utc_now()
            self._running = None

    def _verified(self, folder: Path, check: int) -> Verification:
        inference = self.settings.inference
        try:
            bundle = load_any(folder, inference.trusted_keys)
        except BundleRefused:
            bundle = None
        expected = check_count(bundle, inference) if bundle else 1
        done: list[BundleCheck] = []
        for one in checks_of(folder, inference):
            done.append(one)
            with self.database.writing() as session:
                row = session.get_one(ModelCheck, check)
                row.found = {"expected": max(expected, len(done)), "checks": [asdict(each) for each in done]}
        verification = Verification(folder.name, tuple(done))
        if bundle:
            remember(bundle, inference, self.settings.data_dir / MEMORY, verification)
        return verification
