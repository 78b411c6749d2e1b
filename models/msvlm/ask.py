"""Asks a bundle about a CT series.

    python -m models.msvlm.ask models/bundles/msvlm-thorax-demo-0.3.1 path/to/series "Is there a pleural effusion?"

The series is a folder of DICOM files; where it holds several, the one that the agent would read is taken.
"""

from pathlib import Path

import click

from models.datasets.dicom_folder import studies_below, volume_of
from models.msvlm.questions import Unanswerable, answer, understood
from models.msvlm.runtime import BundleRuntime, Reading, StoredSeries
from pacs_agent.imaging import UnusableImages, choose_series, read_headers


def read_series(runtime: BundleRuntime, folder: Path) -> Reading:
    """What the bundle reads in a folder of DICOM files; others are passed over.

    Raises UnusableImages, and Unanswerable where no series is usable.
    """
    paths = [path for study in studies_below(folder) for path in study.paths]
    choice = choose_series(read_headers(paths), runtime.manifest.accepts)
    if choice.chosen is None:
        raise Unanswerable(f"No series of {folder} can be read: {choice.reason}")
    hu, z_mm, spacing_mm = volume_of(choice.chosen)
    stored = StoredSeries(hu, 1.0, 0.0, spacing_mm, z_mm)
    return runtime.read(runtime.encode(stored).tokens, stored.z_mm)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.argument("series", type=click.Path(path_type=Path, exists=True))
@click.argument("question")
def main(bundle: Path, series: Path, question: str) -> None:
    """Answers a question about a series in words that the model's scores license."""
    runtime = BundleRuntime.open(bundle)
    try:
        understood(question)  # before minutes of reading
        click.echo(answer(runtime, read_series(runtime, series), question).text)
    except (Unanswerable, UnusableImages) as refusal:
        raise click.ClickException(str(refusal)) from refusal


if __name__ == "__main__":
    main()
