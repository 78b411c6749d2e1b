"""Arrays that are too large for memory and needed for a moment: in a nameless file, whose room is taken at once."""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@contextmanager
def array_on_disk(folder: Path, shape: tuple[int, ...], kind: type[np.generic]) -> Iterator[NDArray[Any]]:
    """An array of this shape and type, all zero, gone afterwards. Raises OSError when the disk has no room for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        # a map of a file without room would end the process when it is written
        os.posix_fallocate(file.fileno(), 0, math.prod(shape) * np.dtype(kind).itemsize)
        yield np.memmap(file, kind, "r+", shape=shape)
