"""A study that the agent fetched to compare with is no study to be read, unless somebody wants it to be."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import Assembler, force
from pacs_agent.assemble.priors import FETCHED_AS_PRIOR, LATE_S, LATE_WHERE_BROKEN_OFF_S
from pacs_agent.config import AssembleSettings
from pacs_agent.db import (
    OWN_ACCORD,
    Database,
    Job,
    Study,
    StudyState,
    Transfer,
    TransferKind,
    TransferState,
    utc_now,
)
from pacs_agent.results import write_bytes
from pacs_agent.route import put_rules
from tests.integration.studies_at_work import tiny_ct

RULES = "rules:\n- {name: everything, pipeline: msvlm, destinations: [pacs]}"


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    """An archive with one study that has just come, and a rule for every study."""
    archive = Archive(database, tmp_path / "archive")
    sent(archive)
    with database.writing() as session:
        put_rules(session, RULES, actor="test")
    return archive


def sent(archive: Archive) -> None:
    """The images come, perhaps once more."""
    for number in range(3):
        image = tiny_ct("A", number)
        header = instance_header(image, image.file_meta.TransferSyntaxUID)
        archive.store(split_part10(write_bytes(image)), header, source="test")


def fetched(
    database: Database,
    who: str,
    ended_ago_s: float | None,
    state: TransferState = TransferState.DONE,
    kind: TransferKind = TransferKind.C_GET,
) -> None:
    """A transfer of the study; None: it has not ended."""
    ended_at = None if ended_ago_s is None else utc_now() - timedelta(seconds=ended_ago_s)
    transfer = Transfer(id="t", kind=kind, source="pacs", who=who, state=state, finished_at=ended_at)
    transfer.study_instance_uid = tiny_ct("A", 0).StudyInstanceUID
    with database.writing() as session:
        session.add(transfer)


def completed(archive: Archive) -> tuple[StudyState, str, int]:
    """State and reason of the study, and how many jobs it became."""
    Assembler(archive.database, archive, AssembleSettings(quiet_s=0)).complete()
    with archive.database.reading() as session:
        study = session.scalars(select(Study)).one()
        return study.state, study.state_reason, len(session.scalars(select(Job)).all())


@pytest.mark.parametrize("ended_ago_s", [None, 0, LATE_S - 8])
@pytest.mark.parametrize("state", [TransferState.RUNNING, TransferState.DONE, TransferState.CANCELED])
def test_no_rule_is_asked_about_it(archive: Archive, ended_ago_s: float | None, state: TransferState) -> None:
    fetched(archive.database, OWN_ACCORD, ended_ago_s, state)
    assert completed(archive) == (StudyState.IGNORED, FETCHED_AS_PRIOR, 0)


@pytest.mark.parametrize(
    ("kind", "state", "ended_ago_s", "is_read"),
    [
        (TransferKind.C_GET, TransferState.DONE, LATE_S + 60, True),
        (TransferKind.C_GET, TransferState.FAILED, LATE_S + 60, True),
        (TransferKind.C_MOVE, TransferState.DONE, LATE_S + 60, True),
        (TransferKind.C_MOVE, TransferState.CANCELED, LATE_S + 60, False),
        (TransferKind.C_MOVE, TransferState.FAILED, LATE_WHERE_BROKEN_OFF_S + 60, True),
    ],
)
def test_what_is_sent_later_is_read(
    archive: Archive, kind: TransferKind, state: TransferState, ended_ago_s: float, is_read: bool
) -> None:
    """A PACS may go on with a C-MOVE that broke off, and with nothing else."""
    fetched(archive.database, OWN_ACCORD, ended_ago_s, state, kind)
    assert (completed(archive)[0] == StudyState.COMPLETE) == is_read


def test_what_people_fetch_is_read(archive: Archive) -> None:
    fetched(archive.database, "ada@127.0.0.1", 0)
    assert completed(archive)[0::2] == (StudyState.COMPLETE, 1)


def test_the_same_images_sent_by_somebody_are_read(archive: Archive) -> None:
    fetched(archive.database, OWN_ACCORD, 0)
    assert completed(archive)[0] == StudyState.IGNORED
    sent(archive)
    assert completed(archive)[0] == StudyState.IGNORED, "just when the transfer ended it may be a part of it"
    with archive.database.writing() as session:
        session.execute(update(Transfer).values(finished_at=utc_now() - timedelta(seconds=LATE_S + 60)))
    assert completed(archive)[0] == StudyState.IGNORED, "nothing came"
    sent(archive)
    assert completed(archive)[0::2] == (StudyState.COMPLETE, 1)
    sent(archive)
    assert completed(archive)[0::2] == (StudyState.COMPLETE, 1), "once more changes nothing"


def test_other_ignored_studies_stay_so(archive: Archive) -> None:
    with archive.database.writing() as session:
        put_rules(session, "rules: []", actor="test")
    ignored = completed(archive)
    with archive.database.writing() as session:
        put_rules(session, RULES, actor="test")
    sent(archive)
    assert completed(archive) == ignored


def test_an_operator_may_have_it_read(archive: Archive) -> None:
    fetched(archive.database, OWN_ACCORD, 0)
    completed(archive)
    forced = force(archive.database, archive, tiny_ct("A", 0).StudyInstanceUID, actor="ada")
    assert (forced.state, len(forced.jobs)) == (StudyState.COMPLETE, 1)
