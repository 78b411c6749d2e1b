"""The prior study at the source: found, fetched, read, compared; and whatever the source does, the report goes out."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import update

from pacs_agent.archive import remove_study
from pacs_agent.db import PRIOR_PIPELINE, Job, JobState, StudyState, Transfer, utc_now
from pacs_agent.inference.reading import SincePrior, StudyReading
from pacs_agent.pipeline import cancel, prior_at_source, prior_search
from pacs_agent.pipeline.beyond_doubt import NO_BIRTH_DATE, OTHER_PERSON
from pacs_agent.results.uids import derived_uid
from tests.integration.earlier_studies import EarlierPacs, SearchingAgent, chest
from tests.integration.studies_at_work import until

pytestmark = pytest.mark.slow

NOW, THEN, LONG_AGO = "20260102", "20250503", "20100101"


def since(job: Job) -> SincePrior | None:
    assert job.state == JobState.DONE, job.error
    return StudyReading.model_validate(job.reading).since_prior


def told(folder: Path, pacs: EarlierPacs, of: list[Dataset], **results: Any) -> tuple[SearchingAgent, Job]:
    """An agent that has read a study with this PACS as the destination of its results."""
    agent = SearchingAgent(folder, **results)
    agent.destination("pacs", "dimse", pacs.settings)
    agent.take(of)
    with agent:
        job = agent.reading_job()
        until(lambda: len(pacs.stored) == 2)
    return agent, job


def test_the_prior_is_fetched_read_and_compared_and_is_not_read_by_itself(tmp_path: Path) -> None:
    with EarlierPacs(chest(THEN, ill=True), chest(LONG_AGO), chest("20260103")) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW))
        found = since(job)
        assert found and found.prior
        assert (found.prior.study_instance_uid, found.not_compared) == (derived_uid(THEN), "")
        assert {one.change for one in found.findings} == {"gone"}
        assert pacs.fetched == [derived_uid(THEN)], "neither what is too old nor what is later"
        assert (pacs.asked[0].PatientID, pacs.asked[0].ModalitiesInStudy) == ("TEST", "CT")
        _check_it_is_a_prior_alone(agent, job)
        for document in pacs.stored:
            assert derived_uid(THEN) in document.to_json()
            assert document.StudyInstanceUID == derived_uid(NOW)


def _check_it_is_a_prior_alone(agent: SearchingAgent, job: Job) -> None:
    """Not routed, nothing made of it, its reading kept, its query and its transfer audited; it goes as others do."""
    uid = derived_uid(THEN)
    with agent:
        ended = until(lambda: study if (study := agent.study(uid)) and study.state == StudyState.IGNORED else None)
    assert "to compare a later study" in ended.state_reason
    (prior,) = [one for one in agent.jobs() if one.pipeline == PRIOR_PIPELINE]
    assert [one.id for one in agent.jobs() if one.pipeline != PRIOR_PIPELINE] == [job.id]
    assert (prior.destinations, prior.study_pk) == ([], ended.id)
    assert {one.job_id for one in agent.results()} == {job.id}
    lines = agent.audited("prior.", "transfer.")
    assert lines[0] == ("prior.searched", "agent", derived_uid(NOW))
    assert lines[-1] == ("transfer.done", "agent", uid)
    assert agent.step(job).detail == f"the study of {THEN}, from pacs"
    assert remove_study(agent.archive, uid, actor="test").instances == 6
    assert [one.id for one in agent.jobs()] == [job.id]


def test_what_was_fetched_is_read_like_any_study_when_the_source_sends_it(tmp_path: Path) -> None:
    """None of its images is new then."""
    then = chest(THEN, ill=True)
    with EarlierPacs(then) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW))
        with agent.database.writing() as session:
            session.execute(update(Transfer).values(finished_at=utc_now() - timedelta(hours=1)))
        agent.take(then)
        with agent:
            until(lambda: len(pacs.stored) == 4)
            sent = until(lambda: next((one for one in agent.jobs() if one.finished_at and _is_of(agent, one)), None))
        assert (sent.state, sent.supersedes_id) == (JobState.DONE, None)
        assert {one.job_id for one in agent.results()} == {job.id, sent.id}


def _is_of(agent: SearchingAgent, job: Job) -> bool:
    study = agent.study(derived_uid(THEN))
    return job.pipeline == "msvlm" and study is not None and job.study_pk == study.id


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    with EarlierPacs(chest(THEN)) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW))
        agent.take(chest(NOW, SeriesInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4")[:1])
        with agent:
            again = until(lambda: next((j for j in agent.jobs() if j.supersedes_id == job.id and j.finished_at), None))
        assert since(again) == since(job)
        assert len(pacs.fetched) == 1


@pytest.mark.parametrize(
    ("says", "images", "doubt", "fetched"),
    [
        ({"PatientBirthDate": "19520318"}, {}, OTHER_PERSON, 0),
        ({"PatientSex": "M"}, {}, OTHER_PERSON, 0),
        ({"PatientBirthDate": "19520317"}, {"PatientBirthDate": "19520318"}, OTHER_PERSON, 1),
        ({"PatientBirthDate": ""}, {"PatientBirthDate": ""}, NO_BIRTH_DATE, 1),
    ],
)
def test_a_study_that_may_be_of_somebody_else_is_not_named(
    tmp_path: Path, says: dict[str, str], images: dict[str, str], doubt: str, fetched: int
) -> None:
    with EarlierPacs(chest(THEN, **images), **says) as pacs:
        _, job = told(tmp_path, pacs, chest(NOW))
        found = since(job)
        assert found and found.prior is None
        assert (found.not_compared, found.search_failed) == (doubt, False)
        assert len(pacs.fetched) == fetched
        assert not any(word in each.to_json() for word in (derived_uid(THEN), "earlier study") for each in pacs.stored)


@pytest.mark.parametrize(
    "others",
    [
        {"IssuerOfPatientID": "ELSEWHERE"},
        {"Modality": "MR"},
        {"BodyPartExamined": "HEAD", "SeriesDescription": "Head"},
        {"StudyDate": NOW, "StudyTime": ""},
    ],
)
def test_what_cannot_be_compared_is_passed_over(tmp_path: Path, others: dict[str, str]) -> None:
    with EarlierPacs(chest("20251224", **others), chest(THEN)) as pacs:
        _, job = told(tmp_path, pacs, chest(NOW))
        found = since(job)
        assert found and found.prior
        assert found.prior.study_instance_uid == derived_uid(THEN)


def test_no_more_are_fetched_than_is_set(tmp_path: Path) -> None:
    head = {"BodyPartExamined": "HEAD", "SeriesDescription": "Head"}
    with EarlierPacs(chest("20251224", **head), chest(THEN)) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW), prior_studies=1)
        assert since(job) is None
        assert pacs.fetched == [derived_uid("20251224")]
        assert "no earlier study that can be compared" in agent.step(job).detail


def test_nothing_is_asked_without_the_setting(tmp_path: Path) -> None:
    with EarlierPacs(chest(THEN)) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW), prior_at_source="off")
        assert (since(job), pacs.asked) == (None, [])
        assert "find_prior" not in agent.steps(job.id)


def check_said(agent: SearchingAgent, job: Job, pacs: EarlierPacs, why: str) -> None:
    """The report went out without comparison; step, reading and both documents say why."""
    found = since(job)
    assert found and found.prior is None and found.search_failed
    assert why in found.not_compared
    assert (agent.step(job).state, agent.step(job).detail) == ("failed", found.not_compared)
    assert [each for each in pacs.stored if "Not compared with an earlier study." not in each.to_json()] == []


def test_a_source_that_refuses(tmp_path: Path) -> None:
    with EarlierPacs(status=0xA700) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW))
        check_said(agent, job, pacs, "0xA700")
        assert agent.audited("prior.") == [("prior.searched", "agent", derived_uid(NOW))]


def test_a_source_that_answers_too_late_keeps_nobody_waiting(tmp_path: Path) -> None:
    with EarlierPacs(chest(THEN)) as pacs:
        pacs.waits.clear()
        agent, job = told(tmp_path, pacs, chest(NOW), prior_wait_s=1)
        assert not pacs.waits.is_set(), "it has not answered yet"
        check_said(agent, job, pacs, "1 s later")
        assert pacs.fetched == []


def test_while_a_study_waits_for_its_prior_others_are_read(tmp_path: Path) -> None:
    """At a worker that reads one at a time, as by default."""
    with EarlierPacs(chest(THEN)) as pacs:
        pacs.waits.clear()
        agent = SearchingAgent(tmp_path, prior_wait_s=600)
        assert agent.settings.work.concurrency == 1
        agent.destination("pacs", "dimse", pacs.settings)
        agent.take(chest(NOW))
        with agent:
            first = until(lambda: next((job for job in agent.jobs() if _waits(agent, job)), None))
            agent.take(chest("20260101", PatientID="OTHER"))
            until(lambda: [_waits(agent, job) for job in agent.jobs()] == [True, True])
            assert pacs.stored == []
            cancel(agent.database, next(job.id for job in agent.jobs() if job.id != first.id), actor="test")
            pacs.waits.set()
            until(lambda: len(pacs.stored) == 2)
            found = since(
                until(lambda: next((job for job in agent.jobs() if job.id == first.id and job.finished_at), None))
            )
            assert found and found.prior
            assert sorted(job.state for job in agent.jobs()) == ["canceled", "done", "done"], "one of them the prior's"


def _waits(agent: SearchingAgent, job: Job) -> bool:
    step = agent.steps(job.id).get("find_prior")
    return step is not None and step.state == "running"


def test_a_transfer_that_does_not_begin_is_canceled_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SearchingAgent, "_bring_in_loop", lambda _self: None)
    with EarlierPacs(chest(THEN)) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW), prior_wait_s=1)
        check_said(agent, job, pacs, "1 s later")
        assert until(lambda: [str(one.state) for one in agent.transfers()]) == ["canceled"]
        assert agent.study(derived_uid(THEN)) is None


@pytest.mark.parametrize("lacks", [2, 6])
def test_a_study_of_which_images_do_not_come(tmp_path: Path, lacks: int) -> None:
    """One that lacks images at its end is another matter than one of which none came: only the source knows."""
    with EarlierPacs(chest(THEN), lacks=lacks) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW))
        if lacks == 6:
            check_said(agent, job, pacs, "C-MOVE")
        else:
            found = since(job)
            assert found and "covers" in found.not_compared


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A socket that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_source_that_never_says_anything(tmp_path: Path, silent_port: int) -> None:
    agent = SearchingAgent(tmp_path, prior_wait_s=1)
    agent.destination("pacs", "dimse", {"host": "127.0.0.1", "port": silent_port, "called_ae": "SILENT"})
    agent.take(chest(NOW))
    with agent:
        job = agent.wait_for_job("delivering", "failed")
    assert StudyReading.model_validate(job.reading).since_prior == prior_at_source.not_had(
        "pacs was asked for an earlier study; 1 s later none was here and read."
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"PatientBirthDate": ""}, prior_search.NO_BIRTH_DATE_HERE),
        ({"PatientID": "A*"}, prior_search.WILD_CARD),
    ],
)
def test_nobody_is_asked_for_what_could_not_be_certain(tmp_path: Path, changed: dict[str, str], why: str) -> None:
    with EarlierPacs(chest(THEN)) as pacs:
        agent, job = told(tmp_path, pacs, chest(NOW, **changed))
        check_said(agent, job, pacs, why)
        assert pacs.asked == []


def test_nobody_is_there_to_ask(tmp_path: Path) -> None:
    agent = SearchingAgent(tmp_path)
    agent.rule(pipeline="msvlm")
    agent.take(chest(NOW))
    with agent:
        found = since(agent.reading_job())
    assert found == prior_at_source.not_had(prior_at_source.NOBODY_TO_ASK)
