"""Trains the thorax segmenter of a bundle.

    python -m models.gtgm.finetune --preset thorax-demo --encoder .cache/gtgm/pretrained/gtgm-thorax-demo/encoder.pt

Where the preset has a second training, it starts from what the first one takes for lesions that are none; `--start`
takes the first one's result from a file. Leaves in OUT/NAME: segmenter.pt, the curves as finetune.png, finetune.jsonl
and TensorBoard events (those of the second training in `refined`), and the checkpoints from which a run that was cut
goes on. `python -m models.gtgm.export` makes a bundle of it.
"""

from pathlib import Path
from typing import Any

import click
import torch

from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.fit import FitSettings, fit
from models.gtgm.finetune.heads import Segmenter, from_checkpoint, load_segmenter, new_segmenter, save_segmenter
from models.gtgm.finetune.mistakes import kept_mistakes
from models.gtgm.finetune.operating import set_operating_points
from models.gtgm.finetune.phantoms import NAMES
from models.gtgm.finetune.preset import SegmenterPreset, load_segmenter_preset
from models.gtgm.finetune.thorax import (
    LESIONS,
    PATCH_IN_USE,
    structure_scores,
    training_examples,
    validation_examples,
)
from models.gtgm.networks import load_encoder
from models.gtgm.volume import Modality
from pacs_agent.inference.segment import Windows

RANDOM = "random initialisation"


def train(preset: SegmenterPreset, encoder: Path | None, start: Path | None, cache: Path, out: Path) -> Path:
    """Trains, judges and keeps the segmenter of a preset; gives its path. A run that was cut goes on.

    `start`: the segmenter of the first training, which is then left out; it says itself what its encoder started from.
    """
    torch.manual_seed(preset.training.seed)
    network, origin, first = load_first(start) if start else (*_network(preset, encoder), None)
    examples, aside = training_examples(preset, cache), validation_examples(preset, cache)
    folder = out / preset.name
    if start is None:
        fit(network, examples, preset.training, folder)
    if preset.refining is not None:
        refine(network, examples, preset, preset.refining, folder / "refined")
    windows = Windows(PATCH_IN_USE, preset.overlap)
    account = {
        "preset": preset.model_dump(mode="json"),
        "encoder": origin,
        "started_from": first,
        "volumes": len(examples),
        "offsets": {NAMES[of]: offset for of, offset in set_operating_points(network, aside, windows, LESIONS).items()},
        "validation": structure_scores(network, aside, preset),
    }
    save_segmenter(network, account, folder / "segmenter.pt")
    return folder / "segmenter.pt"


def refine(
    network: Segmenter, examples: list[Example], preset: SegmenterPreset, settings: FitSettings, folder: Path
) -> None:
    """The second training, in place: lesions that the network sees where there are none are shown to it often."""
    windows = Windows(preset.training.patch, overlap=0.0)
    mistaken = kept_mistakes(network.eval(), examples, windows, LESIONS, folder / "mistakes.npz")
    fit(network, examples, settings, folder, mistaken)


def load_first(path: Path) -> tuple[Segmenter, str, dict[str, Any]]:
    """A segmenter that was kept, where its encoder came from, and what it learned from before."""
    network, trained = load_segmenter(path)
    before = {name: trained.get(name) for name in ("preset", "volumes", "started_from")}
    return network, str(trained["encoder"]), before


def _network(preset: SegmenterPreset, encoder: Path | None) -> tuple[Segmenter, str]:
    """The network before training, and where its encoder comes from."""
    if encoder is None:
        return new_segmenter(preset.encoder, len(NAMES)), RANDOM
    network = from_checkpoint(encoder, preset.encoder, len(NAMES), Modality.CT)
    return network, f"pretraining {load_encoder(encoder)[2].get('preset', {}).get('name', encoder.stem)}"


@click.command()
@click.option("--preset", "name", default="thorax-demo", show_default=True, help="Name of a preset, or a YAML file.")
@click.option("--encoder", type=click.Path(path_type=Path, exists=True), help="encoder.pt of a pretraining.")
@click.option(
    "--start", type=click.Path(path_type=Path, exists=True), help="segmenter.pt to refine: no first training."
)
@click.option("--steps", type=int, help="Of the first training, instead of the preset's; one that has them is not run.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/gtgm/labelled"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/gtgm/finetuned"), show_default=True)
def main(name: str, encoder: Path | None, start: Path | None, steps: int | None, cache: Path, out: Path) -> None:
    """Trains the thorax segmenter of a bundle."""
    preset = load_segmenter_preset(name)
    if steps is not None:
        training = FitSettings.model_validate({**preset.training.model_dump(), "steps": steps})
        preset = preset.model_copy(update={"training": training})
    click.echo(f"segmenter written to {train(preset, encoder, start, cache, out)}")


if __name__ == "__main__":
    main()
