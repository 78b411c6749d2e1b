"""Before the disk is full images are refused in the protocol's own terms, and taken again when there is room."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest
from backup_instances import ct_slice

from pacs_agent.archive import Archive
from pacs_agent.config import DimseSettings, Settings
from pacs_agent.console import create_app
from pacs_agent.db import AuditEvent, Database, Peer
from pacs_agent.ops import watermark
from pacs_agent.ops.runtime import Watermark, change_runtime_settings
from pacs_agent.ops.watermark import DiskGuard
from pacs_agent.receive import Listener

GB = 1_000_000_000


def keep_free(database: Database, gigabytes: float) -> None:
    with database.writing() as session:
        change_runtime_settings(session, Watermark(warn_free_gb=gigabytes, refuse_free_gb=gigabytes), actor="test")


def test_the_disk_is_asked_once_a_second_and_taken_again_with_some_room(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, now_s, looks = [2.0 * GB], [0.0], []

    def state(_folder: Path, settings: Watermark) -> watermark.DiskState:
        looks.append(now_s[0])
        return watermark.DiskState(int(free[0]), 100 * GB, warns=False, refuses=False)

    monkeypatch.setattr(watermark, "disk_state", state)
    keep_free(database, 1.0)
    guard = DiskGuard(database, tmp_path, monotonic=lambda: now_s[0])
    assert guard.objection(GB // 2) == ""
    assert "1 are kept free" in guard.objection(GB), "what was taken within the second counts"
    assert looks == [0.0]
    free[0], now_s[0] = 1.05 * GB, 2.0
    assert guard.objection(0), "so little more than the limit would flicker"
    free[0], now_s[0] = 1.2 * GB, 4.0
    assert guard.objection(0) == ""
    assert len(looks) == 3


def test_a_disk_that_does_not_answer_is_asked_again_at_once(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    guard = DiskGuard(database, folder, monotonic=lambda: 0.0)
    keep_free(database, 0)
    for _ in range(2):
        assert "does not say what is free: No such file" in guard.objection(0)
    folder.mkdir()
    assert guard.objection(0) == ""


def test_a_limit_changed_at_run_time_is_heard(database: Database, tmp_path: Path) -> None:
    now_s = [0.0]
    guard = DiskGuard(database, tmp_path, monotonic=lambda: now_s[0])
    keep_free(database, 1e9)
    assert guard.objection(1)
    keep_free(database, 0)
    now_s[0] = 100.0
    assert guard.objection(1) == ""


@pytest.fixture
def listener(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(watermark, "SETTINGS_EVERY_S", 0.0)
    with database.writing() as session:
        session.add(Peer(ae_title="STORESCU"))
    settings = Settings(data_dir=tmp_path, dimse=DimseSettings(port=0))
    listener = Listener(settings, database, Archive(database, tmp_path / "archive"))
    listener.start()
    yield listener
    listener.stop()


@pytest.mark.peers
def test_storescu_is_told_to_try_later_and_then_stores(
    database: Database, tmp_path: Path, listener: Listener, ct_file: Path
) -> None:
    """PS3.4 B.2.3: A7xx, refused: out of resources."""
    command = ["storescu", "-v", "-aec", "PACSAGENT", "127.0.0.1", str(listener.port), str(ct_file)]
    keep_free(database, 1e9)
    refused = run(command, capture_output=True, text=True, timeout=60)
    assert (
        "OutOfResources" in (refused.stdout + refused.stderr) or "0xa700" in (refused.stdout + refused.stderr).lower()
    )
    keep_free(database, 0)
    stored = run(command, capture_output=True, text=True, timeout=60)
    assert "Success" in stored.stdout + stored.stderr
    with database.reading() as session:
        refusal = session.query(AuditEvent).where(AuditEvent.action == "instance.refused").one()
    assert refusal.detail["status"] == "A700"


@pytest.fixture
def ct_file(tmp_path: Path) -> Path:
    """A CT slice in a file."""
    path = tmp_path / "ct.dcm"
    path.write_bytes(ct_slice(1))
    return path


def test_stow_is_told_that_there_is_no_room(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PS3.18 I.2.2: A700, and RFC 4918 11.5: 507."""
    monkeypatch.setattr(watermark, "SETTINGS_EVERY_S", 0.0)
    client = create_app(Settings(data_dir=tmp_path), database, Archive(database, tmp_path / "archive")).test_client()
    keep_free(database, 1e9)
    kind = "application/dicom"
    refused = client.post("/dicom-web/studies", data=ct_slice(1), content_type=kind)
    assert refused.status_code == 507
    answer = json.loads(refused.data)
    assert answer["00081198"]["Value"][0]["00081197"]["Value"] == [0xA700]
    keep_free(database, 0)
    assert client.post("/dicom-web/studies", data=ct_slice(1), content_type=kind).status_code == 200
