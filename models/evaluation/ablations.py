"""What each part of the recipe is worth: the same training without it, scored on the same held-out phantoms.

    python -m models.evaluation.ablations --checkpoint .cache/msvlm/NAME/model.pt --bundle models/bundles/NAME

Ablations of the reader and the decoder learn on the run's slice tokens, those of the slice encoder are trained anew;
all of a level for the same short while, their reference too. Each result is kept under what it depends on in
`ablations.json` in the run's folder, so that a run that was stopped goes on, and the file becomes part of
evaluation.json.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch

from models.datasets.cache import code_digest
from models.evaluation import ablated_encoder, ablated_reader
from models.evaluation.ablated_reader import Material
from models.evaluation.evaluate import PROCESSES, Subject, console
from models.evaluation.heldout import Encoder, encoded
from models.evaluation.sources import held_out_phantoms
from models.msvlm.stages import encoded as training_tokens


@dataclass(frozen=True)
class Ablation:
    """What is left out, at which level, and how it is measured."""

    level: str
    measure: Callable[[Material], dict[str, Any]]


ABLATIONS: dict[str, Ablation] = {
    "reader with all its parts": Ablation("reader", ablated_reader.whole),
    "without masked embedding modelling": Ablation("reader", ablated_reader.without_masked),
    "without z positions": Ablation("reader", ablated_reader.without_z),
    "slice numbers instead of mm": Ablation("reader", ablated_reader.slice_numbers),
    "[CLS] only": Ablation("reader", ablated_reader.class_only),
    "decoder from scratch": Ablation("decoder", ablated_reader.decoder_from_scratch),
    "decoder: frozen tiny language model with LoRA": Ablation("decoder", ablated_reader.decoder_language_model),
    "slab views": Ablation("encoder", ablated_encoder.slab_views),
    "sub-volumes of eight slices": Ablation("encoder", ablated_encoder.sub_volume),
    "isolated-slice views": Ablation("encoder", ablated_encoder.isolated_views),
    "DINO instead of LeJEPA": Ablation("encoder", ablated_encoder.dino),
    "no self-supervision": Ablation("encoder", ablated_encoder.no_selfsup),
    "160 columns": Ablation("encoder", ablated_encoder.columns_160),
    "320 columns": Ablation("encoder", ablated_encoder.columns_320),
}
REFERENCES = {"reader": "reader with all its parts", "decoder": "decoder from scratch", "encoder": "slab views"}
"""What the others of a level are held against."""


def material(subject: Subject, studies: int) -> Material:
    """The tokens of the run's splits and of the held-out phantoms."""
    preset, run = subject.network.preset, subject.run
    held_out = encoded(Encoder(subject.folder), held_out_phantoms(preset, studies), run.cache, PROCESSES)
    reader, validation = (training_tokens(run, subject.network, split) for split in ("reader", "validation"))
    return Material(subject.network, run, reader, validation, held_out)


def key_of(subject: Subject, name: str, studies: int) -> str:
    """Digest of everything on which a result depends."""
    code = code_digest(("evaluation/ablated_reader.py", "evaluation/ablated_encoder.py"))
    parts = (subject.run.file("tokens").name, Encoder(subject.folder).digest, name, studies, code)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def run_ablations(subject: Subject, names: list[str], studies: int) -> Path:
    """Measures what is not yet in `ablations.json` and gives its path."""
    path = subject.run.folder / "ablations.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    missing = [name for name in names if kept.get(name, {}).get("key") != key_of(subject, name, studies)]
    given = material(subject, studies) if missing else None
    for name in missing:
        console.rule(name)
        if given is not None:
            row = ABLATIONS[name].measure(given)
            kept[name] = {"key": key_of(subject, name, studies), "level": ABLATIONS[name].level, **row}
            path.write_text(json.dumps(with_changes(kept), indent=1) + "\n")
    return path


def with_changes(rows: dict[str, Any]) -> dict[str, Any]:
    """The rows with the change of the macro AUROC against the reference of their level."""
    for row in rows.values():
        reference = rows.get(REFERENCES[row["level"]], {})
        if "macro_auroc" in row and "macro_auroc" in reference:
            row["change"] = round(row["macro_auroc"]["value"] - reference["macro_auroc"]["value"], 4)
    return rows


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of the run.")
@click.option("--only", multiple=True, type=click.Choice([*ABLATIONS]), help="These alone; by default all.")
@click.option("--level", type=click.Choice([*REFERENCES]), help="Those of one level alone.")
@click.option("--studies", type=int, default=160, show_default=True, help="Held-out phantoms.")
def main(bundle: Path, checkpoint: Path, only: tuple[str, ...], level: str | None, studies: int) -> None:
    """Trains the recipe without its parts, one after the other."""
    torch.set_num_threads(PROCESSES)
    names = [*only] or [name for name, ablation in ABLATIONS.items() if level in (None, ablation.level)]
    console.print(f"written to {run_ablations(Subject.open(bundle, checkpoint), names, studies)}")


if __name__ == "__main__":
    main()
