"""Trains the thorax segmenter of a bundle.

    python -m models.gtgm.finetune --preset thorax-demo --encoder .cache/gtgm/pretrained/gtgm-thorax-demo/encoder.pt

Leaves in OUT/NAME: segmenter.pt, the curves as finetune.png, finetune.jsonl and TensorBoard events, and the checkpoint
from which a run that was cut goes on. `python -m models.gtgm.export` makes a bundle of it.
"""

from pathlib import Path

import click
import torch

from models.gtgm.finetune.fit import FitSettings, fit
from models.gtgm.finetune.heads import Segmenter, from_checkpoint, new_segmenter, save_segmenter
from models.gtgm.finetune.phantoms import NAMES
from models.gtgm.finetune.preset import SegmenterPreset, load_segmenter_preset
from models.gtgm.finetune.thorax import structure_scores, training_examples, validation_examples
from models.gtgm.networks import load_encoder
from models.gtgm.volume import Modality

RANDOM = "random initialisation"


def train(preset: SegmenterPreset, encoder: Path | None, cache: Path, out: Path) -> Path:
    """Trains, judges and keeps the segmenter of a preset; gives its path. A run that was cut goes on."""
    torch.manual_seed(preset.training.seed)
    network, start = _network(preset, encoder)
    examples = training_examples(preset, cache)
    folder = out / preset.name
    fit(network, examples, preset.training, folder)
    scores = structure_scores(network, validation_examples(preset, cache), preset)
    account = {
        "preset": preset.model_dump(mode="json"),
        "encoder": start,
        "volumes": len(examples),
        "validation": scores,
    }
    save_segmenter(network, account, folder / "segmenter.pt")
    return folder / "segmenter.pt"


def _network(preset: SegmenterPreset, encoder: Path | None) -> tuple[Segmenter, str]:
    """The network before training, and where its encoder comes from."""
    if encoder is None:
        return new_segmenter(preset.encoder, len(NAMES)), RANDOM
    network = from_checkpoint(encoder, preset.encoder, len(NAMES), Modality.CT)
    return network, f"pretraining {load_encoder(encoder)[2].get('preset', {}).get('name', encoder.stem)}"


@click.command()
@click.option("--preset", "name", default="thorax-demo", show_default=True, help="Name of a preset, or a YAML file.")
@click.option("--encoder", type=click.Path(path_type=Path, exists=True), help="encoder.pt of a pretraining.")
@click.option("--steps", type=int, help="Instead of the preset's; a run that has them already is only judged.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/gtgm/labelled"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/gtgm/finetuned"), show_default=True)
def main(name: str, encoder: Path | None, steps: int | None, cache: Path, out: Path) -> None:
    """Trains the thorax segmenter of a bundle."""
    preset = load_segmenter_preset(name)
    if steps is not None:
        training = FitSettings.model_validate({**preset.training.model_dump(), "steps": steps})
        preset = preset.model_copy(update={"training": training})
    click.echo(f"segmenter written to {train(preset, encoder, cache, out)}")


if __name__ == "__main__":
    main()
