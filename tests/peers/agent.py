"""Our own agent as its administrator sees it: real processes, set up and asked by its command line alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.peers.running import RunningProcess, Server, answers, free_port, until

ALL = 1_000_000
"""More rows than any test has."""
ENDED = {"done", "no_result", "failed", "canceled"}


class CommandFailed(RuntimeError):
    """A command of `pacs-agent` ended with another code than 0. The text is what it printed."""


class Agent(Server):
    """A running `pacs-agent`. `subcommand` is serve, or receive for the listener alone."""

    name = "pacs-agent"
    ae_title = "PACSAGENT"
    stop_s = 40

    def __init__(self, folder: Path, *, subcommand: str = "serve", quiet_s: float = 1.0, **sections: Any) -> None:
        """`sections` are further sections of agent.yaml, for example deliver={"attempts": 2}; dimse adds to its own."""
        super().__init__()
        self.folder = folder
        self.port = free_port()
        self.http_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._subcommand = subcommand
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "agent.yaml"
        own = self._settings(quiet_s)
        sections["dimse"] = own["dimse"] | sections.get("dimse", {})
        self._config.write_text(yaml.safe_dump(own | sections))

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self._config

    def start(self) -> None:
        """Starts the agent and waits until it is ready."""
        command = [sys.executable, "-m", "pacs_agent", "--config", self._config, self._subcommand]
        log = self.folder / "agent.log"
        self._running.append(RunningProcess(self.name, command, log, environment=_environment()))
        self.process.wait_until(self._ready, timeout_s=90)

    def run(self, *arguments: str | Path) -> str:
        """What a command prints. Raises CommandFailed."""
        command = [sys.executable, "-m", "pacs_agent", "--config", self._config, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, env=_environment(), timeout=120)
        if ended.returncode:
            raise CommandFailed(f"pacs-agent {' '.join(map(str, arguments))}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def listing(self, *arguments: str | Path) -> Any:
        """What a command with --json prints, as Python values."""
        return json.loads(self.run(*arguments, "--json"))

    def allow(self, ae_title: str) -> None:
        """Registers a peer on this host."""
        self.run("peer", "add", ae_title, "--host", "127.0.0.1")

    def deliver_to(self, name: str, kind: str, **settings: str | int) -> None:
        """Registers a destination."""
        pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        self.run("destination", "add", name, "--kind", kind, *pairs)

    def route(self, rules: str) -> None:
        """Puts rules (YAML) in force."""
        file = self.folder / "rules.yaml"
        file.write_text(rules)
        self.run("rules", "put", file)

    def jobs_of(self, study_uid: str) -> list[dict[str, Any]]:
        """Its jobs of a study, newest first."""
        return [job for job in self.listing("jobs") if job["study_instance_uid"] == study_uid]

    def ended_job(self, study_uid: str, timeout_s: float = 180) -> dict[str, Any]:
        """The newest job of a study with its steps, once it has ended and nothing of it waits for delivery."""

        def ended() -> dict[str, Any] | None:
            newest = next(iter(self.jobs_of(study_uid)), None)
            return newest if newest and newest["state"] in ENDED else None

        job = until(ended, timeout_s=timeout_s, every_s=0.5, what=f"the end of the job of {study_uid}") or {}
        facts: dict[str, Any] = self.listing("job", job["id"])
        return facts

    def audit(self, action: str) -> list[dict[str, Any]]:
        """Audit lines of one action, newest first."""
        lines: list[dict[str, Any]] = self.listing("audit", "--action", action)
        return lines

    def count(self) -> int:
        """Images of all studies in its archive."""
        return sum(int(study["images"]) for study in self.listing("studies", "--limit", str(ALL)))

    def _settings(self, quiet_s: float) -> dict[str, Any]:
        return {
            "data_dir": str(self.folder / "data"),
            "dimse": {"ae_title": self.ae_title, "port": self.port},
            "web": {"port": self.http_port},
            "assemble": {"quiet_s": quiet_s, "poll_s": 0.2},
        }

    def _ready(self) -> bool:
        """True when the listener answers, and with `serve` the web server, a process of its own, as well."""
        if not answers(self.port):
            return False
        try:
            return self._subcommand == "receive" or requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False


def _environment() -> dict[str, str]:
    """The environment, without settings of another agent."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PACS_AGENT_")}
