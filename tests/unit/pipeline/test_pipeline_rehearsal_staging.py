"""Studies that are read with all their series are rehearsed as well: their stacks are encoded before the job begins."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from sqlalchemy import select

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import force
from pacs_agent.config import AheadSettings, Settings
from pacs_agent.db import Database, Job, ResultObject, SeriesAhead, Study
from pacs_agent.inference import StudyReading
from pacs_agent.pipeline import Shared
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.rehearsable import Rehearsable
from pacs_agent.pipeline.staging import Staging
from pacs_agent.pipeline.steps import Steps
from pacs_agent.results import write_bytes
from pacs_agent.route import put_rules
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.inference.tiny_staging import pelvis, write_staging_bundle
from tests.unit.pipeline.rehearsing import Rehearsing
from tests.unit.pipeline.steps_done import steps_done

MR = "{attribute: Modality, equals: MR}"
RULES = f"rules: [{{name: mr, when: {MR}, pipeline: staging}}, {{name: rest, pipeline: msvlm}}]"
STEPS = ("encode_missing", "read_study", "weigh_evidence")
ALL_STEPS = ["_choose", "_encode_missing", "_read_study", "_weigh_evidence", "_describe"]


class Site:
    """An archive, a model that reads all series of pelvic MR beside one that reads a CT, and a worker's stages."""

    def __init__(self, database: Database, folder: Path, **ahead: Any) -> None:
        self.database = database
        write_bundle(folder / "bundles" / "tiny-1.0")
        bundle = write_staging_bundle(folder / "bundles" / "tiny-staging-1.0")
        self.settings = Settings(data_dir=folder / "data", inference=settings_of(bundle, batch_slices=2))
        self.archive = Archive(database, folder / "data" / "archive")
        self.shared = Shared.of(self.settings)
        self.stages = Staging(self.settings, self.archive, self.shared)
        reading = MsVlm(self.settings, self.archive, self.shared)
        both: dict[str, Rehearsable] = {"msvlm": reading, "staging": self.stages}
        self.rehearsing = Rehearsing(self.archive, self.shared.jobs, both, AheadSettings(**ahead))
        self.rules(RULES)

    def rules(self, text: str) -> None:
        with self.database.writing() as session:
            put_rules(session, text, actor="test")

    def receive(self, datasets: Sequence[Dataset]) -> None:
        for dataset in datasets:
            encoded = split_part10(write_bytes(dataset))
            self.archive.store(encoded, instance_header(dataset, encoded.transfer_syntax_uid), source="test")

    def study(self) -> Study:
        with self.database.reading() as session:
            return session.scalars(select(Study)).one()

    def rehearse(self) -> bool:
        return self.rehearsing.rehearse(self.study().id)

    def counted(self) -> dict[str, tuple[int, int]]:
        """How many slices of each series were encoded ahead, and left out."""
        self.rehearsing.counts.write()
        with self.database.reading() as session:
            rows = session.scalars(select(SeriesAhead))
            return {row.series_instance_uid: (row.encoded, row.left_out) for row in rows}

    def tell(self, stages: Staging | None = None) -> tuple[dict[str, str], StudyReading]:
        """The job of the study as it is now, by all its steps: what they gave, and what it says."""
        [job_id] = force(self.database, self.archive, self.study().study_instance_uid, actor="test").jobs
        return self.tell_again(job_id, stages)

    def tell_again(self, job_id: str, stages: Staging | None = None) -> tuple[dict[str, str], StudyReading]:
        steps = Steps(self.database, self.archive, {"staging": stages or self.stages}, "Tests")
        steps.begin(job_id, 1)
        earlier = {"select_series": steps.select_series(job_id, 1)}
        for step in STEPS:
            earlier[step] = getattr(steps, step)(job_id, 1, dict(earlier))
        steps.compose(job_id, 1, earlier)
        with self.database.reading() as session:
            return earlier, StudyReading.model_validate(session.get_one(Job, job_id).reading)

    def documents(self) -> dict[str, bytes]:
        with self.database.reading() as session:
            rows = session.scalars(select(ResultObject)).all()
        return {row.kind: self.archive.path(row.digest).read_bytes() for row in rows}


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


