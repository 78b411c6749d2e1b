"""dicom-ai-router 0.3.0 (PyPI, MIT): the nearest rival, with the model server that it brings along.

Its "lung-nodule model" is a threshold and a connected-component search, no network. The router receives, waits for a
quiet time, de-identifies, posts the images to that server, and returns a text SR and a key image by C-STORE.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from tests.peers.running import Missing, RunningProcess, Server, answers, free_port

VERSION = "0.3.0"
ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-peers"
INSTALL_TIMEOUT_S = 300
RECEIVE_ONLY_QUIET_S = 86400.0


class AiRouter(Server):
    """A running dicom-ai-router. With `pacs` it reads chest CT and returns objects there; without, it only receives."""

    name = "dicom-ai-router"
    ae_title = "AIROUTER"

    def __init__(
        self, folder: Path, *, pacs: tuple[str, int] | None = None, quiet_s: float = RECEIVE_ONLY_QUIET_S
    ) -> None:
        """`pacs` is (AE title, port) of where its results go."""
        super().__init__()
        self.folder = folder
        self.port = free_port()
        self._pacs = pacs
        self._quiet_s = quiet_s
        self._model_port = free_port()

    @staticmethod
    def version() -> str:
        """Version in use, installed into `.venv-peers` when it is not yet there. Raises Missing."""
        if not _installed():
            _install()
        return VERSION

    def start(self) -> None:
        """Starts the model server, when results are wanted, and the router; waits until both listen."""
        self.version()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            if self._pacs:
                self._start_model_server()
            self._start_router()
        except BaseException:
            self.stop()
            raise

    def count(self) -> int:
        """Instances stored."""
        return sum(1 for _ in (self.folder / "work" / "inbox").glob("*/*.dcm"))

    def studies(self) -> list[dict[str, Any]]:
        """Its own table of studies, with state and error."""
        with closing(sqlite3.connect(self.folder / "work" / "router.sqlite")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM studies")]

    def step_seconds(self, study_uid: str) -> dict[str, float]:
        """Seconds of each of its steps for a study, from its audit log."""
        return {step: ms / 1000 for step, ms in self._steps(study_uid)}

    def _steps(self, study_uid: str) -> Iterator[tuple[str, float]]:
        for line in (self.folder / "work" / "audit.jsonl").read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["study"] == study_uid and "ms" in entry:
                yield entry["step"], float(entry["ms"])

    def _start_model_server(self) -> None:
        command = [
            _python(),
            "-m",
            "uvicorn",
            "airouter.mock_ai.app:app",
            "--host",
            "127.0.0.1",
            "--log-level",
            "warning",
        ]
        command += ["--port", str(self._model_port)]
        server = RunningProcess("dicom-ai-router's model server", command, self.folder / "model.log")
        self._running.append(server)
        server.wait_until(lambda: answers(self._model_port))

    def _start_router(self) -> None:
        file = self.folder / "router.yaml"
        file.write_text(yaml.safe_dump(self._configuration()))
        command = [_python(), "-m", "airouter", "serve", "--config", file]
        salt = {"AIROUTER_DEID_SALT": os.urandom(32).hex()}
        router = RunningProcess("dicom-ai-router", command, self.folder / "router.log", environment=salt)
        self._running.append(router)
        router.wait_until(lambda: answers(self.port))

    def _configuration(self) -> dict[str, Any]:
        title, port = self._pacs or ("PACS", 1)
        endpoint = {"url": f"http://127.0.0.1:{self._model_port}/infer/lung-nodule", "timeout_s": 600, "retries": 1}
        rule = {"name": "chest-ct", "match": {"Modality": "^CT$"}, "model": "lung-nodule", "series": "largest"}
        return {
            "router": {
                "ae_title": self.ae_title,
                "port": self.port,
                "study_quiet_seconds": self._quiet_s,
                "workers": 2,
                "workdir": str(self.folder / "work"),
                "bind_address": "127.0.0.1",
            },
            "pacs": {"ae_title": title, "host": "127.0.0.1", "port": port},
            "ai_endpoints": {"lung-nodule": endpoint},
            "rules": [rule] if self._pacs else [],
            "deid": {"salt": ""},
        }


def _python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def _installed() -> bool:
    if not _python().exists():
        return False
    asked: list[str | Path] = [
        _python(),
        "-c",
        f"from importlib.metadata import version as v; assert v('dicom-ai-router') == '{VERSION}'",
    ]
    return subprocess.run(asked, capture_output=True).returncode == 0


def _install() -> None:
    """Installs the router into an environment of its own, so that its pins never meet ours."""
    package = f"dicom-ai-router=={VERSION}"
    steps: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", ENVIRONMENT],
        [_python(), "-m", "pip", "install", "-q", package],
    ]
    for command in steps:
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        except (subprocess.SubprocessError, OSError) as error:
            words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
            raise Missing(f"{package} could not be installed into {ENVIRONMENT.name}: {''.join(words)}") from error
