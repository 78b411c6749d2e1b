"""Files of torch that are there whole or not at all: a run may be killed while it writes."""

from pathlib import Path
from typing import Any

import torch


def save_whole(content: Any, path: Path) -> None:
    """Writes what `torch.load` gives back, first under a temporary name beside it; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    torch.save(content, draft)
    draft.replace(path)