def test_a_job_says_what_was_rehearsed_of_all_series_and_does_none_of_it_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.receive(pelvis())
    done = steps_done(site.stages, monkeypatch)
    assert site.rehearse()
    assert done == ALL_STEPS
    _, reading = site.tell()
    assert done == ALL_STEPS
    assert [len(one.slices) for one in reading.all_series] == [6, 3]
    assert sorted(site.counted().values()) == [(3, 0), (6, 0)]
    said = site.documents()
    with site.database.writing() as session:
        [job_id] = session.scalars(select(Job.id))
        for row in session.scalars(select(ResultObject)):
            session.delete(row)
    site.tell_again(job_id, Staging(site.settings, site.archive))  # another worker, that knows of nothing
    assert site.documents() == said and len(said) == 2


def test_a_late_image_changes_its_own_stack_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    *early, late = pelvis()
    site.receive(early)
    assert site.rehearse()
    site.receive([late])
    done, decoded = steps_done(site.stages, monkeypatch), list[int]()
    encoder = site.stages._models.reader(site.stages._models.bundles()[0]).encoder
    real = encoder._stored
    monkeypatch.setattr(encoder, "_stored", lambda stack: decoded.append(len(stack.series.slices)) or real(stack))
    _, reading = site.tell()
    assert done == ALL_STEPS
    assert decoded == [3]
    assert [len(one.slices) for one in reading.all_series] == [6, 3]


@pytest.mark.parametrize("why", ["a job reads", "slices wait"])
def test_a_rehearsal_gives_way_between_slices_and_loses_none(
    site: Site, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    site.receive(pelvis())
    encoder = site.stages._models.reader(site.stages._models.bundles()[0]).encoder
    begun, may_end, real = threading.Event(), threading.Event(), encoder._encode

    def job() -> None:
        with site.shared.jobs.job():
            begun.set()
            may_end.wait(20)

    def encode_and_be_interrupted(*given: Any) -> None:
        real(*given)
        monkeypatch.setattr(encoder, "_encode", real)
        site.rehearsing.others_wait = why == "slices wait"
        if why == "a job reads":
            threading.Thread(target=job).start()
            assert begun.wait(20)

    monkeypatch.setattr(encoder, "_encode", encode_and_be_interrupted)
    assert not site.rehearse()
    may_end.set()
    assert list(site.counted().values()) == [(2, 0)]
    earlier, _ = site.tell()
    assert '"encoded":5,"cached":4' in earlier["encode_missing"], "axial slices without a tumour look alike"


def test_what_the_budget_does_not_allow_is_left_to_the_job(database: Database, tmp_path: Path) -> None:
    site = Site(database, tmp_path, max_slices_per_study=4)
    site.receive(pelvis())
    assert site.rehearse()
    assert list(site.counted().values()) == [(4, 2)]
    _, reading = site.tell()
    assert [len(one.slices) for one in reading.all_series] == [6, 3]


def test_what_rules_expect_alone_is_encoded(site: Site) -> None:
    sagittal = "{attribute: SeriesDescription, equals: t2_tse_sag}"
    site.rules(f"rules: [{{name: all, pipeline: staging, expects: {{series: [{sagittal}]}}}}]")
    axial, sagittal = pelvis()[:6], pelvis()[6:]
    site.receive(axial)
    assert site.rehearse()
    assert (site.counted(), len(site.rehearsing.had_nothing)) == ({}, 1), "what is expected has not come"
    site.receive(sagittal)
    assert site.rehearse()
    assert list(site.counted().values()) == [(3, 0)]
    assert len(site.rehearsing.had_nothing) == 1


@pytest.mark.parametrize("rules", ["rules: [{name: all, pipeline: msvlm}]", "rules: [{name: all, pipeline: other}]"])
def test_a_study_that_no_rule_sends_there_is_left_alone(
    site: Site, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.rules(rules)
    site.receive(pelvis())
    done = steps_done(site.stages, monkeypatch)
    assert site.rehearse()
    assert (done, site.counted()) == ([], {})


def test_rules_that_came_since_are_kept_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.receive(pelvis())
    assert site.rehearse()
    when = "{attribute: SeriesDescription, equals: t2_tse_sag}"
    site.rules(f"corrections: [{{name: scouts, when: {when}, is: {{weighting: localizer}}}}]\n{RULES}")
    _, reading = site.tell()
    assert len(reading.all_series) == 1
