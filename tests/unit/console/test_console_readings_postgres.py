"""The same answers from Postgres."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from people import app_of
from studies_read import READING, add_job, add_step, add_study, answer, keep_tokens

from pacs_agent.console.readings.sights import look_into
from pacs_agent.db import Database, JobState, ReviewerHere, StepState, StudyState, upgrade

pgserver = pytest.importorskip("pgserver")

pytestmark = pytest.mark.slow


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Database]:
    """A Postgres of its own, without anything to install."""
    server = pgserver.get_server(tmp_path / "postgres")
    database = Database(server.get_uri())
    upgrade(database)
    yield database
    database.close()
    server.cleanup()


def test_result_heat_and_news_come_from_postgres(postgres: Database, tmp_path: Path) -> None:
    keep_tokens(tmp_path)
    client = app_of(postgres, tmp_path).test_client()
    arriving, study = add_study(postgres, StudyState.RECEIVING), add_study(postgres)
    first = look_into(postgres)([arriving, study])
    old = add_job(postgres, study, JobState.DONE, content=READING)
    new = add_job(postgres, study, JobState.RUNNING, supersedes=old)
    add_step(postgres, new, "encode_missing", StepState.RUNNING)
    with postgres.writing() as session:
        session.add(ReviewerHere(study_instance_uid=study, login="bob", name="Dr. Bob"))
    seen = look_into(postgres)([arriving, study])
    assert seen[arriving] == first[arriving]
    assert seen[study].version != first[study].version
    assert seen[study].others("ada") == ("Dr. Bob",)
    told = answer(client, study)
    assert (told["state"], told["job"]["id"], told["result"]["job_id"]) == ("ready", new, old)
    assert answer(client, arriving)["state"] == "pending"
    key, instance = told["result"]["findings"][0]["key"], told["result"]["series"]["slices"][0]["sop_instance_uid"]
    assert client.get(f"/api/v1/studies/{study}/heat/{key}/{instance}").status_code == 200
