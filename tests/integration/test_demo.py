"""`pacs-agent demo` as a newcomer runs it: real processes, the shipped model, a phantom the model has never seen."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import psutil
import pytest
import requests
import yaml

from tests import shipped

pytestmark = [pytest.mark.slow, pytest.mark.alone]
FINDINGS = "pleural_effusion,pericardial_effusion"


def demo_command(folder: Path, *arguments: str) -> Sequence[str]:
    options = ("--folder", str(folder), "--slices", "90", "--findings", FINDINGS, *arguments)
    return [sys.executable, "-m", "pacs_agent", "demo", *options]


def test_once_shows_the_truth_and_the_report_and_ends_by_itself(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    ended = subprocess.run(
        demo_command(tmp_path / "demo", "--once", "--picture", str(picture)),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = ended.stdout
    assert "90 images acknowledged" in shown
    for name in ("Pleural effusion", "Pericardial effusion"):
        line = next(line for line in shown.splitlines() if line.startswith(name))
        assert "✓ present" in line, line
    assert "not for clinical use" in shown
    assert "ai result" in shown
    assert "draft report" in shown
    assert ("Outlined and measured by" in shown) == bool(shipped.segmenters())
    assert ("A phantom MR of the rectum" in shown) == bool(shipped.staging())
    if shipped.staging():
        assert re.search(r"^Rectal tumour +present +✓ present", shown, re.MULTILINE), shown
    elsewhere = re.findall(r"url\((?!#)", picture.read_text(encoding="utf-8"))
    assert not elsewhere, "the picture loads something from another host"


def reads_with_its_account(shown: str, address: str) -> None:
    """Studies that are named can be opened, and the results seen, with the account that is named, and not without."""
    studies = re.findall(rf"{address}/[a-z-]+\?StudyInstanceUIDs=([0-9.]+)", shown)
    assert len(studies) == 1 + bool(shipped.staging())
    (password,) = re.findall(r"log in as demo with the password (\S+)", shown)
    reports = [f"{address}/dicom-web/studies/{study}/series?Modality=SR" for study in studies]
    with requests.Session() as browser:
        assert {browser.get(report, timeout=10).status_code for report in reports} == {401}
        logged_in = browser.post(f"{address}/api/v1/session", json={"login": "demo", "password": password}, timeout=10)
        assert logged_in.status_code == 200, logged_in.text
        assert {len(browser.get(report, timeout=10).json()) for report in reports} == {2}


def test_without_once_the_agent_stays_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    process = subprocess.Popen(demo_command(tmp_path / "demo"), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        shown = "".join(takewhile(lambda line: "keeps running" not in line, process.stdout))
        settings = yaml.safe_load((tmp_path / "demo" / "agent.yaml").read_text())
        address = f"http://127.0.0.1:{settings['web']['port']}"
        assert requests.get(f"{address}/readyz", timeout=10).status_code == 200
        reads_with_its_account(shown, address)
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    assert not any(child.is_running() for child in children)
    for section in ("dimse", "web"):
        with socket.create_server(("127.0.0.1", settings[section]["port"])):
            pass


def test_an_unknown_finding_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pacs_agent", "demo", "--once", "--folder", str(tmp_path), "--findings", "gout"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "pleural_effusion" in ended.stderr
