"""A number that one process tells the others of its machine: how many associations are open."""

import os
from pathlib import Path

ASSOCIATIONS = "open-associations"
"""File below `data_dir`, written by the process that receives."""
WIDTH = 12


class OpenCount:
    """Writes the number into a file, in one write that no reader sees half of."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
        self.tell(0)

    def tell(self, count: int) -> None:
        """Writes the number."""
        os.pwrite(self._file, f"{count:<{WIDTH}}".encode(), 0)

    def close(self) -> None:
        """Says none, and gives the file back."""
        self.tell(0)
        os.close(self._file)


def told_count(file: Path) -> int | None:
    """The number that was written last; None where none ever was."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
