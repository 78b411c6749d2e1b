"""Pretrains a volume encoder without reports.

    python -m models.gtgm.pretrain --preset cpu-demo --phantoms 200 --out .cache/gtgm/pretrained
    torchrun --nproc-per-node 8 -m models.gtgm.pretrain --preset published --out .cache/gtgm/pretrained

Leaves in OUT/NAME: encoder.pt (fine-tuning starts from it), the curves as pretrain.png, pretrain.jsonl and TensorBoard
events, and the checkpoint from which a run that was cut goes on.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from models.gtgm.networks import load_encoder
from models.gtgm.pretrain.preset import GtgmPreset, VolumeFolder, load_gtgm_preset
from models.gtgm.pretrain.training import PretrainingRun
from models.gtgm.volume import Modality
from models.msvlm.distributed import joined, rank

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--preset", default="cpu-demo", show_default=True, help="Name of a preset, or a YAML file.")
@click.option("--phantoms", type=int, help="Thorax phantoms to learn from, instead of the preset's number.")
@click.option("--dicom", type=FOLDER, multiple=True, help="Folder of chest CTs as DICOM files, in any layout.")
@click.option("--dicom-mr", type=FOLDER, multiple=True, help="Folder of MR studies as DICOM files, in any layout.")
@click.option("--nifti", type=FOLDER, multiple=True, help="Folder of NIfTI files of --modality.")
@click.option("--em", type=click.Path(path_type=Path, exists=True), multiple=True, help="An npz file with `raw`.")
@click.option("--modality", type=click.Choice([*Modality]), default="CT", show_default=True, help="Of --nifti.")
@click.option("--sequence", default="", help="Of --nifti, where it is MR: T2, ADC, …")
@click.option("--held-out", type=int, help="So many of the last volumes are kept aside to judge the result.")
@click.option("--loss", type=click.Choice(["both", "contrastive", "correlation"]), help="One term alone, to compare.")
@click.option("--captions", type=click.Choice(["facts", "file_name"]), help="Captions by file name, to compare.")
@click.option("--steps", type=int, help="Instead of the preset's.")
@click.option("--seed", type=int, help="Instead of the preset's.")
@click.option("--name", help="Name of the result's folder, instead of the preset's.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/gtgm/pretrained"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache/gtgm/volumes"), show_default=True)
@click.option("--fresh", is_flag=True, help="Start over; prepared volumes are kept.")
def main(
    preset: str,
    phantoms: int | None,
    dicom: tuple[Path, ...],
    dicom_mr: tuple[Path, ...],
    nifti: tuple[Path, ...],
    em: tuple[Path, ...],
    modality: str,
    sequence: str,
    held_out: int | None,
    loss: str | None,
    captions: str | None,
    steps: int | None,
    seed: int | None,
    name: str | None,
    out: Path,
    cache: Path,
    fresh: bool,
) -> None:
    """Pretrains a volume encoder on volumes and the text of their facts."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = load_gtgm_preset(preset)
    folders = (
        *(VolumeFolder(kind="dicom", path=path, modality=Modality.CT) for path in dicom),
        *(VolumeFolder(kind="dicom", path=path, modality=Modality.MR) for path in dicom_mr),
        *(VolumeFolder(kind="nifti", path=path, modality=Modality(modality), sequence=sequence) for path in nifti),
        *(VolumeFolder(kind="em", path=path, modality=Modality.EM) for path in em),
    )
    data = {"phantoms": phantoms, "folders": (*given.data.folders, *folders), "held_out": held_out}
    settings = {"name": name, "seed": seed, "loss": loss, "captions": captions}
    training = _changed(given.training.model_dump(), {"steps": steps})
    changed = _changed(given.model_dump(), settings) | {"data": _changed(given.data.model_dump(), data)}
    run = PretrainingRun(GtgmPreset.model_validate(changed | {"training": training}), cache, out)
    with joined():
        if fresh and rank() == 0:
            run.forget()
        path = run.pretrain()
        if rank() == 0:
            _say(path)


def _changed(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with those that were given."""
    return values | {name: value for name, value in given.items() if value is not None}


def _say(path: Path) -> None:
    _, _, trained = load_encoder(path)
    click.echo(f"encoder written to {path}, learned from {trained['volumes']} volumes")
    if "held_out_found" in trained:
        found, chance = trained["held_out_found"], trained["held_out_chance"]
        click.echo(
            f"of {trained['held_out']} held-out texts, {found:.0%} find their volume first (chance {chance:.0%})"
        )


if __name__ == "__main__":
    main()
