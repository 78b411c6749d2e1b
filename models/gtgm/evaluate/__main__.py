"""Label efficiency of GTGM against random initialisation, each loss alone and captions by file name.

    python -m models.gtgm.evaluate                       # goes on until all is measured, then prints the tables
    python -m models.gtgm.evaluate --minutes 30          # starts nothing after half an hour
    python -m models.gtgm.evaluate --minutes 0           # the tables of what is measured
    python -m models.gtgm.evaluate --data fib25 --arm GTGM --share 0.01 --seeds 1

Rows of figures are kept in models/gtgm/evaluate/results/BUDGET.jsonl. Leaves label_efficiency.md and
label_efficiency.json in OUT, the tables in DOC, and with --bundle in the bundle's folder, where its card takes them.
"""

import json
import logging
from pathlib import Path

import click
import torch

from models.gtgm.card import LABEL_EFFICIENCY
from models.gtgm.evaluate.arms import ARMS
from models.gtgm.evaluate.budget import load_budget
from models.gtgm.evaluate.cells import RESULTS, cells_of, kept_rows, known
from models.gtgm.evaluate.jobs import Sitting, measure_all
from models.gtgm.evaluate.sets import SETS
from models.gtgm.evaluate.tables import facts_of, markdown, table_of
from models.gtgm.finetune.fractions import SHARES

JSON_FILE = "label_efficiency.json"
DOC = Path(__file__).parents[3] / "docs" / "label-efficiency.md"
ABOVE = """# What pretraining is worth

Written by `make evaluate-gtgm`; [the GTGM chapter](gtgm.md#label-efficiency) says how it is measured.

"""
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--data", "names", type=click.Choice(list(SETS)), multiple=True, help="Only these data sets.")
@click.option("--arm", "arms", type=click.Choice(list(ARMS)), multiple=True, help="Only these arms.")
@click.option("--share", "shares", type=float, multiple=True, default=SHARES, show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many seeds.")
@click.option("--budget", "spent", default="cpu-demo", show_default=True, help="Name of a budget, or a YAML file.")
@click.option("--minutes", type=click.FloatRange(0.0), help="Start no cell after so many; 0 for the tables alone.")
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True, help="Of one thread each.")
@click.option("--rows", type=click.Path(path_type=Path), help="File of the rows, instead of the repository's.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/gtgm/evaluate"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/gtgm"), show_default=True)
@click.option("--doc", type=click.Path(path_type=Path), default=DOC, help="Chapter of the tables, instead of docs/.")
@click.option("--bundle", type=FOLDER, help="Folder of a segmenter's bundle: its next card has the tables.")
def main(
    names: tuple[str, ...],
    arms: tuple[str, ...],
    shares: tuple[float, ...],
    seeds: int,
    spent: str,
    minutes: float | None,
    processes: int,
    rows: Path | None,
    cache: Path,
    out: Path,
    doc: Path,
    bundle: Path | None,
) -> None:
    """Measures what is not measured yet and prints the tables."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    budget = load_budget(spent)
    path = rows or RESULTS / f"{budget.name}.jsonl"
    cells = cells_of(names or tuple(SETS), arms or tuple(ARMS), shares, seeds)
    sitting = Sitting(budget, tuple(cells), path, cache, minutes)
    if minutes != 0:
        measure_all(sitting, processes)
    tables = tables_of(sitting)
    text = markdown(tables, facts_of(budget))
    for place in (out, *([bundle] if bundle else [])):
        place.mkdir(parents=True, exist_ok=True)
        (place / LABEL_EFFICIENCY).write_text(text, encoding="utf-8")
    (out / JSON_FILE).write_text(json.dumps({"facts": facts_of(budget), "tables": tables}, indent=1) + "\n")
    doc.write_text(ABOVE + text, encoding="utf-8")
    click.echo(text)


def tables_of(sitting: Sitting) -> list[dict[str, object]]:
    """The tables of all that is measured, whatever this command was to measure."""
    rows = kept_rows(sitting.rows)
    cells = cells_of(tuple(SETS), tuple(ARMS), SHARES, max(cell.seed for cell in sitting.cells) + 1)
    tables = []
    for name in SETS:
        data = sitting.set_of(name)
        found = known([cell for cell in cells if cell.data == name], data, sitting.budget, rows)
        tables.append(table_of(data, found, tuple(ARMS), SHARES))
    return tables


if __name__ == "__main__":
    main()
