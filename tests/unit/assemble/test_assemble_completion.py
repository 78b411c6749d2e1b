"""Studies become jobs: once, in one transaction, with an audit line."""

from pathlib import Path

import pytest
from sqlalchemy import select, update

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import Assembler, Completion, UnknownStudy, force, input_digest
from pacs_agent.config import AssembleSettings
from pacs_agent.db import AuditEvent, Database, Instance, Job, JobState, RuleSet, Study, StudyState
from pacs_agent.results import write_bytes
from pacs_agent.route import WrongRules, put_rules
from tests.integration.studies_at_work import tiny_ct

CT = "rules:\n- {name: ct, pipeline: msvlm, destinations: [pacs], when: {attribute: Modality, equals: CT}}"
MR = CT.replace("equals: CT", "equals: MR")


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


def _receive(archive: Archive, images: range, study: str = "A") -> str:
    for number in images:
        image = tiny_ct(study, number)
        header = instance_header(image, image.file_meta.TransferSyntaxUID)
        archive.store(split_part10(write_bytes(image)), header, source="test")
    return str(tiny_ct(study, 0).StudyInstanceUID)


def _rules(database: Database, text: str) -> None:
    with database.writing() as session:
        put_rules(session, text, actor="test")


def _complete(database: Database, archive: Archive, quiet_s: float = 0) -> list[Completion]:
    return Assembler(database, archive, AssembleSettings(quiet_s=quiet_s)).complete()


def _jobs(database: Database) -> list[Job]:
    with database.reading() as session:
        return list(session.scalars(select(Job).order_by(Job.created_at)))


def test_a_quiet_study_becomes_a_job(database: Database, archive: Archive) -> None:
    _rules(database, CT)
    uid = _receive(archive, range(3))
    (completion,) = _complete(database, archive)
    (job,) = _jobs(database)
    assert (completion.state, completion.jobs) == (StudyState.COMPLETE, (job.id,))
    assert (job.state, job.rule, job.pipeline, job.destinations) == (JobState.QUEUED, "ct", "msvlm", ["pacs"])
    with database.reading() as session:
        digests = sorted(session.scalars(select(Instance.digest)))
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.complete")).all()
    assert job.input_digest == input_digest(digests)
    assert [(event.subject, event.detail["jobs"]) for event in events] == [(uid, [job.id])]
    assert _complete(database, archive) == [], "only once"


def test_a_study_still_arriving_waits(database: Database, archive: Archive) -> None:
    _rules(database, CT)
    _receive(archive, range(3))
    assert _complete(database, archive, quiet_s=60) == []


def test_no_matching_rule_means_ignored_with_an_audit_line(database: Database, archive: Archive) -> None:
    _rules(database, MR)
    uid = _receive(archive, range(3))
    (completion,) = _complete(database, archive)
    assert completion.state == StudyState.IGNORED
    assert _jobs(database) == []
    with database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.ignored")).one()
        assert (event.subject, session.scalars(select(Study)).one().state_reason) == (uid, event.detail["reason"])


def test_force_does_not_wait_and_asks_the_rules_again(database: Database, archive: Archive) -> None:
    _rules(database, MR)
    uid = _receive(archive, range(3))
    assert force(database, archive, uid, actor="someone").state == StudyState.IGNORED
    _rules(database, CT)
    assert len(force(database, archive, uid, actor="someone").jobs) == 1
    assert force(database, archive, uid, actor="someone").jobs == (), "the same images are not read twice"
    with database.reading() as session:
        actors = session.scalars(select(AuditEvent.actor).where(AuditEvent.action.startswith("study."))).all()
    assert set(actors) == {"someone"}


def test_an_unknown_study_cannot_be_forced(database: Database, archive: Archive) -> None:
    with pytest.raises(UnknownStudy, match=r"1\.2\.3"):
        force(database, archive, "1.2.3", actor="someone")


def test_a_late_image_makes_a_job_that_supersedes(database: Database, archive: Archive) -> None:
    _rules(database, CT)
    _receive(archive, range(3))
    _complete(database, archive)
    with database.writing() as session:
        session.execute(update(Job).values(state=JobState.DONE))
    _receive(archive, range(4))
    _complete(database, archive)
    first, second = _jobs(database)
    assert second.supersedes_id == first.id
    assert second.input_digest != first.input_digest
    assert first.state == JobState.DONE


def test_a_job_that_has_not_begun_is_dropped_when_superseded(database: Database, archive: Archive) -> None:
    _rules(database, CT)
    for images in (range(3), range(4), range(5)):
        _receive(archive, images)
        _complete(database, archive)
    first, second, third = _jobs(database)
    assert [first.state, second.state, third.state] == [JobState.CANCELED, JobState.CANCELED, JobState.QUEUED]
    assert (second.supersedes_id, third.supersedes_id) == (first.id, second.id)


def test_the_same_images_again_change_nothing(database: Database, archive: Archive) -> None:
    _rules(database, CT)
    _receive(archive, range(3))
    _complete(database, archive)
    _receive(archive, range(3))
    assert _complete(database, archive) == []
    assert len(_jobs(database)) == 1


def test_rules_that_name_one_pipeline_twice_make_one_job_for_all_destinations(
    database: Database, archive: Archive
) -> None:
    _rules(
        database,
        "rules:\n- {name: a, pipeline: p, destinations: [x, y], priority: 50, continue: true}\n"
        "- {name: b, pipeline: p, destinations: [y, z], priority: 10, continue: true}\n- {name: c, pipeline: q}",
    )
    _receive(archive, range(3))
    _complete(database, archive)
    jobs = {job.pipeline: job for job in _jobs(database)}
    assert set(jobs) == {"p", "q"}
    assert (jobs["p"].rule, jobs["p"].destinations, jobs["p"].priority) == ("a", ["x", "y", "z"], 10)


def test_an_image_that_comes_while_headers_are_read_puts_completion_off(
    database: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacs_agent.assemble import completion

    _rules(database, CT)
    _receive(archive, range(3))
    decide = completion._decide

    def decide_while_images_come(*arguments: object) -> object:
        decision = decide(*arguments)  # type: ignore[arg-type]
        _receive(archive, range(3, 4))
        return decision

    monkeypatch.setattr(completion, "_decide", decide_while_images_come)
    assert _complete(database, archive) == []
    assert _jobs(database) == []


def test_a_study_whose_files_cannot_be_read_is_ignored_and_the_others_are_not(
    database: Database, archive: Archive
) -> None:
    _rules(database, CT.replace("Modality, equals: CT", "SliceThickness, exists: true"))
    _receive(archive, range(1), study="broken")
    with database.reading() as session:
        archive.path(session.scalars(select(Instance.digest)).one()).write_bytes(b"gone")
    _receive(archive, range(1), study="whole")
    states = sorted(completion.state for completion in _complete(database, archive))
    assert states == [StudyState.COMPLETE, StudyState.IGNORED]


def test_unreadable_rules_keep_studies_waiting(database: Database, archive: Archive) -> None:
    with database.writing() as session:
        session.add(RuleSet(text="rules: 7"))
    _receive(archive, range(3))
    with pytest.raises(WrongRules):
        _complete(database, archive)
    with database.reading() as session:
        assert session.scalars(select(Study)).one().state == StudyState.RECEIVING
