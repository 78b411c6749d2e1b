"""Studies that receive: counted, asked for at their source, held, and completed by the sign that comes first."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from sqlalchemy import insert, select, update

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import Assembler, Completion, QuietWatch, SourceAnswer, force
from pacs_agent.config import AssembleSettings
from pacs_agent.db import AuditEvent, Database, Instance, Job, Patient, Series, Study, StudyState
from pacs_agent.imaging import HeaderFile, read_headers
from pacs_agent.results import write_bytes
from pacs_agent.results.uids import derived_uid
from pacs_agent.route import Expected, put_rules
from tests.integration.studies_at_work import tiny_ct
from tests.unit.console.stored_mr import EPI, STUDY, T2_TSE, mr_images

CT = "rules:\n- {name: ct, pipeline: msvlm, when: {attribute: Modality, equals: CT}}"
THIN = """
rules:
  - name: chest
    when: {attribute: Modality, equals: CT}
    expects:
      series:
        - all:
            - {attribute: Modality, equals: CT}
            - {attribute: NumberOfSeriesRelatedInstances, range: {min: 4}}
      wait_at_most_s: 600
      if_incomplete: WHAT
    pipeline: msvlm
"""


class Clock:
    """Time that passes when it is told to, for the wall clock and the monotonic one alike."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def __call__(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed_s)


class Source:
    """A peer that is asked for counts."""

    def __init__(self, *counts: int | None) -> None:
        self.counts = list(counts)
        self.asked: list[tuple[str, Sequence[str]]] = []

    def __call__(self, source: str, studies: Sequence[str]) -> Mapping[str, SourceAnswer]:
        self.asked.append((source, studies))
        count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        trouble = "" if count is not None else "it does not answer"
        return dict.fromkeys(studies, SourceAnswer(count, "C-FIND at pacs", trouble))


