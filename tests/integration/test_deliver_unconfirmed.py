"""A PACS that takes objects and never says that it has them: a dead letter, whose study retention keeps until then."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import select

from pacs_agent import pipeline
from pacs_agent.archive import plan_retention
from pacs_agent.config import DeliverSettings
from pacs_agent.console.queue.advice import advice_for
from pacs_agent.db import Delivery, Job, JobState, Study, StudyState, utc_now
from pacs_agent.deliver import Outbox
from pacs_agent.ops.runtime import Retention
from pacs_agent.pipeline.delivery import Act, Attempted, Deliveries
from tests.integration.pacs import CountingPacs
from tests.integration.studies_at_work import AgentFolder
from tests.integration.test_commitment_asked import JOB, agent_with_job


class BusyPacs(CountingPacs):
    """Its queries are answered with Out of Resources."""

    def _find(self, _event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xA700, None


@pytest.fixture
def agent(tmp_path: Path) -> AgentFolder:
    agent = agent_with_job(tmp_path)
    with agent.database.writing() as session:
        job = session.get_one(Job, JOB)
        job.state = JobState.DELIVERING
        session.get_one(Study, job.study_pk).state = StudyState.COMPLETE
    return agent


def attempted(agent: AgentFolder, act: Act, number: int = 1) -> Attempted:
    outbox = Outbox(agent.database, agent.archive, agent.settings)
    deliveries = Deliveries(agent.database, outbox, DeliverSettings(attempts=3))
    ended = deliveries.attempt(JOB, job(agent).run, act, "pacs", number)
    deliveries.settle(JOB, job(agent).run)
    return ended


def job(agent: AgentFolder) -> Job:
    with agent.database.reading() as session:
        return session.get_one(Job, JOB)


def would_leave(agent: AgentFolder) -> bool:
    """Whether retention would take the study away in a month."""
    with agent.database.reading() as session:
        study = session.get_one(Study, session.get_one(Job, JOB).study_pk)
        plan = plan_retention(session, Retention(images_days=1), utc_now() + timedelta(days=30))
        return study.study_instance_uid in {one.study_instance_uid for one in plan.leaving}


def rerun(agent: AgentFolder) -> None:
    """Runs the dead letter again, up to where it was."""
    pipeline.rerun(agent.database, JOB, actor="test")
    with agent.database.writing() as session:
        session.get_one(Job, JOB).state = JobState.DELIVERING


def states(agent: AgentFolder) -> set[str]:
    with agent.database.reading() as session:
        return set(session.scalars(select(Delivery.state)))


def test_a_pacs_that_refuses_queries_is_a_dead_letter_until_it_need_not_confirm(agent: AgentFolder) -> None:
    with CountingPacs(queries=False) as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "confirm": "query"})
        assert attempted(agent, Act.DELIVER) == Attempted.DONE
        assert attempted(agent, Act.CONFIRM) == Attempted.FAILED
        assert job(agent).state == JobState.FAILED
        assert "pacs took the objects, but does not say whether it has them" in job(agent).error
        assert "every presentation context" in job(agent).error
        assert "retention keeps the study until the destination confirms" in advice_for(job(agent), [])
        assert (states(agent), would_leave(agent)) == ({"stored"}, False)
        agent.destination("pacs", "dimse", {**pacs.settings, "confirm": "none"})
        rerun(agent)
        assert attempted(agent, Act.DELIVER) == Attempted.DONE
        assert attempted(agent, Act.CONFIRM) == Attempted.DONE
        assert set(pacs.received.values()) == {1}, "nothing is sent twice"
    assert (job(agent).state, would_leave(agent)) == (JobState.DONE, True)


def test_a_pacs_that_is_gone_when_it_is_asked_is_asked_for_a_while(agent: AgentFolder) -> None:
    with CountingPacs() as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "confirm": "query"})
        assert attempted(agent, Act.DELIVER) == Attempted.DONE
        port = pacs.port
    assert [attempted(agent, Act.CONFIRM, number) for number in (1, 2)] == [Attempted.AGAIN] * 2
    assert job(agent).state == JobState.DELIVERING
    assert attempted(agent, Act.CONFIRM, 3) == Attempted.FAILED
    assert "given up after 3 attempts: " in job(agent).error
    rerun(agent)
    with CountingPacs(port=port) as back:
        back.stored = pacs.stored
        assert attempted(agent, Act.DELIVER) == Attempted.DONE
        assert attempted(agent, Act.CONFIRM) == Attempted.DONE
        assert not back.received
    assert (job(agent).state, states(agent), would_leave(agent)) == (JobState.DONE, {"confirmed"}, True)


def test_an_answer_that_says_nothing_of_an_object_is_none(agent: AgentFolder) -> None:
    with BusyPacs() as pacs:
        agent.destination("pacs", "dimse", {**pacs.settings, "confirm": "query"})
        assert attempted(agent, Act.DELIVER) == Attempted.DONE
        assert [attempted(agent, Act.CONFIRM, number) for number in (1, 3)] == [Attempted.AGAIN, Attempted.FAILED]
    assert "C-FIND was answered with 0xA700" in job(agent).error


def test_a_pacs_that_need_not_confirm_is_never_waited_for(agent: AgentFolder) -> None:
    with CountingPacs(queries=False) as pacs:
        agent.destination("pacs", "dimse", pacs.settings)
        assert attempted(agent, Act.DELIVER) == Attempted.DONE
    assert attempted(agent, Act.CONFIRM) == Attempted.DONE
    assert (job(agent).state, would_leave(agent)) == (JobState.DONE, True)
