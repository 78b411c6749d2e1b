"""A backup of a running agent holds all of one moment, and comes back whole or is refused."""

import os
import shutil
import threading
from pathlib import Path

import pgserver
import pytest
from backup_instances import ct_slice
from click.testing import CliRunner
from sqlalchemy import func, select

from pacs_agent.archive import Archive, relying_on_files
from pacs_agent.cli import main
from pacs_agent.config import Settings
from pacs_agent.db import Database, Instance, Peer, RuntimeSecret, Study, upgrade
from pacs_agent.ops.backup import BackupFailed, check_backup, make_backup, restore_backup
from pacs_agent.ops.runtime import set_secret
from pacs_agent.receive import Intake


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", web={"token": "from the settings"})


@pytest.fixture
def database(settings: Settings) -> Database:
    database = Database(settings.sqlalchemy_url)
    upgrade(database)
    return database


@pytest.fixture
def archive(settings: Settings, database: Database) -> Archive:
    return Archive(database, settings.data_dir / "archive")


def receive(archive: Archive, numbers: range) -> None:
    intake = Intake(archive.database, archive)
    for number in numbers:
        intake.accept(ct_slice(number), source="PACS@127.0.0.1")


def elsewhere(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "restored")


def test_what_is_received_while_it_is_made_does_not_hurt(
    settings: Settings, database: Database, archive: Archive, tmp_path: Path
) -> None:
    receive(archive, range(5))
    with database.writing() as session:
        set_secret(session, "webhook_key", "swordfish-in-the-database", actor="ada")
    wal = settings.data_dir / "pacs-agent.sqlite-wal"
    assert wal.stat().st_size > 0, "the newest rows are only in the write-ahead log"
    more = threading.Thread(target=receive, args=(archive, range(5, 12)))
    more.start()
    made = make_backup(settings, database, tmp_path / "backup")
    more.join()
    assert 5 <= made.rows["instances"] <= 12
    restored = elsewhere(tmp_path)
    restore_backup(restored, tmp_path / "backup")
    there = Database(restored.sqlalchemy_url)
    with there.reading() as session:
        instances = session.scalars(select(Instance)).all()
        assert session.scalars(select(RuntimeSecret)).all() == []
        assert session.scalars(select(Study)).one()
    assert len(instances) == made.rows["instances"]
    archive_there = Archive(there, restored.data_dir / "archive")
    for instance in instances:
        assert archive_there.read(instance.digest).SOPInstanceUID == instance.sop_instance_uid
    receive(archive_there, range(20, 21))
    assert b"swordfish" not in (tmp_path / "backup" / "database.sqlite").read_bytes()


def test_what_came_after_the_backup_is_indexed_again_when_its_files_are_put_back(
    settings: Settings, database: Database, archive: Archive, tmp_path: Path
) -> None:
    receive(archive, range(2))
    make_backup(settings, database, tmp_path / "backup")
    receive(archive, range(2, 5))
    restored = elsewhere(tmp_path)
    restore_backup(restored, tmp_path / "backup")
    shutil.copytree(settings.data_dir / "archive", restored.data_dir / "archive", dirs_exist_ok=True)
    there = Archive(Database(restored.sqlalchemy_url), restored.data_dir / "archive")
    for _ in range(2):
        with relying_on_files(there), there.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Instance)) == 5
    assert list(there.files.incoming.glob("*.mark")) == []
    there.database.close()


def test_settings_go_without_their_secrets_unless_asked(settings: Settings, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("database_url: postgresql://u:hidden@h/d\nweb: {token: hidden, port: 8081}\n")
    (settings.data_dir / "web-signing-key").write_text("hidden")
    make_backup(settings, database, tmp_path / "one", settings_file=file)
    kept = (tmp_path / "one" / "agent.yaml").read_text()
    assert "hidden" not in kept
    assert "8081" in kept
    assert not (tmp_path / "one" / "web-signing-key").exists()
    make_backup(settings, database, tmp_path / "two", settings_file=file, with_secrets=True)
    assert "hidden" in (tmp_path / "two" / "agent.yaml").read_text()
    assert (tmp_path / "two" / "web-signing-key").read_text() == "hidden"


def test_a_damaged_or_unfinished_backup_is_refused(
    settings: Settings, database: Database, archive: Archive, tmp_path: Path
) -> None:
    receive(archive, range(1))
    folder = tmp_path / "backup"
    made = make_backup(settings, database, folder)
    (name,) = [name for name in made.files if name.endswith(".dcm")]
    (folder / name).unlink()
    with pytest.raises(BackupFailed, match="missing or damaged"):
        restore_backup(elsewhere(tmp_path), folder)
    (folder / "backup.json").unlink()
    with pytest.raises(BackupFailed, match="no backup"):
        check_backup(folder)


def test_nothing_is_overwritten(settings: Settings, database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    make_backup(settings, database, folder)
    with pytest.raises(BackupFailed, match="not empty"):
        make_backup(settings, database, folder)
    with pytest.raises(BackupFailed, match="not empty"):
        restore_backup(settings, folder)
    with database.reading() as session:
        assert session.scalars(select(Peer)).all() == []


@pytest.mark.slow
def test_postgres_comes_back_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    server = pgserver.get_server(tmp_path / "postgres")
    try:
        server.psql("CREATE DATABASE empty")
        here = Settings(data_dir=tmp_path / "data", database_url=server.get_uri())
        database = Database(here.sqlalchemy_url)
        upgrade(database)
        receive(Archive(database, here.data_dir / "archive"), range(3))
        with database.writing() as session:
            set_secret(session, "webhook_key", "swordfish", actor="ada")
        made = make_backup(here, database, tmp_path / "backup")
        there = Settings(data_dir=tmp_path / "restored", database_url=server.get_uri("empty"))
        restore_backup(there, tmp_path / "backup")
        restored = Database(there.sqlalchemy_url)
        with restored.reading() as session:
            assert len(session.scalars(select(Instance)).all()) == made.rows["instances"] == 3
            assert session.scalars(select(RuntimeSecret)).all() == []
        receive(Archive(database, here.data_dir / "archive"), range(3, 4))
        shutil.copytree(here.data_dir / "archive", there.data_dir / "archive", dirs_exist_ok=True)
        with relying_on_files(Archive(restored, there.data_dir / "archive")), restored.reading() as session:
            assert session.scalar(select(func.count()).select_from(Instance)) == 4
        for one in (database, restored):
            one.close()
    finally:
        server.cleanup()


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    run = CliRunner().invoke
    here, there = ({"PACS_AGENT_DATA_DIR": str(tmp_path / name)} for name in ("data", "restored"))
    made = run(main, ["backup", str(tmp_path / "backup")], env=here, catch_exceptions=False)
    assert "without secrets" in made.output
    again = run(main, ["backup", str(tmp_path / "backup")], env=here)
    assert again.exit_code == 1
    assert "not empty" in again.output
    restored = run(main, ["restore", str(tmp_path / "backup")], env=there, catch_exceptions=False)
    assert "all digests and counts are those of the backup" in restored.output
    exported = run(main, ["config", "export"], env=there, catch_exceptions=False).output
    (tmp_path / "c.yaml").write_text(exported.replace("peers: []", "peers: [{ae_title: PACS}]"))
    assert "+- ae_title: PACS" in run(main, ["config", "diff", str(tmp_path / "c.yaml")], env=there).output
    taken = run(main, ["config", "import", "--yes", str(tmp_path / "c.yaml")], env=there, catch_exceptions=False)
    assert "is in force" in taken.output
    assert "nothing would change" in run(main, ["config", "diff", str(tmp_path / "c.yaml")], env=there).output