class Agent:
    """An archive, its rules and an assembler under a clock."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.archive, self.clock = database, Archive(database, folder), Clock()
        self.open: dict[str, str] = {}
        """By which peer an open association brought the newest image of a study."""
        self.assembler = self.restarted()

    def restarted(self, ask: Source | None = None) -> Assembler:
        watch = QuietWatch(self.clock, self.clock.now)
        self.assembler = Assembler(self.database, self.archive, AssembleSettings(), ask, watch, self._still_open)
        return self.assembler

    def _still_open(self, studies: Collection[str]) -> Mapping[str, str]:
        return {uid: peer for uid, peer in self.open.items() if uid in studies}

    def rules(self, text: str) -> None:
        with self.database.writing() as session:
            put_rules(session, text, actor="test")

    def receive(self, images: range, study: str = "A", series: str = "", **elements: Any) -> str:
        for number in images:
            image = tiny_ct(study, number)
            if series:
                image.SeriesInstanceUID = derived_uid("series", study, series)
            for keyword, value in elements.items():
                setattr(image, keyword, value)
            self.store(image)
        return str(tiny_ct(study, 0).StudyInstanceUID)

    def store(self, image: Dataset, source: str = "CT1@10.0.0.7") -> None:
        header = instance_header(image, image.file_meta.TransferSyntaxUID)
        self.archive.store(split_part10(write_bytes(image)), header, source=source)

    def after(self, seconds: float) -> list[Completion]:
        self.clock.passed_s += seconds
        return self.assembler.complete()

    def study(self) -> Study:
        with self.database.reading() as session:
            return session.scalars(select(Study)).one()

    def settled(self) -> list[Completion]:
        """What two passes give; between them the source answers."""
        first = self.assembler.complete()
        deadline_s = time.monotonic() + 5
        while self.assembler._sources and self.assembler._sources._busy and time.monotonic() < deadline_s:
            time.sleep(0.001)
        return first + self.assembler.complete()


@pytest.fixture
def agent(database: Database, tmp_path: Path) -> Agent:
    agent = Agent(database, tmp_path / "archive")
    agent.rules(CT)
    return agent


def test_all_that_the_images_announce_completes_at_once(agent: Agent) -> None:
    agent.receive(range(5), NumberOfStudyRelatedInstances=6)
    assert agent.after(0.5) == []
    assert (agent.study().expected_instances, agent.study().expected_from) == (6, "the images themselves")
    agent.receive(range(5, 6), NumberOfStudyRelatedInstances=6)
    (completion,) = agent.after(0.5)
    assert (completion.state, len(completion.jobs)) == (StudyState.COMPLETE, 1)
    assert completion.complete_by == "all 6 instances came that the images themselves announce"
    assert agent.study().complete_by == completion.complete_by
    with agent.database.reading() as session:
        line = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.complete")).one()
    assert line.detail["complete_by"] == completion.complete_by


def test_a_sender_that_counts_along_is_not_believed(agent: Agent) -> None:
    for number in range(4):
        agent.receive(range(number, number + 1), NumberOfStudyRelatedInstances=number + 1)
        assert agent.after(0.5) == []
    (completion,) = agent.after(30)
    assert "announce other counts each time" in completion.complete_by


def test_series_that_each_say_how_many_they_have_make_a_whole(agent: Agent) -> None:
    said = {"NumberOfStudyRelatedSeries": 2}
    agent.receive(range(3), series="thick", NumberOfSeriesRelatedInstances=3, **said)
    assert agent.after(0.5) == []
    agent.receive(range(3, 6), series="thin", NumberOfSeriesRelatedInstances=4, **said)
    assert agent.after(0.5) == []
    agent.receive(range(6, 7), series="thin", NumberOfSeriesRelatedInstances=4, **said)
    (completion,) = agent.after(0.5)
    assert "all 7 instances" in completion.complete_by


@pytest.mark.parametrize("wrong", ["", "many", "-5", "99999999999", "6\\7"])
def test_what_is_no_count_is_none(agent: Agent, wrong: str) -> None:
    agent.receive(range(2), NumberOfStudyRelatedInstances=1)
    image = tiny_ct("A", 2)
    image.add_new(0x00201208, "LO", wrong)
    agent.store(image)
    agent.after(0.5)
    (completion,) = agent.after(30)
    assert "more than the 1 by the images themselves, so that count is not believed" in completion.complete_by


def test_a_count_that_is_not_reached_does_not_hold_up(agent: Agent) -> None:
    agent.receive(range(5), NumberOfStudyRelatedInstances=60)
    assert agent.after(29) == []
    (completion,) = agent.after(1)
    assert completion.complete_by == "nothing came for 30 s; 5 of 60 instances came, by the images themselves"


def test_late_images_after_a_count_supersede(agent: Agent) -> None:
    agent.receive(range(3), NumberOfStudyRelatedInstances=3)
    assert len(agent.after(0.5)) == 1
    agent.receive(range(3, 4), NumberOfStudyRelatedInstances=3)
    assert agent.after(0.5) == [], "more than the count: it says nothing"
    assert len(agent.after(30)) == 1
    with agent.database.reading() as session:
        first, second = session.scalars(select(Job).order_by(Job.created_at))
    assert second.supersedes_id == first.id


def test_the_source_is_asked_again_when_as_many_came_as_it_said(agent: Agent) -> None:
    source = Source(4)
    agent.restarted(source)
    uid = agent.receive(range(2))
    assert agent.settled() == []
    assert agent.study().expected_instances == 4
    agent.clock.passed_s += 3
    agent.receive(range(2, 4))
    (completion,) = agent.settled()
    assert completion.complete_by == "all 4 instances came that the source has, by C-FIND at pacs"
    assert source.asked == [("CT1@10.0.0.7", [uid])] * 2


def test_a_source_that_still_grows_is_not_believed(agent: Agent) -> None:
    agent.restarted(Source(2, 3, 4, 4))
    for number in range(2, 5):
        agent.receive(range(number))
        assert agent.settled() == [], "as many as there are, but it said another number before"
        agent.clock.passed_s += 5
    assert len(agent.settled()) == 1, "the same number twice"


def test_a_source_that_does_not_answer_is_named_and_left_alone(agent: Agent) -> None:
    source = Source(None)
    agent.restarted(source)
    agent.receive(range(2))
    agent.settled()
    agent.receive(range(2, 3))
    agent.settled()
    assert len(source.asked) == 1
    (completion,) = agent.after(30)
    assert completion.complete_by.endswith("the source could not be asked: it does not answer")


def test_asking_can_be_turned_off(agent: Agent) -> None:
    source = Source(2)
    settings = AssembleSettings(ask_source="off")
    assembler = Assembler(agent.database, agent.archive, settings, source, QuietWatch(agent.clock, agent.clock.now))
    agent.receive(range(2))
    assert assembler.complete() == []
    assert source.asked == []


def test_an_association_that_is_still_open_is_waited_for_and_the_study_says_so(agent: Agent) -> None:
    uid = agent.receive(range(2))
    agent.open[uid] = "CT1@10.0.0.7"
    assert agent.after(29) == []
    assert agent.study().state_reason == ""
    assert agent.after(1) == []
    assert "association of CT1@10.0.0.7 that brought the newest instance is still open" in agent.study().state_reason
    assert agent.after(15) == []
    agent.open.clear()
    (completion,) = agent.after(0.5)
    assert completion.complete_by.startswith("nothing came for 30 s, and the association that brought them has ended")


def test_an_association_that_never_ends_does_not_hold_a_study_for_ever(agent: Agent) -> None:
    agent.open[agent.receive(range(2))] = "CT1@10.0.0.7"
    assert agent.after(119) == []
    (completion,) = agent.after(1)
    assert completion.complete_by.startswith("nothing came for 120 s, though the association of CT1@10.0.0.7")


def test_an_image_that_comes_after_all_strikes_out_that_it_was_waited_for(agent: Agent) -> None:
    agent.open[agent.receive(range(2))] = "CT1@10.0.0.7"
    assert agent.after(31) == []
    assert "still open" in agent.study().state_reason
    agent.receive(range(2, 3))
    with agent.database.writing() as session:  # the fake clock is ahead of the wall clock that the archive reads
        session.execute(update(Study).values(last_received_at=agent.clock.now()))
    assert agent.after(1) == []
    assert agent.study().state_reason == ""
    agent.open.clear()
    (completion,) = agent.after(30)
    assert completion.complete_by.startswith("nothing came for 30 s; 3 instances came")


def test_an_open_association_does_not_hold_up_a_count(agent: Agent) -> None:
    agent.open[agent.receive(range(2), NumberOfStudyRelatedInstances=2)] = "CT1@10.0.0.7"
    assert len(agent.after(0.5)) == 1


def test_storage_commitment_after_the_last_image_is_the_end(agent: Agent) -> None:
    agent.receive(range(2))
    with agent.database.writing() as session:
        session.execute(update(Study).values(commitment_asked_at=datetime.now(UTC)))
    assert agent.after(0.5) == []
    (completion,) = agent.after(2)
    assert "storage commitment" in completion.complete_by


def test_storage_commitment_before_the_last_image_says_nothing(agent: Agent) -> None:
    agent.receive(range(2))
    with agent.database.writing() as session:
        session.execute(update(Study).values(commitment_asked_at=datetime.now(UTC)))
    agent.receive(range(2, 3))
    assert agent.after(3) == []


def test_two_associations_minutes_apart_make_one_job_where_a_rule_expects_the_second(agent: Agent) -> None:
    agent.rules(THIN.replace("WHAT", "hold"))
    agent.receive(range(2), series="scout")
    assert agent.after(40) == [], "quiet, but the thin series is missing"
    assert "rule “chest” misses a series with Modality equals 'CT' and NumberOf" in agent.study().state_reason
    agent.restarted()
    assert agent.after(240) == [], "minutes later, and after a restart"
    agent.receive(range(2, 7), series="thin")
    image_at_s = agent.clock.passed_s
    with agent.database.writing() as session:  # the fake clock is ahead of the wall clock that the archive reads
        session.execute(update(Study).values(last_received_at=datetime.now(UTC) + timedelta(seconds=image_at_s)))
    assert agent.after(1) == []
    (completion,) = agent.after(30)
    assert (completion.state, len(completion.jobs)) == (StudyState.COMPLETE, 1)


@pytest.mark.parametrize(
    ("what", "state", "words"),
    [
        ("read", StudyState.COMPLETE, "misses a series"),
        ("ignore", StudyState.IGNORED, "misses a series"),
        ("hold", StudyState.HELD, ""),
    ],
)
def test_what_does_not_come_in_time(agent: Agent, what: str, state: StudyState, words: str) -> None:
    agent.rules(THIN.replace("WHAT", what))
    uid = agent.receive(range(3))
    assert agent.after(599) == []
    (completion,) = agent.after(2)
    assert completion.state == state
    assert words in completion.complete_by
    assert "misses a series" in f"{completion.reason} {completion.complete_by}"
    forced = force(agent.database, agent.archive, uid, actor="ada")
    assert (forced.state, forced.complete_by) == (StudyState.COMPLETE, "taken as complete by ada")


def test_the_rule_after_one_that_leaves_a_study_reads_it(agent: Agent) -> None:
    expects = "{series: [{attribute: Modality, equals: SR}], wait_at_most_s: 900}"
    agent.rules(f"{THIN.replace('WHAT', 'ignore')}\n  - {{name: rest, pipeline: other, expects: {expects}}}")
    agent.receive(range(3))
    assert agent.after(601) == [], "the second rule waits longer"
    (completion,) = agent.after(300)
    assert (completion.state, completion.reason) == (StudyState.COMPLETE, "rest → other → own archive only")
    assert "rule “chest” misses" in completion.complete_by
    assert "rule “rest” misses a series with Modality equals 'SR'" in completion.complete_by
    assert "  ✗ not asked: what it expects did not come in time" in (agent.study().decision or [])


def test_images_that_come_to_a_held_study_begin_it_again(agent: Agent) -> None:
    agent.rules(THIN.replace("WHAT", "hold"))
    agent.receive(range(3))
    agent.after(601)
    agent.receive(range(3, 5))
    (completion,) = agent.after(30)
    assert completion.state == StudyState.COMPLETE


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)), passes=st.sets(st.integers(0, 4)))
def test_in_whatever_order_images_come_the_count_completes_with_the_last_one(
    agent: Agent, order: list[int], passes: set[int]
) -> None:
    study = f"{order}{passes}"
    for position, number in enumerate(order):
        agent.receive(range(number, number + 1), study, NumberOfStudyRelatedInstances=5)
        if position in passes and position < 4:
            assert agent.after(0.1) == []
    assert [completion.state for completion in agent.after(0.1)] == [StudyState.COMPLETE]


@pytest.mark.alone
@pytest.mark.slow
def test_ten_thousand_studies_that_receive_cost_a_pass_of_less_than_half_a_second(agent: Agent) -> None:
    now = datetime.now(UTC)
    with agent.database.writing() as session:
        session.execute(insert(Patient), [{"id": 1, "patient_id": "P", "issuer": "", "name": "N", "birth_date": ""}])
        studies = [{"id": n, "patient_pk": 1, "study_instance_uid": f"1.2.{n}"} for n in range(1, 10_001)]
        session.execute(insert(Study), [{**one, "last_received_at": now} for one in studies])
        series = [{"id": n, "study_pk": n, "series_instance_uid": f"1.3.{n}"} for n in range(1, 10_001)]
        session.execute(insert(Series), series)
        images = [
            {
                "series_pk": n % 10_000 + 1,
                "sop_instance_uid": f"1.4.{n}",
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "digest": f"{n:064x}",
                "size_bytes": 1,
                "source": "CT1@10.0.0.7",
            }
            for n in range(100_000)
        ]
        session.execute(insert(Instance), images)
    agent.assembler.complete()
    while agent.assembler._uncounted:  # the first passes look into the images of all of them
        agent.assembler.complete()
    began_s = time.process_time()
    agent.assembler.complete()
    assert time.process_time() - began_s < 0.5


STACKS = """rules:
- name: prostate
  pipeline: prostate
  expects:
    series: [{stack: {weighting: T2, plane: axial}}, {stack: {weighting: DWI, b_value: {min: 600}}}]
    optional: [{stack: {weighting: ADC}}]
    wait_at_most_s: 300
    if_incomplete: IF_INCOMPLETE
