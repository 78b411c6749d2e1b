"""Measures a bundle and writes evaluation.json, evaluation.md, plots and MODEL_CARD.md into its folder.

python -m models.evaluation --bundle models/bundles/NAME --checkpoint .cache/msvlm/NAME/model.pt
"""

import logging
import sys
from pathlib import Path

import click
import structlog

from models.evaluation import publish
from models.evaluation.evaluate import console
from models.evaluation.plan import quick, standard

INTERRUPTED = 130


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="The bundle's folder.")
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), required=True, help="model.pt of its run.")
@click.option("--studies", type=click.IntRange(min=8), default=300, show_default=True, help="Unseen phantoms to read.")
@click.option("--quick", "is_quick", is_flag=True, help="A few studies of each kind: shows that everything runs.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write; by default the bundle's folder.")
@click.option("--take-over", is_flag=True, help="Measure nothing, only add what ablations and baselines left since.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where encoded studies are kept; by default the run's.")
def main(
    bundle: Path, checkpoint: Path, studies: int, is_quick: bool, out: Path | None, cache: Path | None, take_over: bool
) -> None:
    """Measures a bundle: every figure beside its controls and baselines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if take_over:
        publish.take_over(bundle, checkpoint)
        return
    amounts = quick(studies) if is_quick else standard(studies)
    try:
        publish.evaluate_bundle(bundle, checkpoint, amounts, out, cache)
    except KeyboardInterrupt:
        console.print("Stopped. What was encoded is kept; the same command goes on from there.")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
