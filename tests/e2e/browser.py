"""Chromium, driven by browser/driver.mjs: `play` runs one scenario and gives the facts it found."""

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.peers.running import Missing

FOLDER = Path(__file__).resolve().parent
OLDEST_NODE = 20
START_S = 60
PLAY_S = 280
Answer = Callable[[Any], Any]


class ScenarioFailed(AssertionError):
    """A scenario did not see what it waited for. The text has its error, its picture, and what the page said."""


@dataclass(frozen=True)
class Heard:
    """What the pages of a scenario did besides: each list is empty in a good run, but for `console`."""

    elsewhere: list[str]
    """Addresses of other hosts that were asked for."""
    violations: list[str]
    """Of the Content Security Policy."""
    errors: list[str]
    """Uncaught exceptions."""
    console: list[str]
    """Other errors in the console."""


class Browser:
    """One running Chromium. Every scenario gets a fresh profile, so that none sees what another left."""

    def __init__(self, pictures: Path, log: Path) -> None:
        """`pictures` is the folder for pictures of failures, `log` what the driver writes besides."""
        self._pictures = pictures
        self._log = log
        self._said: queue.Queue[str] = queue.Queue()
        self._driver: subprocess.Popen[str]
        self.heard = Heard([], [], [], [])

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._driver = subprocess.Popen(
                ["node", str(FOLDER / "browser" / "driver.mjs")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()
        self.version = self._hear(START_S)["ready"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._driver.stdin
        self._driver.stdin.close()
        try:
            self._driver.wait(20)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()

    def play(self, scenario: str, address: str, *, answers: Mapping[str, Answer] | None = None, **given: Any) -> Any:
        """The facts that a scenario found. Raises ScenarioFailed.

        `address` is where the viewer is served, `given` what the scenario needs, and `answers` what to do when it
        asks. No scenario may ask another host, break the CSP or leave an exception uncaught.
        """
        request = {"address": address, "pictures": str(self._pictures), **given}
        self._say({"play": scenario, "given": request})
        while True:
            message = self._hear(PLAY_S)
            if "ask" in message:
                self._say({"answer": (answers or {})[message["ask"]](message["with"])})
                continue
            self.heard = Heard(**message["heard"])
            if "failed" in message:
                raise ScenarioFailed(f"{message['failed']}\npicture: {message['picture']}\n{self.heard}")
            self._check_heard()
            return message["done"]

    def _check_heard(self) -> None:
        assert not self.heard.elsewhere, f"other hosts were asked: {self.heard.elsewhere}"
        assert not self.heard.violations, f"against the CSP: {self.heard.violations}"
        assert not self.heard.errors, f"uncaught: {self.heard.errors}"

    def _listen(self) -> None:
        assert self._driver.stdout
        for line in self._driver.stdout:
            self._said.put(line)
        self._said.put("")

    def _hear(self, timeout_s: float) -> Any:
        try:
            line = self._said.get(timeout=timeout_s)
        except queue.Empty:
            raise ScenarioFailed(f"the browser said nothing for {timeout_s:g} s; {self._log_text()}") from None
        if not line:
            raise ScenarioFailed(f"the driver ended; {self._log_text()}")
        return json.loads(line)

    def _say(self, message: Any) -> None:
        assert self._driver.stdin
        self._driver.stdin.write(json.dumps(message) + "\n")
        self._driver.stdin.flush()

    def _log_text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-3000:]


def check_tools() -> None:
    """Sees to it that scenarios can be played. Raises Missing without Node, npm or Chromium."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("Node.js and npm are not installed; as root: deploy/viewer.sh")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        raise Missing(f"Node is {version}; the driver of the browser needs {OLDEST_NODE} or later")
    if shutil.which(os.environ.get("CHROMIUM", "/usr/bin/chromium")) is None:
        raise Missing("Chromium is not installed; as root: deploy/peers.sh (Debian package chromium)")
    if not (FOLDER / "node_modules" / "playwright-core").is_dir():
        npm(FOLDER, "ci")


def npm(folder: Path, *arguments: str) -> None:
    """Runs npm in a folder. Raises Missing with npm's words."""
    ended = subprocess.run(["npm", *arguments], cwd=folder, capture_output=True, text=True, timeout=280)
    if ended.returncode:
        raise Missing(f"npm {' '.join(arguments)} in {folder.name}: {(ended.stdout + ended.stderr)[-600:]}")
