"""Puts an evaluation beside its bundle: evaluation.json, evaluation.md, plots and MODEL_CARD.md."""

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Picture

from models.evaluation.card import write_card
from models.evaluation.evaluate import Evaluation, Subject, console, evaluate, from_other_commands
from models.evaluation.plan import Amounts, standard
from models.evaluation.plots import (
    cases_picture,
    evidence_picture,
    findings_picture,
    reliability_picture,
    roc_picture,
    save,
)
from models.evaluation.tables import goals_table, tables
from models.msvlm.preset import Preset

PLOTS = "evaluation"
"""Folder of the plots beside the card."""
STUDIES = 300
TITLES = ("ROC curves", "Reliability", "Findings", "Evidence", "Real cases")


def evaluate_bundle(
    folder: Path,
    checkpoint: Path,
    amounts: Amounts | None = None,
    out: Path | None = None,
    cache: Path | None = None,
) -> None:
    """Evaluates the bundle in `folder` and writes the results into `out`, by default the bundle itself."""
    subject = Subject.open(folder, checkpoint)
    evaluation = evaluate(subject, amounts or standard(STUDIES), cache or subject.run.cache)
    write(evaluation, out or folder)
    console.print("\n".join(goals_table(evaluation.figures)), markup=False, soft_wrap=True)
    console.print(f"written to {out or folder}")


def take_over(folder: Path, checkpoint: Path) -> None:
    """Adds to an evaluation what ablations and baselines of other commands left since; measures nothing."""
    subject = Subject.open(folder, checkpoint)
    figures = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    _write_words({**figures, **from_other_commands(subject.run)}, subject.network.preset, folder)


def write(evaluation: Evaluation, out: Path) -> None:
    """Writes figures, tables, plots and card."""
    (out / PLOTS).mkdir(parents=True, exist_ok=True)
    for title, picture in pictures(evaluation).items():
        save(picture, out / _plot(title))
    _write_words(evaluation.figures, evaluation.subject.network.preset, out)


def _write_words(figures: dict[str, Any], preset: Preset, out: Path) -> None:
    (out / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (out / "evaluation.md").write_text(tables(figures), encoding="utf-8")
    write_card(out, preset, figures, {title: _plot(title) for title in TITLES if (out / _plot(title)).is_file()})


def _plot(title: str) -> str:
    return f"{PLOTS}/{title.lower().replace(' ', '_')}.png"


def pictures(evaluation: Evaluation) -> dict[str, Picture]:
    """The plots by title."""
    measured, figures = evaluation.measured, evaluation.figures
    drawn = {
        "ROC curves": roc_picture(measured),
        "Reliability": reliability_picture(figures["reliability"]),
        "Findings": findings_picture(figures["per_finding"]),
        "Evidence": evidence_picture(evaluation.subject.runtime, measured, evaluation.source(len(measured))),
    }
    if evaluation.cases:
        drawn["Real cases"] = cases_picture(evaluation.cases)
    return drawn
