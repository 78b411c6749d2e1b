"""Label efficiency of GTGM against random initialisation, each loss alone and captions by file name.

    python -m models.gtgm.evaluate --out build/gtgm
    python -m models.gtgm.evaluate --data fib25 --steps 100 --pretrain-steps 100 --seeds 1

Leaves label_efficiency.md and label_efficiency.json in OUT. What is computed already is not computed again.
"""

import json
import logging
from pathlib import Path

import click

from models.gtgm.card import LABEL_EFFICIENCY
from models.gtgm.evaluate.arms import ARMS, Pretraining
from models.gtgm.evaluate.harness import Plan, results
from models.gtgm.evaluate.sets import SETS, SetMissing, Sizes
from models.gtgm.evaluate.tables import markdown, table_of
from models.gtgm.finetune.fractions import SHARES

JSON_FILE = "label_efficiency.json"


@click.command()
@click.option("--data", "names", type=click.Choice(list(SETS)), multiple=True, help="Only these data sets.")
@click.option("--arm", "arms", type=click.Choice(list(ARMS)), multiple=True, help="Only these arms.")
@click.option("--share", "shares", type=float, multiple=True, default=SHARES, show_default=True)
@click.option("--seeds", type=int, default=3, show_default=True, help="How many seeds.")
@click.option("--steps", type=int, default=300, show_default=True, help="Of each fine-tuning.")
@click.option("--batch", type=int, default=2, show_default=True)
@click.option("--rate", type=float, default=2e-3, show_default=True)
@click.option("--preset", default="cpu-demo", show_default=True, help="Of the pretraining; gives the encoder, too.")
@click.option("--pretrain-steps", type=int, default=400, show_default=True)
@click.option("--pretrain-batch", type=int, default=8, show_default=True)
@click.option("--unlabelled", type=int, default=Sizes.unlabelled, show_default=True, help="Generated volumes.")
@click.option("--labelled", type=int, default=Sizes.labelled, show_default=True, help="Generated volumes.")
@click.option("--test", type=int, default=Sizes.test, show_default=True, help="Generated volumes.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/gtgm/evaluate"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/gtgm"), show_default=True)
def main(
    names: tuple[str, ...],
    arms: tuple[str, ...],
    shares: tuple[float, ...],
    seeds: int,
    steps: int,
    batch: int,
    rate: float,
    preset: str,
    pretrain_steps: int,
    pretrain_batch: int,
    unlabelled: int,
    labelled: int,
    test: int,
    cache: Path,
    out: Path,
) -> None:
    """Runs the comparison and prints its tables."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plan = Plan(arms or tuple(ARMS), tuple(sorted(shares)), tuple(range(seeds)), steps, batch, rate)
    pretraining = Pretraining(preset, pretrain_steps, pretrain_batch, cache)
    tables = []
    for name in names or tuple(SETS):
        try:
            data = SETS[name](Sizes(unlabelled, labelled, test), cache / "labelled")
        except SetMissing as missing:
            click.echo(f"{name} is left out: {missing}")
            continue
        tables.append(table_of(data, list(results(data, plan, pretraining, cache))))
    facts = (
        f"Encoder of preset {preset}, pretrained once per arm for {pretrain_steps} steps of {pretrain_batch} volumes;",
        f"fine-tuned for {steps} steps of {batch} crops. {seeds} seeds, each with its own draw of the labels. Means",
        "over test volumes and seeds, 95 % intervals by bootstrap over test volumes.",
    )
    text = markdown(tables, facts)
    out.mkdir(parents=True, exist_ok=True)
    (out / LABEL_EFFICIENCY).write_text(text, encoding="utf-8")
    (out / JSON_FILE).write_text(json.dumps({"facts": " ".join(facts), "tables": tables}, indent=1) + "\n")
    click.echo(text)


if __name__ == "__main__":
    main()
