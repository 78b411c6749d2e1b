"""Trains a preset and writes its bundle.

    python -m models.msvlm.train --preset cpu-demo --out models/bundles
    torchrun --nproc-per-node 8 -m models.msvlm.train --preset published --out models/bundles

Stages, in order: selfsup (the slice encoder without labels), encoder (on masks), tokens (of whole studies), masked
(embeddings), findings, decoder, calibration, bundle, evaluation. A stage whose result lies in the cache for the same
settings is not run again; one that was cut goes on from its checkpoint. `--again STAGE` starts over from there.

A preset of `models.msvlm.rectal` reads several series of a study. Its stages are encoder, tokens, items, decoder,
calibration, bundle, evaluation. It learns from your own studies too:

    python -m models.msvlm.train --preset rectal-mr-demo --archive DICOM_DIR --labels items.csv --out build/bundles
"""

from pathlib import Path

import click

from models.msvlm.distributed import joined, rank
from models.msvlm.preset import Preset, load_preset
from models.msvlm.rectal import stages as rectal
from models.msvlm.rectal.archive import StagedArchive, archive_of, told_to_the_user
from models.msvlm.rectal.preset import load_series_preset, preset_folder
from models.msvlm.rectal.run import SeriesRun
from models.msvlm.run import Run
from models.msvlm.stage_results import StageResults
from models.msvlm.stages import STAGES, RunStage, run_stages

NAMES = list(dict.fromkeys(stage.name for stage in (*STAGES, *rectal.STAGES)))


@click.command()
@click.option("--preset", default="cpu-demo", show_default=True, help="Name of a preset, or a folder of YAML files.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("models/bundles"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/msvlm"), show_default=True)
@click.option(
    "--archives",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File that names your own archives, to train on them too; see docs/training.md.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of your own MR studies, for a preset that reads several series; with --labels.",
)
@click.option(
    "--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="CSV file with their seven items."
)
@click.option(
    "--archive-share",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=0.5,
    show_default=True,
    help="How much of a step of the items is of --archive; the rest are phantoms.",
)
@click.option("--salt", default="", help="Draws the splits of --archive; keep it secret.")
@click.option("--fresh", is_flag=True, help="Train every stage again (rendered studies are kept).")
@click.option("--again", type=click.Choice(NAMES), help="Train this stage and those after it again.")
@click.option("--until", type=click.Choice(NAMES), default="evaluation", help="The last stage to run.")
def main(
    preset: str,
    out: Path,
    cache: Path,
    archives: Path | None,
    archive: Path | None,
    labels: Path | None,
    archive_share: float,
    salt: str,
    fresh: bool,
    again: str | None,
    until: str,
) -> None:
    """Trains a preset and writes its bundle with card and evaluation."""
    run, stages = run_of(preset, archives, cache, out, archive_of(archive, labels, cache, archive_share, salt))
    names = [stage.name for stage in stages]
    for stage in (again, until):
        if stage is not None and stage not in names:
            raise click.UsageError(f"preset {preset} has no stage {stage}; its stages are {', '.join(names)}")
    with told_to_the_user(), joined():
        if rank() == 0:
            for name in names[names.index(again) if again else 0 :] if fresh or again else ():
                run.forget(name)
        run_stages(run, stages[: names.index(until) + 1])


def run_of(
    preset: str, archives: Path | None, cache: Path, out: Path, staged: StagedArchive | None = None
) -> tuple[StageResults, tuple[RunStage, ...]]:
    """The run of a preset and its stages: those for one series of CT, or for several of MR."""
    folder = preset_folder(preset)
    if folder is None:
        if staged is not None:
            raise click.UsageError(f"preset {preset} reads one series of CT; it takes --archives, not --archive")
        return Run(with_archives(load_preset(preset), archives), cache, out), STAGES
    if archives is not None:
        raise click.UsageError(f"preset {preset} takes no --archives; your own studies are --archive and --labels")
    return SeriesRun(load_series_preset(folder), cache, out, staged), rectal.STAGES


def with_archives(preset: Preset, archives: Path | None) -> Preset:
    """The preset, its archives replaced by those of a file where one is given."""
    if archives is None:
        return preset
    return preset.model_copy(update={"data": preset.data.model_copy(update={"archives": archives})})


if __name__ == "__main__":
    main()
