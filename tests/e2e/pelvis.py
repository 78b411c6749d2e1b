"""A pelvic MR phantom at a site, and a reading of several of its series beside the job that read it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pacs_agent.db import Database, Instance, Job, JobState, ResultObject, Study, utc_now
from pacs_agent.imaging import OrderedSeries, order_series, read_headers
from tests.e2e.browser import Browser
from tests.e2e.site import ADA, Site
from tests.staged_reading import Place, staged

SERIES = ("t2_axial", "t2_sagittal", "t2_coronal", "dwi_b50", "dwi_b1000", "adc")
"""Those that are read, by the keys of the phantom's sequences."""
RESTS_ON = {
    "tumour": (0, 1, 2, 4),
    "location": (1,),
    "t_stage": (0, 1, 2),
    "crm": (0,),
    "sphincter": (2,),
    "nodes": (0, 1),
}
SEED, FINENESS = 1, 0.6
ITEM, MEASURED = "t_stage", "crm"
"""The item that is pressed, and that whose distance is."""


@dataclass(frozen=True)
class Pelvis:
    """The study, what was read of it, where the tumour is, and the ends of its distance to the mesorectal fascia."""

    study: str
    series: tuple[OrderedSeries, ...]
    tumour_mm: Place
    ends_mm: tuple[Place, Place]


def pelvis_at(site: Site, folder: Path) -> Pelvis:
    """Sends the phantom and puts a reading of its series where the agent keeps those it made."""
    from models.phantoms.pelvis import generate_pelvis
    from models.phantoms.pelvis.dicom import write_study

    phantom = generate_pelvis(SEED, tumour=True, t_stage=3, fineness=FINENESS)
    files = write_study(phantom, folder)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    site.send(files)
    made = Pelvis(
        study=truth["study_instance_uid"],
        series=tuple(_ordered(files, truth["sop_instance_uids"][key]) for key in SERIES),
        tumour_mm=tuple(truth["tumour"]["centre_mm"]),
        ends_mm=tuple(map(tuple, truth["tumour"]["fascia_points_mm"])),
    )
    site.agent.ended_job(made.study)
    _put_reading(site, made)
    return made


def play(browser: Browser, site: Site, made: Pelvis, picture: Path) -> dict[str, Any]:
    """What is seen when an item, its slices and a distance are pressed, beside T2 of three planes."""
    evidence = evidence_of(site, made, ITEM)
    seen: dict[str, Any] = browser.play(
        "pelvis",
        site.address,
        account=ADA.given(),
        study=made.study,
        series=[one.series_instance_uid for one in made.series[:3]],
        item=ITEM,
        slices=[one["sop_instance_uid"] for one in evidence],
        measured=MEASURED,
        picture=str(picture),
    )
    return seen


def evidence_of(site: Site, made: Pelvis, item: str) -> list[dict[str, Any]]:
    """The slices on which an item rests, by the API."""
    findings = site.result(made.study)["result"]["findings"]
    found: list[dict[str, Any]] = next(one["evidence"] for one in findings if one["key"] == item)
    return found


def _ordered(files: Sequence[Path], uids: Sequence[str]) -> OrderedSeries:
    """Of a series of several b-values one of them."""
    wanted = set(uids)
    return order_series([one for one in read_headers(files) if one.sop_instance_uid in wanted])


def _put_reading(site: Site, made: Pelvis) -> None:
    database = Database(f"sqlite:///{site.agent.folder / 'data' / 'pacs-agent.sqlite'}")
    with database.writing() as session:
        study = session.scalars(select(Study).where(Study.study_instance_uid == made.study)).one()
        earlier = session.scalars(select(Job).where(Job.study_pk == study.id).order_by(Job.created_at.desc())).first()
        digests = dict(session.execute(select(Instance.sop_instance_uid, Instance.digest)).all())
        series = [_archived(one, digests) for one in made.series]
        reading = staged(series, RESTS_ON, made.tumour_mm, made.ends_mm)
        now = utc_now()
        session.add(
            Job(
                id=f"staging-{study.id}",
                study=study,
                rule="every CT and MR",
                pipeline="msvlm",
                input_digest="0" * 64,
                supersedes_id=earlier.id if earlier else None,
                state=JobState.DONE,
                bundle="rectal-mr-demo 0.1.0",
                created_at=now,
                finished_at=now,
                reading=reading.model_dump(mode="json"),
                results=[
                    ResultObject(
                        kind="ai_result",
                        sop_instance_uid="2.25.1",
                        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
                        series_instance_uid="2.25.2",
                        digest="1" * 64,
                        created_at=now,
                    )
                ],
            )
        )
    database.close()


def _archived(series: OrderedSeries, digests: dict[str, str]) -> OrderedSeries:
    """The same with the files that the archive has."""
    slices = (one.model_copy(update={"path": Path(f"{digests[one.sop_instance_uid]}.dcm")}) for one in series.slices)
    return series.model_copy(update={"slices": tuple(slices)})
