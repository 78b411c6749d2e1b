"""Backup of a running agent into a folder, and its restoration into an empty one, each checked by digest.

The database is copied first, as one state; then the files that it names. Files never change and come before their rows,
so they are there, unless their study was deleted meanwhile, which is counted. Where backup and archive are on one file
system a file is a hard link: it costs nothing, and the next backup has it too.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pacs_agent import __version__
from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.ops.database_copy import CopyFailed, copy_database, restore_database
from pacs_agent.ops.effective import effective_settings

MANIFEST = "backup.json"
ARCHIVE = "archive"
SETTINGS = "agent.yaml"
SIGNING_KEY = "web-signing-key"
MARK = f"{ARCHIVE}/incoming/restored.mark"
"""Nobody holds it: whoever receives next looks for files that came after the backup, and indexes them again."""


class BackupFailed(Exception):
    """A backup that could not be made or restored, or is not whole: what is wrong, and what to do."""


@dataclass(frozen=True)
class Backup:
    """What a backup holds. `gone`: files of studies that were deleted while it was made. `rows` are of each table."""

    made_at: str
    version: str
    revision: str
    with_secrets: bool
    gone: int
    size_bytes: int
    rows: dict[str, int]
    files: dict[str, str]
    """SHA-256 of each file of the backup, by its path in it."""


def make_backup(
    settings: Settings,
    database: Database,
    folder: Path,
    *,
    with_secrets: bool = False,
    settings_file: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Backup:
    """Makes a backup in a new folder while the agent works. Raises BackupFailed.

    Without `with_secrets` it holds no passwords, keys and tokens. Patient data and the hashes of people's passwords are
    in it either way: keep it as safe as the archive.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty: name a new folder for each backup")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        copied = copy_database(database, folder, with_secrets=with_secrets)
        files, gone = _take_files(settings, folder, copied.digests, progress)
        files[copied.file.name] = sha256_of(copied.file)
        files |= _take_settings(settings, folder, settings_file, with_secrets=with_secrets)
    except (CopyFailed, OSError) as error:
        raise BackupFailed(f"no backup was made: {error}") from error
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    size_bytes = sum((folder / name).stat().st_size for name in files)
    backup = Backup(made_at, __version__, copied.revision, with_secrets, gone, size_bytes, copied.rows, files)
    _write_synced(folder / MANIFEST, json.dumps(asdict(backup), indent=1).encode())
    return backup


def check_backup(folder: Path) -> Backup:
    """What a backup holds, after each of its files was compared with its digest. Raises BackupFailed."""
    backup = _manifest(folder)
    for name, digest in backup.files.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != digest:
            raise BackupFailed(f"{name} of the backup is missing or damaged: use another backup")
    return backup


def restore_backup(settings: Settings, folder: Path) -> Backup:
    """Restores a backup into the data folder of the settings, which must be empty, and checks what came of it.

    The settings file is not put anywhere: it lies in the backup. Raises BackupFailed.
    """
    backup = check_backup(folder)
    if settings.data_dir.exists() and any(settings.data_dir.iterdir()):
        raise BackupFailed(f"{settings.data_dir} is not empty: set data_dir to a new folder, or move this one away")
    try:
        for name in backup.files:
            if name.startswith(f"{ARCHIVE}/") or name == SIGNING_KEY:
                target = settings.data_dir / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(folder / name, target)
        restored = restore_database(folder, settings.sqlalchemy_url)
    except (CopyFailed, OSError) as error:
        raise BackupFailed(f"not restored: {error}") from error
    if restored.rows != backup.rows:
        raise BackupFailed("the restored database does not hold the rows of the backup: use another backup")
    missing = sum(not (settings.data_dir / ARCHIVE / _file_of(digest)).is_file() for digest in restored.digests)
    if missing > backup.gone:
        raise BackupFailed(f"{missing} files that the database names are missing: use another backup")
    mark = settings.data_dir / MARK
    mark.parent.mkdir(parents=True, exist_ok=True)
    _write_synced(mark, b"")
    return backup


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take_files(
    settings: Settings, folder: Path, digests: tuple[str, ...], progress: Callable[[int, int], None]
) -> tuple[dict[str, str], int]:
    """Links or copies the files of the archive; their digests, and how many were gone."""
    taken: dict[str, str] = {}
    for count, digest in enumerate(digests):
        name = f"{ARCHIVE}/{_file_of(digest)}"
        if _take(settings.data_dir / name, folder / name):
            taken[name] = sha256_of(folder / name)
        progress(count + 1, len(digests))
    return taken, len(digests) - len(taken)


def _take(source: Path, target: Path) -> bool:
    """Whether a file was there. It is linked where that can be, and copied elsewhere."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        return False
    except OSError:  # another file system, or one without hard links
        try:
            shutil.copy2(source, target)
        except FileNotFoundError:
            return False
    return True


def _take_settings(
    settings: Settings, folder: Path, settings_file: Path | None, *, with_secrets: bool
) -> dict[str, str]:
    """The settings file, and with secrets the key that signs logins."""
    if settings_file is not None and settings_file.is_file():
        written = settings_file.read_bytes()
        _write_synced(folder / SETTINGS, written if with_secrets else _without_secrets(settings, written))
    key = settings.data_dir / SIGNING_KEY
    if with_secrets and key.is_file():
        shutil.copy2(key, folder / SIGNING_KEY)
    return {name: sha256_of(folder / name) for name in (SETTINGS, SIGNING_KEY) if (folder / name).is_file()}


def _without_secrets(settings: Settings, written: bytes) -> bytes:
    """A settings file without its secrets; comments are lost with them. A database's address may hold a password."""
    content = yaml.safe_load(written)
    secret = [one.name for one in effective_settings(settings) if one.is_secret]
    for path in (*secret, "database_url"):
        *sections, name = path.split(".")
        part: Any = content
        for section in sections:
            part = part.get(section) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part.pop(name, None)
    heading = b"# without its secrets, and without database_url\n"
    return heading + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, encoding="utf-8")


def _manifest(folder: Path) -> Backup:
    try:
        return Backup(**json.loads((folder / MANIFEST).read_bytes()))
    except FileNotFoundError as error:
        raise BackupFailed(f"{folder} holds no {MANIFEST}: it is no backup, or one that was broken off") from error
    except (OSError, ValueError, TypeError) as error:
        raise BackupFailed(f"{folder / MANIFEST} cannot be read: use another backup") from error


def _file_of(digest: str) -> str:
    return f"{digest[:2]}/{digest}.dcm"


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
