"""A digest of what code does: what is said in comments and docstrings changes nothing."""

import ast
import hashlib
from collections.abc import Sequence
from pathlib import Path

from models.datasets.cache import APART, MODELS

FINETUNING = (
    *(f"gtgm/finetune/{name}.py" for name in ("blocks", "examples", "fit", "fractions", "heads", "instances")),
    *(f"gtgm/finetune/{name}.py" for name in ("losses", "metrics", "neighbours", "operating", "predict")),
    *("gtgm/evaluate/sets.py", "gtgm/networks.py", "gtgm/intensity.py"),
)
PRETRAINING = (
    *(f"gtgm/pretrain/{name}.py" for name in ("augment", "batches", "captions", "crops", "losses", "network")),
    *(f"gtgm/pretrain/{name}.py" for name in ("prepare", "queue", "text_tower", "training", "words")),
    *("gtgm/facts", "gtgm/text"),
)
THORAX = ("phantoms", "gtgm/finetune/phantoms.py")
PELVIS = ("phantoms/pelvis", "gtgm/evaluate/pelvis.py")


def digest_of(names: Sequence[str]) -> str:
    """Short digest of files below `models`, and of folders with all that is in them."""
    digest = hashlib.sha256()
    for name in names:
        path = MODELS / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if APART not in file.parents or APART in (path, *path.parents):
                digest.update(file.relative_to(MODELS).as_posix().encode() + b"\0" + _said(file).encode())
    return digest.hexdigest()[:12]


def _said(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
