"""What the rules of a job expect, what met it and what is read: on its page, in its JSON, in the study's timeline."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from people import app_of
from studies_listed import add_job, add_studies

from pacs_agent.db import Database, JobState
from pacs_agent.imaging import SeriesPart
from pacs_agent.route import Expectation, Expected

LOW, HIGH = (
    SeriesPart(series_instance_uid="1.2.3", description="<ep2d>", stack=f"DWI b{b} axial", images={"1.2.3.4": (b,)})
    for b in (50, 800)
)
EXPECTED = Expected(
    of=(
        Expectation(rule="mr", words="a stack of weighting DWI", required=True, met_by=(LOW, HIGH)),
        Expectation(rule="mr", words="a stack of weighting T2", required=True, met_by=()),
        Expectation(rule="mr", words="a stack of weighting ADC", required=False, met_by=()),
    )
)
READ: dict[str, Any] = {"verdicts": [{"series_instance_uid": "1.2.3", "stack": HIGH.stack, "chosen": True}]}


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return app_of(database, tmp_path).test_client()


@pytest.fixture
def study(database: Database) -> str:
    return add_studies(database, "Doe^John")[0]


def test_a_job_tells_what_met_what_was_expected(client: FlaskClient, database: Database, study: str) -> None:
    job = add_job(database, study, JobState.DONE, expected=EXPECTED.model_dump(mode="json"), series_choice=READ)
    told = client.get(f"/api/v1/jobs/{job}").json["expected"]
    assert [(one["rule"], one["words"], one["required"]) for one in told] == [
        ("mr", "a stack of weighting DWI", True),
        ("mr", "a stack of weighting T2", True),
        ("mr", "a stack of weighting ADC", False),
    ]
    assert [(one["stack"], one["is_read"]) for one in told[0]["met_by"]] == [(LOW.stack, False), (HIGH.stack, True)]
    assert "images" not in told[0]["met_by"][0], "thousands of UIDs are of use to nobody here"
    page = client.get(f"/console/jobs/{job}").text
    assert "&lt;ep2d&gt;: DWI b800 axial <strong>read</strong>" in page
    assert page.count("has not come") == 2
    assert page.count('<span class="warning">has not come</span>') == 1


def test_the_timeline_tells_it_too(client: FlaskClient, database: Database, study: str) -> None:
    job = add_job(database, study, JobState.DONE, expected=EXPECTED.model_dump(mode="json"))
    [told] = [one for one in client.get(f"/api/v1/studies/{study}").json["timeline"] if one["what"] == "expected"]
    assert (told["job"], told["kind"]) == (job, "warning")
    assert told["said"] == (
        "a stack of weighting DWI: <ep2d> (DWI b50 axial), <ep2d> (DWI b800 axial); "
        "a stack of weighting T2: has not come; a stack of weighting ADC: has not come, optional"
    )


def test_a_job_whose_rules_expect_nothing_says_nothing_of_it(
    client: FlaskClient, database: Database, study: str
) -> None:
    job = add_job(database, study, JobState.DONE)
    assert client.get(f"/api/v1/jobs/{job}").json["expected"] == []
    assert "What was expected" not in client.get(f"/console/jobs/{job}").text
    timeline = client.get(f"/api/v1/studies/{study}").json["timeline"]
    assert "expected" not in [one["what"] for one in timeline]
