"""The figures of the arms: kept reader by reader, so that a cut run goes on; as rows and as a table.

A figure is the mean over the seeds' readers, its interval a bootstrap over the held-out studies. Controls are of the
same readers: labels of another study, and tokens without content.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.metrics import BOOTSTRAPS, Figure, Indices, auroc, figure, macro
from models.gtgm.sequence.effect import ARMS
from models.msvlm.calibrate import Array

REFERENCE = "masked"
DRAWS = BOOTSTRAPS
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Said:
    """Finding logits [n, F] of the held-out studies by one reader: of their tokens, and of tokens without content."""

    logits: Array
    blanked: Array

    def save(self, path: Path) -> None:
        """Writes it; first to a temporary name, so that a cut run leaves no half."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part.npz")
        np.savez(draft, logits=self.logits, blanked=self.blanked)
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Said":
        """What `save` wrote."""
        with np.load(path) as file:
            return cls(file["logits"], file["blanked"])


def rows_of(labels: Array, said: dict[str, dict[int, Said]]) -> Rows:
    """A row for each arm key with the readers of its seeds; labels [n, F]."""
    return {key: _row(labels, of_seeds, said.get(REFERENCE, {})) for key, of_seeds in said.items() if of_seeds}


def _row(labels: Array, said: dict[int, Said], reference: dict[int, Said]) -> dict[str, Any]:
    seeds, n = sorted(said), len(labels)
    logits = [said[seed].logits for seed in seeds]
    both = [seed for seed in seeds if seed in reference]
    ours, theirs = ([one[seed].logits for seed in both] for one in (said, reference))
    return {
        "macro_auroc": figure(_mean_auroc(labels, logits), n, DRAWS),
        "of_seeds": {seed: _rounded(labels, said[seed].logits) for seed in seeds},
        "gain": figure(_difference(labels, ours, theirs), n, DRAWS) if both else None,
        "gain_of_seeds": {s: _rounded(labels, said[s].logits, reference[s].logits) for s in both},
        "labels_of_another": figure(_mean_auroc(np.roll(labels, 1, axis=0), logits), n, DRAWS),
        "blanked": figure(_mean_auroc(labels, [said[seed].blanked for seed in seeds]), n, DRAWS),
    }


def _mean_auroc(labels: Array, scores: Sequence[Array]) -> Callable[[Indices], float]:
    return lambda i: float(np.mean([macro(auroc, labels[i], one[i]) for one in scores]))


def _difference(labels: Array, ours: Sequence[Array], theirs: Sequence[Array]) -> Callable[[Indices], float]:
    our, their = _mean_auroc(labels, ours), _mean_auroc(labels, theirs)
    return lambda i: our(i) - their(i)


def _rounded(labels: Array, scores: Array, reference: Array | None = None) -> float:
    value = macro(auroc, labels, scores) - (0.0 if reference is None else macro(auroc, labels, reference))
    return round(value, 4)


def markdown(rows: Rows) -> str:
    """The rows as a table, in the order of the arms."""
    lines = [
        "| reader | macro AUROC | seeds | gain over masked embeddings | labels of another | blank tokens |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_line(arm.name, rows[arm.key]) for arm in ARMS if arm.key in rows]
    return "\n".join(lines) + "\n"


def _line(name: str, row: dict[str, Any]) -> str:
    seeds = " ".join(f"{value:.3f}" for value in row["of_seeds"].values())
    gain = "" if row["gain"] is None else _interval(row["gain"], "+.3f")
    controls = " | ".join(f"{row[key]['value']:.3f}" for key in ("labels_of_another", "blanked"))
    return f"| {name} | {_interval(row['macro_auroc'], '.3f')} | {seeds} | {gain} | {controls} |"


def _interval(value: Figure, form: str) -> str:
    return f"{value['value']:{form}} ({value['low']:{form}} to {value['high']:{form}})"


def account(rows: Rows) -> str:
    """In words, whether the term is ahead of masked embeddings alone."""
    gain = rows.get("both", {}).get("gain")
    if gain is None:
        return "Not measured yet."
    ends = f"{gain['value']:+.3f}, {gain['low']:+.3f} to {gain['high']:+.3f}"
    if gain["low"] > 0.0:
        return f"Text and correlation are ahead of masked embeddings alone ({ends})."
    if gain["high"] < 0.0:
        return f"Text and correlation are behind masked embeddings alone ({ends})."
    return f"No gain of text and correlation over masked embeddings alone is shown ({ends})."
