"""Measures what unreported studies give MS-VLM's findings when few studies have a report.

    python -m models.gtgm.sequence --checkpoint .cache/msvlm/NAME/model.pt --bundle models/bundles/NAME

Uses the rendered studies and tokens of the run; only the second window variant of the slices is encoded anew. The
figures go to `sequence.json` in the run's folder.
"""

import json
from pathlib import Path

import click
import torch

from models.evaluation.ablations import material
from models.evaluation.evaluate import Subject, console
from models.gtgm.sequence.effect import Schedule, effect
from models.gtgm.sequence.variants import unreported_studies


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of the run.")
@click.option("--studies", default=600, show_default=True, help="Unreported studies to learn from.")
@click.option("--held-out", default=160, show_default=True, help="Phantoms on which the findings are scored.")
@click.option("--share", default=0.1, show_default=True, help="Of the run's studies, that have a report.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--masked-steps", default=Schedule.masked_steps, show_default=True)
@click.option("--sequence-steps", default=Schedule.sequence_steps, show_default=True)
@click.option("--finding-steps", default=Schedule.finding_steps, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File of the figures, instead of the run's sequence.json.")
def main(
    bundle: Path,
    checkpoint: Path,
    studies: int,
    held_out: int,
    share: float,
    seeds: int,
    masked_steps: int,
    sequence_steps: int,
    finding_steps: int,
    threads: int,
    out: Path | None,
) -> None:
    """Trains the reader with and without the term, and compares its findings."""
    torch.set_num_threads(threads)
    subject = Subject.open(bundle, checkpoint)
    network, run = subject.network, subject.run
    pixel_mm, seed = network.preset.network.pixel_mm, network.preset.seed
    unreported = unreported_studies(network.encoder, run.shards("reader"), studies, pixel_mm, run.folder, seed)
    schedule = Schedule(share, masked_steps, sequence_steps, finding_steps)
    rows = effect(schedule, material(subject, held_out), unreported, range(seed, seed + seeds))
    path = out or run.folder / "sequence.json"
    path.write_text(json.dumps({"schedule": vars(schedule), "studies": len(unreported), "arms": rows}, indent=1) + "\n")
    for name, row in rows.items():
        auroc, gained = row["macro_auroc"], row["gain"]
        console.print(
            f"{name}: macro AUROC {auroc['value']:.4f} ({auroc['low']:.4f} to {auroc['high']:.4f}), "
            f"gain {gained['value']:+.4f} ({gained['low']:+.4f} to {gained['high']:+.4f}), seeds {row['of_seeds']}"
        )
    console.print(f"written to {path}")


if __name__ == "__main__":
    main()
