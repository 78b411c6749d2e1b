"""Writes a real pelvic MR study with a rectal tumour implanted into it, as DICOM files.

python -m models.msvlm.rectal.implanted OUT --study ProstateX-0000 --seed 1
"""

from pathlib import Path

import click

from models.datasets.pelvic_cases import CASES
from models.datasets.pelvic_dicom import write_implanted, write_unimplanted
from models.datasets.pelvic_implants import ImplantedPelvis, implant
from models.datasets.pelvic_study import load_pelvis
from models.datasets.real_ct import SHARED_DATA, RealDataMissing
from models.msvlm.rectal.items import Told, scale_of
from models.phantoms.pelvis import Item


def told_of_implant(study: ImplantedPelvis) -> dict[Item, Told]:
    """What an implant tells of the items; the patient's own nodes, veins, sphincter and peritoneum are not known."""
    tumour = study.tumour.truth
    told = {
        Item.TUMOUR: Told(1),
        Item.LOCATION: Told(scale_of(Item.LOCATION).levels.index(tumour.third)),
        Item.T_STAGE: Told(tumour.t_stage - 1),
    }
    return told | ({Item.CRM: Told(int(tumour.fascia_involved))} if study.case.fascia_seen else {})


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--study", type=click.Choice([case.patient for case in CASES]), default=CASES[0].patient)
@click.option("--seed", default=1, show_default=True, help="Of the tumour.")
@click.option("--t-stage", type=click.IntRange(1, 4), default=None, help="Random unless given.")
@click.option("--control", is_flag=True, help="The study without a tumour, under the same kind of headers.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=SHARED_DATA, help="The open data.")
def main(out: Path, study: str, seed: int, t_stage: int | None, control: bool, data: Path) -> None:
    """Writes one study into OUT with truth.json and the masks of every series."""
    case = next(one for one in CASES if one.patient == study)
    try:
        if control:
            click.echo(f"{len(write_unimplanted(load_pelvis(case, data), out))} images in {out}, no tumour")
            return
        implanted = implant(case, seed, t_stage, data)
    except (RealDataMissing, ValueError) as fault:
        raise click.ClickException(str(fault)) from fault
    paths, tumour = write_implanted(implanted, out), implanted.tumour.truth
    click.echo(
        f"{len(paths)} images in {out}\n{tumour.t_category}, {tumour.third} third, {tumour.length_mm:.0f} mm long"
    )


if __name__ == "__main__":
    main()
