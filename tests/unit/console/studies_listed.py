"""Studies of named patients with jobs in every state, for tests of the console's lists."""

from datetime import timedelta
from typing import Any

from studies_read import BEGIN

from pacs_agent.db import (
    Database,
    Delivery,
    DeliveryState,
    Instance,
    Job,
    JobState,
    JobStep,
    Patient,
    ResultObject,
    Series,
    StepState,
    Study,
    StudyState,
)

STATES = tuple(JobState)


def add_studies(database: Database, *names: str, **study: Any) -> list[str]:
    """A CT study of one image for each patient, the last newest; their Study Instance UIDs."""
    uids = []
    with database.writing() as session:
        for number, name in enumerate(names, start=session.query(Study).count() + 1):
            uids.append(f"1.2.826.0.9.{number}")
            at = BEGIN + timedelta(minutes=number)
            image = Instance(
                sop_instance_uid=f"{uids[-1]}.1.1",
                sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                digest=f"{number:064x}",
                size_bytes=1000,
                source="CT1@10.0.0.7",
                received_at=at,
            )
            values: dict[str, Any] = {
                "study_date": f"2026010{number % 10}",
                "accession_number": f"Acc{number}",
                "state": StudyState.COMPLETE,
                **study,
            }
            session.add(
                Study(
                    study_instance_uid=uids[-1],
                    patient=Patient(patient_id=f"Pat-{number}", name=name),
                    description="Chest",
                    first_received_at=at,
                    last_received_at=at,
                    series=[Series(series_instance_uid=f"{uids[-1]}.1", modality="CT", instances=[image])],
                    **values,
                )
            )
    return uids


def add_job(database: Database, study: str, state: JobState, **job: Any) -> str:
    """A job of a study with a step, an object, and a delivery that fits its state; its id."""
    with database.writing() as session:
        number = session.query(Job).count() + 1
        at = BEGIN + timedelta(hours=1, minutes=number)
        failed = state == JobState.FAILED
        delivery = DeliveryState.REFUSED if failed else DeliveryState.CONFIRMED
        result = ResultObject(
            kind="ai_result",
            sop_instance_uid=f"{study}.2.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
            series_instance_uid=f"{study}.2",
            digest=f"{number + 1000:064x}",
            created_at=at,
            deliveries=[Delivery(destination="pacs", state=delivery, attempts=2, answer="0x0122 <b>no</b>")],
        )
        steps = [
            JobStep(name="compose", state=StepState.DONE, started_at=at, finished_at=at + timedelta(seconds=3)),
            JobStep(
                name="deliver:pacs",
                state=StepState.FAILED if failed else StepState.DONE,
                started_at=at + timedelta(seconds=3),
                finished_at=at + timedelta(seconds=4),
            ),
        ]
        values: dict[str, Any] = {"rule": "ct", "pipeline": "msvlm", "destinations": ["pacs"], "created_at": at, **job}
        made = Job(
            id=f"00000000-0000-0000-0000-{number:012}",
            study=session.query(Study).filter_by(study_instance_uid=study).one(),
            input_digest="0" * 64,
            state=state,
            error="deliver:pacs: 0x0122 <b>no</b>" if failed else "",
            started_at=at,
            finished_at=at + timedelta(seconds=5) if state in STATES[3:] else None,
            steps=[] if state == JobState.QUEUED else steps,
            results=[] if state == JobState.QUEUED else [result],
            **values,
        )
        session.add(made)
        return made.id
