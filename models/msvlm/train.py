"""Trains the demo model and writes its bundle.

    python -m models.msvlm.train --preset cpu-demo --out models/bundles

Stages: phantoms → slice encoder (masks) → masked embeddings → findings → decoder → calibration → bundle → evaluation.
A stage whose result lies in the cache is not run again; `--fresh` starts over.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import torch
from rich.console import Console

from models.msvlm.calibrate import calibrate, study_logits
from models.msvlm.cases import SPLITS, render_split
from models.msvlm.network import Network, load_network, new_network, save_network
from models.msvlm.preset import Preset, load_preset
from models.msvlm.stage_decoder import train_decoder
from models.msvlm.stage_encoder import train_encoder
from models.msvlm.stage_reader import start_from_encoder, train_findings, train_masked
from models.msvlm.studies import EncodedStudy, encode_studies

console = Console()


@dataclass(frozen=True)
class Run:
    """A training run: its preset and where its cache lies."""

    preset: Preset
    cache: Path

    @property
    def model(self) -> Path:
        """The finished network."""
        return self.cache / "model.pt"

    def stage(self, name: str) -> Path:
        """The network after a stage."""
        return self.cache / f"{name}.pt"


def trained_encoder(run: Run) -> Network:
    """The network after stage 1."""
    if run.stage("encoder").is_file():
        return load_network(run.stage("encoder"))
    network = new_network(run.preset)
    train_encoder(run.preset, network.encoder, render_split(run.preset, "encoder", run.cache), run.cache)
    save_network(network, run.stage("encoder"))
    return network


def encoded_splits(run: Run, network: Network) -> dict[str, list[EncodedStudy]]:
    """Slice tokens of the splits that later stages learn from."""
    return {name: _encoded(run, network, name) for name in SPLITS if name != "test"}


def _encoded(run: Run, network: Network, split: str) -> list[EncodedStudy]:
    cached = run.stage(f"tokens-{split}")
    if cached.is_file():
        return [EncodedStudy(**study) for study in torch.load(cached, weights_only=True)]
    studies = encode_studies(network.encoder, render_split(run.preset, split, run.cache), split)
    torch.save([vars(study) for study in studies], cached)
    return studies


def trained_reader(run: Run, network: Network, splits: dict[str, list[EncodedStudy]]) -> Network:
    """The network after stages 2 and 3."""
    if run.stage("reader").is_file():
        return load_network(run.stage("reader"))
    start_from_encoder(network.reader, network.encoder, splits["reader"])
    losses = train_masked(run.preset, network.reader, splits["reader"])
    if losses:
        console.print(f"masked embeddings: L1 {losses[0]:.3f} → {losses[-1]:.3f}")
    best = train_findings(run.preset, network.reader, splits["reader"], splits["validation"])
    console.print(f"findings: validation loss {best:.4f}")
    save_network(network, run.stage("reader"))
    return network


def train(run: Run) -> Network:
    """The finished network, calibrated; its file is `run.model`."""
    torch.manual_seed(run.preset.seed)
    network = trained_encoder(run)
    splits = encoded_splits(run, network)
    network = trained_reader(run, network, splits)
    loss = train_decoder(network, [*splits["reader"], *splits["encoder"]])
    console.print(f"decoder: loss {loss:.4f}")
    labels = torch.stack([study.labels for study in splits["validation"]]).double().numpy()
    network.points = calibrate(study_logits(network.reader.eval(), splits["validation"]), labels)
    save_network(network.eval(), run.model)
    return network


@click.command()
@click.option("--preset", "preset_name", default="cpu-demo", show_default=True, help="Name or path of a preset.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models/bundles"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/msvlm"), show_default=True)
@click.option("--fresh", is_flag=True, help="Train every stage again (rendered phantoms are kept).")
def main(preset_name: str, out: Path, cache: Path, fresh: bool) -> None:
    """Trains a preset and writes its bundle with card and evaluation."""
    preset = load_preset(preset_name)
    run = Run(preset, cache / Path(preset_name).stem)
    if fresh:
        for path in run.cache.glob("*.pt"):
            path.unlink()
    network = train(run)
    # Not at the top: training itself needs nothing of the agent, and its processes import this module.
    from models.msvlm.evaluate import evaluate_bundle
    from models.msvlm.export import write_bundle

    folder = write_bundle(network, out)
    evaluate_bundle(folder, run.model)
    console.print(f"bundle: {folder}")


if __name__ == "__main__":
    main()
