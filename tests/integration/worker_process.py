"""Real worker processes for tests that kill them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).resolve().parents[2]


class StandinWorker:
    """A process of `standin.py`; killed at the end of the with statement."""

    def __init__(self, config: Path, log: Path, *, kill_at: str = "", kill_flag: Path | None = None, slow_s: float = 0):
        self.log = log
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "KILL_AT": kill_at,
            "KILL_FLAG": str(kill_flag or ""),
            "SLOW_S": str(slow_s),
        }
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.standin", str(config)],
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Ends the process as kill -9 does."""
        self.process.kill()
        self.process.wait()
