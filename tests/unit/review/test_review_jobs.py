"""The job of a review is no reading: whoever asks for the readings of a study does not meet it."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from pacs_agent.assemble.jobs import write_jobs
from pacs_agent.cli import main
from pacs_agent.db import Database, Job, Study
from pacs_agent.review import save_review
from pacs_agent.route import Decision, RuleBook, WrongRules
from tests.unit.review.read_studies import ACCEPT_NODULE, ADA, ReadStudy

RULES = "rules: [{name: ct, pipeline: msvlm}]"


@pytest.fixture
def review_job(study: ReadStudy) -> str:
    with study.database.writing() as session:
        save_review(session, study.uid, study.review(ACCEPT_NODULE), ADA)
        return session.scalars(select(Job.id).where(Job.pipeline == "review")).one()


def test_no_rule_names_the_pipeline_of_reviews() -> None:
    with pytest.raises(WrongRules, match="the agent's own") as refused:
        RuleBook.parse("rules:\n- {name: a, pipeline: review}")
    assert refused.value.field == "rules[0] (a).pipeline"


def test_the_list_of_studies_shows_the_state_of_the_reading(study: ReadStudy, review_job: str) -> None:
    (row,) = json.loads(_run(study.database, "studies", "--json"))
    assert (row["job"], row["job_state"]) == (study.job_id, "done")
    assert {row["pipeline"] for row in json.loads(_run(study.database, "jobs", "--json"))} == {"msvlm", "review"}


def test_a_later_reading_supersedes_the_reading_and_not_the_review(study: ReadStudy, review_job: str) -> None:
    decision: Decision = RuleBook.parse(RULES).decide({})  # type: ignore[arg-type]
    with study.database.writing() as session:
        (later,) = write_jobs(session, session.scalars(select(Study)).one(), decision, "ef" * 32)
        assert session.get_one(Job, later).supersedes_id == study.job_id
        assert session.get_one(Job, review_job).state == "queued", "a review that waits is not dropped"


def _run(database: Database, *arguments: str) -> str:
    environment = {"PACS_AGENT_DATABASE_URL": database.url}
    result = CliRunner().invoke(main, list(arguments), env=environment)
    assert result.exit_code == 0, result.output
    return result.stdout
