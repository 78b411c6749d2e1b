"""Prints facts of an image and texts about them: `python -m models.gtgm.text --phantom 7`; --help names the rest."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from models.datasets.nifti_pairs import VolumeFault, read_nifti_array
from models.gtgm.facts import Fact, facts_of
from models.gtgm.mr_study import read_mr_study
from models.gtgm.pretrain.sources import DicomFolder, EmTiles, Phantoms
from models.gtgm.text import check, write
from models.gtgm.text.rounding import WRITTEN
from models.gtgm.volume import Modality, UnusableVolume, Volume


@click.command()
@click.option("--phantom", type=int, help="Seed of a thorax phantom.")
@click.option("--dicom", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of one study.")
@click.option("--nifti", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="NIfTI file, CT in HU.")
@click.option("--em", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="npz file with an array raw.")
@click.option(
    "--modality", type=click.Choice(["CT", "MR"]), default="CT", show_default=True, help="Of --nifti, --dicom."
)
@click.option("--sequence", default="", help="Of an MR file, such as T2.")
@click.option("--texts", type=click.IntRange(1, 20), default=2, show_default=True, help="How many texts to write.")
@click.option("--seed", default=0, show_default=True, help="Of the first text.")
def main(
    phantom: int | None,
    dicom: Path | None,
    nifti: Path | None,
    em: Path | None,
    modality: str,
    sequence: str,
    texts: int,
    seed: int,
) -> None:
    """Prints the facts of one image or study, and texts that state them."""
    if sum(source is not None for source in (phantom, dicom, nifti, em)) != 1:
        raise click.UsageError("give one of --phantom, --dicom, --nifti and --em")
    try:
        volumes = _volumes(phantom, dicom, nifti, em, Modality(modality), sequence)
    except (VolumeFault, UnusableVolume) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    facts = facts_of(volumes)
    console = Console()
    console.print(table_of(facts))
    for number in range(seed, seed + texts):
        sentences = write(facts, number)
        console.print(f"\n[bold]Text {number}[/bold]")
        console.print(" ".join(sentence.text for sentence in sentences), highlight=False)
        for wrong in check(sentences, facts):
            console.print(f"[red]wrong: {wrong.text} ({wrong.reason})[/red]")


def table_of(facts: Sequence[Fact]) -> Table:
    """Facts as a table, values rounded as a text would."""
    table = Table("fact", "value", "unit", "place", "sequence", title=f"{len(facts)} facts")
    for fact in facts:
        way = WRITTEN.get(fact.kind, (None,))[0]
        value = fact.value if isinstance(fact.value, str) or way is None else way.number(fact.value)
        table.add_row(fact.id, str(value), fact.unit if way is None else way.units[0], fact.place, fact.of)
    return table


def _volumes(
    phantom: int | None, dicom: Path | None, nifti: Path | None, em: Path | None, modality: Modality, sequence: str
) -> tuple[Volume, ...]:
    if phantom is not None:
        return (Phantoms(1, phantom).volume(0),)
    if nifti is not None:
        array = read_nifti_array(nifti)
        values = array.voxels if array.voxels.ndim == 3 else array.voxels[0]
        return (Volume(values, array.spacing_mm, modality, sequence),)
    if em is not None:
        return (EmTiles(em).volume(0),)
    if dicom is None:
        raise VolumeFault("no image was named")
    if modality is Modality.MR:
        return read_mr_study(path for path in dicom.rglob("*") if path.is_file())
    folder = DicomFolder(dicom)
    if not len(folder):
        raise VolumeFault(f"{dicom} holds no DICOM study")
    return (folder.volume(0),)


if __name__ == "__main__":
    main()