"""


def diffusion() -> list[Dataset]:
    return mr_images(2, "ep2d_diff", (0, 3, 6), DiffusionBValue=800.0, **EPI)


def test_a_study_waits_for_the_stacks_that_a_rule_expects(agent: Agent) -> None:
    agent.rules(STACKS.replace("IF_INCOMPLETE", "hold"))
    for image in mr_images(1, "Prostate", (0, 3, 6), **T2_TSE):
        agent.store(image)
    assert agent.after(0.5) == agent.after(60) == []
    words = "rule “prostate” misses a series with a stack of weighting DWI, b-value at least 600"
    assert agent.study().state_reason.startswith(words)
    for image in diffusion():
        agent.store(image)
    (completion,) = agent.after(60)
    assert (completion.state, len(completion.jobs)) == (StudyState.COMPLETE, 1)
    assert any("series ep2d_diff, 3 images" in line for line in agent.study().decision or [])


@pytest.mark.parametrize(
    ("if_incomplete", "state"),
    [
        ("hold", StudyState.HELD),
        ("ignore", StudyState.IGNORED),
        ("read", StudyState.COMPLETE),
        ("report", StudyState.COMPLETE),
    ],
)
def test_a_study_does_not_wait_for_stacks_for_ever(agent: Agent, if_incomplete: str, state: StudyState) -> None:
    agent.rules(STACKS.replace("IF_INCOMPLETE", if_incomplete))
    for image in diffusion():
        agent.store(image)
    assert agent.after(0.5) == agent.after(60) == []
    (completion,) = agent.after(300)
    assert completion.state is state
    assert "a stack of plane axial, weighting T2" in f"{completion.reason} {completion.complete_by}"


def test_headers_are_not_read_again_for_a_study_that_waits_under_the_same_rules(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(paths: list[Path]) -> list[HeaderFile]:
        read.extend(paths)
        return read_headers(paths)

    monkeypatch.setattr("pacs_agent.route.attributes.read_headers", counted)
    agent.rules(STACKS.replace("IF_INCOMPLETE", "hold"))
    for image in mr_images(1, "Prostate", (0, 3, 6), **T2_TSE):
        agent.store(image)
    assert [agent.after(seconds) for seconds in (0.5, 60, 31, 31, 31)] == [[]] * 5
    assert len(read) == 3
    agent.rules(STACKS.replace("IF_INCOMPLETE", "ignore"))
    assert agent.after(31) == []
    assert len(read) == 6, "other rules may say something else"
    for image in diffusion():
        agent.store(image)
    (completion,) = agent.after(60)
    assert completion.state is StudyState.COMPLETE


def expected(agent: Agent) -> list[tuple[bool, str, list[str]]]:
    """Of each job, oldest first: whether it only reports, what is missing, and what may be read."""
    with agent.database.reading() as session:
        kept = session.scalars(select(Job.expected).order_by(Job.created_at)).all()
    found = [Expected.model_validate(one) for one in kept if one]
    return [(one.is_reported, one.missing, [part.stack for part in one.among or ()]) for one in found]


def test_a_job_keeps_what_met_what_its_rule_expects(agent: Agent) -> None:
    agent.rules(STACKS.replace("IF_INCOMPLETE", "read"))
    for image in (*mr_images(1, "Prostate", (0, 3, 6), **T2_TSE), *diffusion()):
        agent.store(image)
    agent.after(60)
    assert expected(agent) == [(False, "", ["T2 axial", "DWI b800 axial"])]


def test_rules_of_one_pipeline_expect_together(agent: Agent) -> None:
    first = "{name: a, pipeline: p, continue: true, expects: {series: [{stack: {weighting: T2}}]}}"
    second = "{name: b, pipeline: p, continue: true, expects: {series: [{stack: {weighting: DWI}}]}}"
    agent.rules(f"rules: [{first}, {second}, {{name: c, pipeline: q}}]")
    for image in (*mr_images(1, "Prostate", (0, 3, 6), **T2_TSE), *diffusion()):
        agent.store(image)
    agent.after(60)
    with agent.database.reading() as session:
        kept = {job.pipeline: job.expected for job in session.scalars(select(Job))}
    assert [(one["rule"], len(one["met_by"])) for one in (kept["p"] or {})["of"]] == [("a", 1), ("b", 1)]
    assert kept["q"] is None, "its rule expects nothing"


def test_what_is_missing_is_reported_and_read_when_it_comes(agent: Agent) -> None:
    agent.rules(STACKS.replace("IF_INCOMPLETE", "report"))
    for image in diffusion():
        agent.store(image)
    (completion,) = agent.after(301)
    assert len(completion.jobs) == 1
    assert expected(agent) == [(True, "a series with a stack of plane axial, weighting T2", ["DWI b800 axial"])]
    for image in mr_images(1, "Prostate", (0, 3, 6), **T2_TSE):
        agent.store(image)
    (completion,) = agent.after(60)
    assert len(completion.jobs) == 1
    assert expected(agent)[1:] == [(False, "", ["T2 axial", "DWI b800 axial"])]


def test_a_study_that_was_reported_is_read_when_it_is_forced(agent: Agent) -> None:
    agent.rules(STACKS.replace("IF_INCOMPLETE", "report"))
    for image in diffusion():
        agent.store(image)
    agent.after(301)
    assert len(force(agent.database, agent.archive, STUDY, actor="ada").jobs) == 1
    assert [is_reported for is_reported, *_ in expected(agent)] == [True, False]
    assert force(agent.database, agent.archive, STUDY, actor="ada").jobs == (), "the same images are not read twice"


def test_what_was_reported_is_not_reported_again_of_the_same_images(agent: Agent) -> None:
    agent.rules(STACKS.replace("IF_INCOMPLETE", "report"))
    for image in diffusion():
        agent.store(image)
    agent.after(301)
    with agent.database.writing() as session:
        session.execute(update(Study).values(state=StudyState.RECEIVING))
    (completion,) = agent.after(301)
    assert (completion.state, completion.jobs) == (StudyState.COMPLETE, ())


def test_a_pipeline_that_another_rule_wants_reads(agent: Agent) -> None:
    reported = STACKS.replace("IF_INCOMPLETE", "report").replace("  expects", "  continue: true\n  expects")
    agent.rules(f"{reported}- {{name: any, pipeline: prostate}}\n")
    for image in diffusion():
        agent.store(image)
    (completion,) = agent.after(301)
    assert len(completion.jobs) == 1
    assert [is_reported for is_reported, *_ in expected(agent)] == [False]
