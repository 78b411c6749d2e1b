"""Studies, jobs and readings in a database, for tests of what the panel reads. The reading is one of the demo model."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from flask.testing import FlaskClient

from pacs_agent.db import (
    Database,
    Delivery,
    DeliveryState,
    Job,
    JobState,
    JobStep,
    Patient,
    ResultObject,
    StepState,
    Study,
    StudyState,
)
from pacs_agent.inference import StudyReading
from pacs_agent.inference.tokens import SliceToken, TokenCache, slice_token

READING: dict[str, Any] = json.loads((Path(__file__).parent / "reading.json").read_text())
"""A phantom of 90 slices with three findings, read by the bundle of the repository."""
ANSWER = Path(__file__).resolve().parents[3] / "ohif-extension" / "src" / "api" / "fixtures" / "answer.json"
"""What the plugin's tests take for an answer."""
BEGIN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
MEASUREMENTS = ANSWER.with_name("measurements.json")
"""What the plugin's tests take for measurements."""
SINCE_PRIOR = ANSWER.with_name("since-prior.json")
"""What the plugin's tests take for changes since the prior study."""

_numbers = itertools.count(1)


def reading() -> StudyReading:
    """The reading of the fixture."""
    return StudyReading.model_validate(READING)


def measured_content() -> dict[str, Any]:
    """The reading with measurements: a lung, a nodule that is present, and an effusion that is absent."""
    organ, lesion = ("91723000", "Anatomical Structure"), ("49755003", "Morphologically Abnormal Structure")
    regions = (
        _region("lung", "Lung", organ, None, "right", 1, (2140.5, 250.1, 160.2, -812.0)),
        _region("nodule", "Lung nodule", lesion, "lung_nodule", "left", 2, (0.31, 8.4, 6.2, 21.5)),
        _region(
            "pericardial_effusion", "Pericardial effusion", lesion, "pericardial_effusion", "", 3, (12, 40, 9, 8.0)
        ),
    )
    model = {**READING["bundle"], "name": "gtgm-thorax-demo", "version": "0.1.0"}
    return {**READING, "measurements": {"model": model, "regions": regions, "mask_digest": "00" * 32}}


def compared_content() -> dict[str, Any]:
    """The reading with changes since a prior study: the first finding is new, the second gone, the third larger."""
    keys = [each["label"]["key"] for each in READING["findings"]][:3]
    then = [{"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "sop_instance_uid": "1.2.3.4", "frame_number": None}]
    changes: list[dict[str, Any]] = [
        {"finding": keys[0], "change": "new", "sides": ["left"]},
        {"finding": keys[1], "change": "gone", "prior_slices": then},
        {
            "finding": keys[2],
            "change": "larger",
            "by": "volume",
            "value": 420.0,
            "prior_value": 300.0,
            "prior_slices": then,
        },
    ]
    prior = {"study_instance_uid": "1.2.3", "study_date": "20260503", "job_id": "earlier"}
    return {**READING, "since_prior": {"prior": prior, "series_instance_uid": "1.2.3.1", "findings": changes}}


def _region(
    key: str,
    name: str,
    category: tuple[str, str],
    finding: str | None,
    side: str,
    segment: int,
    numbers: tuple[float, float, float, float],
) -> dict[str, Any]:
    volume_ml, longest_mm, short_mm, mean_hu = numbers
    return {
        "structure": key,
        "name": name,
        "category": {"value": category[0], "scheme": "SCT", "meaning": category[1]},
        "type": {"value": "39607008", "scheme": "SCT", "meaning": "Lung"},
        "kind": "lesion" if finding else "organ",
        "finding": finding,
        "side": side,
        "number": 1,
        "segment_number": segment,
        "measured": {
            "volume_ml": volume_ml,
            "longest_diameter_mm": longest_mm,
            "diameter_slice": 40 + segment,
            "diameter_ends_mm": ((0, 0, 100), (longest_mm, 0, 100)),
            "short_diameter_mm": short_mm,
            "mean_hu": mean_hu,
            "sd_hu": 12.5,
        },
    }


def add_study(database: Database, state: StudyState = StudyState.COMPLETE, reason: str = "") -> str:
    """A study of a patient of its own; its Study Instance UID."""
    number = next(_numbers)
    uid = f"1.2.826.0.1.{number}"
    with database.writing() as session:
        patient = Patient(patient_id=f"P{number}")
        session.add(Study(study_instance_uid=uid, patient=patient, state=state, state_reason=reason))
    return uid


def add_job(
    database: Database,
    study: str,
    state: JobState,
    *,
    content: dict[str, Any] | None = None,
    pipeline: str = "msvlm",
    supersedes: str | None = None,
    error: str = "",
    **values: Any,
) -> str:
    """A job of a study, newer than all before it; with `content`, a reading, it has made an object. Its id."""
    number = next(_numbers)
    with database.writing() as session:
        job = Job(
            id=f"job-{number}",
            study=session.query(Study).filter_by(study_instance_uid=study).one(),
            rule="ct",
            pipeline=pipeline,
            input_digest=f"{number:064}",
            supersedes_id=supersedes,
            state=state,
            error=error,
            bundle="msvlm-thorax-demo 0.2.0",
            created_at=BEGIN + timedelta(minutes=number),
            reading=content,
            **values,
        )
        if content is not None:
            job.results = [_made(number)]
        session.add(job)
        return job.id


def add_step(database: Database, job_id: str, name: str, state: StepState, detail: str = "") -> None:
    """A step of a job."""
    with database.writing() as session:
        session.add(JobStep(job_id=job_id, name=name, state=state, detail=detail, started_at=BEGIN))


def keep_tokens(folder: Path, seed: int = 0) -> list[SliceToken]:
    """Tokens with random patch grids for all slices of the reading, in the cache below a data folder."""
    read, random = reading().tokens, np.random.default_rng(seed)
    assert read is not None
    grid = (len(READING["findings"]), *read.patch_grid)
    cache = TokenCache(folder / "tokens", read.encoder_digest, read.token_width, grid)
    tokens = []
    for key in read.keys:
        logits = random.normal(0, 4, grid).astype(np.float32)
        centre = random.uniform(180, 330, 2).astype(np.float32)
        tokens.append(slice_token(np.zeros(read.token_width, np.float32), logits, centre))
        cache.store(key, tokens[-1])
    return tokens


def answer(client: FlaskClient, study: str) -> dict[str, Any]:
    """The answer about a study."""
    response = client.get(f"/api/v1/studies/{study}/result")
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json
    return content


def _made(number: int) -> ResultObject:
    return ResultObject(
        kind="ai_result",
        sop_instance_uid=f"1.2.826.0.2.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
        series_instance_uid=f"1.2.826.0.3.{number}",
        digest=f"{number:064}",
        created_at=BEGIN + timedelta(minutes=number),
        deliveries=[Delivery(destination="pacs", state=DeliveryState.STORED)],
    )
