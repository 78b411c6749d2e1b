"""Writes pelvic MR phantoms as DICOM: `python -m models.phantoms.pelvis OUT_DIR --studies 3 --seed 7`."""

from pathlib import Path

import click

from models.phantoms.pelvis import generate_pelvis
from models.phantoms.pelvis.dicom import write_study


@click.command()
@click.argument("out_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", default=1, show_default=True, help="Of the first study; the others follow.")
@click.option("--studies", type=click.IntRange(1, 10_000), default=1, show_default=True)
@click.option("--t-stage", type=click.IntRange(1, 4), default=None, help="Random, or no tumour, unless given.")
@click.option("--no-tumour", is_flag=True, help="Only studies without a tumour.")
@click.option("--fineness", type=click.FloatRange(0.1, 1.0), default=1.0, show_default=True, help="Below 1: coarser.")
def main(out_dir: Path, seed: int, studies: int, t_stage: int | None, no_tumour: bool, fineness: float) -> None:
    """Writes pelvic MR studies of phantoms, each into a folder of its own with truth.json."""
    if no_tumour and t_stage is not None:
        raise click.UsageError("give either --t-stage or --no-tumour")
    for one in range(seed, seed + studies):
        phantom = generate_pelvis(one, tumour=False if no_tumour else None, t_stage=t_stage, fineness=fineness)
        folder = out_dir / f"pelvis-{one}"
        paths = write_study(phantom, folder)
        click.echo(f"{len(paths)} images in {folder}\n{phantom.report}")


if __name__ == "__main__":
    main()
