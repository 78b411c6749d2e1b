"""Reads a patient's rectal MR study, all its series together: `python -m models.msvlm.rectal.read BUNDLE DICOM_DIR`."""

from pathlib import Path

import click

from models.msvlm.rectal.items import SCALES
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.stored import encoded, stored_study
from models.msvlm.rectal.studies import pad
from pacs_agent.imaging import read_headers


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("dicom_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(bundle: Path, dicom_dir: Path) -> None:
    """Prints which series were read, the probability of each level of each item, and the sentences."""
    runtime = SeriesRuntime.open(bundle)
    files = sorted(path for path in dicom_dir.rglob("*.dcm") if path.is_file())
    series, left_out = stored_study(read_headers(files))
    for one in series:
        click.echo(f"read: {one.key}, {len(one.stored)} slices")
    for one in left_out:
        click.echo(f"left out: {one.name}: {one.reason}")
    study = encoded(runtime, dicom_dir.name, series)
    staging = runtime.read(pad([study]).inputs)
    for scale in SCALES:
        levels = zip(scale.levels, staging.levels[scale.item], strict=True)
        click.echo(f"{scale.name}: " + ", ".join(f"{level} {share:.2f}" for level, share in levels))
    for _, sentence in runtime.report(staging, study.measured_mm):
        click.echo(sentence)


if __name__ == "__main__":
    main()
