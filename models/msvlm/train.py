"""Trains a preset and writes its bundle.

    python -m models.msvlm.train --preset cpu-demo --out models/bundles
    torchrun --nproc-per-node 8 -m models.msvlm.train --preset published --out models/bundles

Stages, in order: selfsup (the slice encoder without labels), encoder (on masks), tokens (of whole studies), masked
(embeddings), findings, decoder, calibration, bundle, evaluation. A stage whose result lies in the cache for the same
settings is not run again; one that was cut goes on from its checkpoint. `--again STAGE` starts over from there.
"""

from pathlib import Path

import click

from models.msvlm.distributed import joined, rank
from models.msvlm.preset import Preset, load_preset
from models.msvlm.run import Run
from models.msvlm.stages import STAGES, run_stages

NAMES = [stage.name for stage in STAGES]


@click.command()
@click.option("--preset", default="cpu-demo", show_default=True, help="Name of a preset, or a folder of YAML files.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models/bundles"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/msvlm"), show_default=True)
@click.option(
    "--archives",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File that names your own archives, to train on them too; see docs/training.md.",
)
@click.option("--fresh", is_flag=True, help="Train every stage again (rendered studies are kept).")
@click.option("--again", type=click.Choice(NAMES), help="Train this stage and those after it again.")
@click.option("--until", type=click.Choice(NAMES), default=NAMES[-1], help="The last stage to run.")
def main(
    preset: str, out: Path, cache: Path, archives: Path | None, fresh: bool, again: str | None, until: str
) -> None:
    """Trains a preset and writes its bundle with card and evaluation."""
    run = Run(with_archives(load_preset(preset), archives), cache, out)
    with joined():
        if rank() == 0:
            for name in NAMES[NAMES.index(again) if again else 0 :] if fresh or again else ():
                run.forget(name)
        run_stages(run, STAGES[: NAMES.index(until) + 1])


def with_archives(preset: Preset, archives: Path | None) -> Preset:
    """The preset, its archives replaced by those of a file where one is given."""
    if archives is None:
        return preset
    return preset.model_copy(update={"data": preset.data.model_copy(update={"archives": archives})})


if __name__ == "__main__":
    main()
