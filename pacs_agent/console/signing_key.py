"""The key that signs login cookies: made at the first start, kept in the data folder, for the agent's eyes only."""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from pacs_agent.console.secure_start import InsecureStart

FILE_NAME = "web-signing-key"
KEY_BYTES = 32


def signing_key(data_dir: Path) -> bytes:
    """The key, made if there is none yet; of several processes that start at once all get the same.

    Raises InsecureStart when others than the file's owner can read it, or when it is not whole.
    """
    path = data_dir / FILE_NAME
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _make(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InsecureStart(f"{path} signs logins and can be read by others; chmod 600, or delete it to end all logins")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise InsecureStart(f"{path} is not whole; delete it, which ends all logins, and start again")
    return key


def _make(path: Path) -> None:
    """Writes a whole file beside the place, then links it there unless another process was first. All is fsynced."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=FILE_NAME)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
