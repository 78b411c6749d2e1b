"""A model in shadow reads after the one in use, is compared with it and tells nobody; versions are recalled."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import select
from tiny_bundle import MakeSeries, settings_of, write_bundle

from pacs_agent import inference, pipeline
from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import image_digests, input_digest
from pacs_agent.config import Settings
from pacs_agent.console.readings.stored import reading_jobs
from pacs_agent.db import (
    AuditEvent,
    Database,
    Job,
    JobState,
    ReadingStatistics,
    ResultObject,
    ShadowReading,
    Study,
    utc_now,
)
from pacs_agent.deliver import Outbox
from pacs_agent.inference import BundleRefused, RecallRefused, ShadowRefused
from pacs_agent.pipeline.delivery import Deliveries
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.shadow import Shadow, queue_shadow
from pacs_agent.pipeline.steps import Steps
from pacs_agent.pipeline.told import follow_up


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundles" / "tiny-1.0", version="1.0")
    write_bundle(tmp_path / "bundles" / "tiny-2.0", version="2.0", grounding=None)
    write_bundle(tmp_path / "bundles" / "tiny-3.0", version="3.0")
    return tmp_path / "bundles"


@pytest.fixture
def settings(bundles: Path, tmp_path: Path, database: Database) -> Settings:
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(bundles / "tiny-1.0"))
    inference.activate(bundles / "tiny-1.0", settings, database, actor="tests")
    return settings


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


def received(database: Database, archive: Archive, make_series: MakeSeries) -> int:
    """A study of slices that show both findings; its key."""
    for one in make_series([2000, 2000, 2000], corners=[4000, 4000, 4000]).slices:
        encoded = split_part10(one.path.read_bytes())
        archive.store(encoded, instance_header(dcmread(one.path), encoded.transfer_syntax_uid), source="test")
    with database.reading() as session:
        return session.scalars(select(Study.id)).one()


def read_by_the_one_in_use(database: Database, archive: Archive, settings: Settings, study_pk: int) -> str:
    """A job of the model in use with its reading, and what follows from it; its id."""
    stages = MsVlm(settings, archive)
    with database.writing() as session:
        digest = input_digest(image_digests(session, study_pk))
        job = Job(
            id="active", study_pk=study_pk, rule="ct", pipeline="msvlm", destinations=["pacs"], input_digest=digest
        )
        session.add(job)
        session.flush()
        images = tuple(archive.path(one) for one in image_digests(session, study_pk))
    facts = pipeline.JobFacts("active", "1.2.3", digest, utc_now(), images, ())
    choice = stages.select_series(facts)
    earlier = {"select_series": choice.selected}
    earlier["encode_missing"] = stages.encode_missing(facts, earlier, lambda _done, _all: None)
    earlier["read_study"] = stages.read_study(facts, earlier)
    earlier["weigh_evidence"] = stages.weigh_evidence(facts, earlier)
    reading = stages.described(earlier)
    with database.writing() as session:
        job = session.get_one(Job, "active")
        follow_up(session, job, reading, Dataset())
        job.reading, job.bundle, job.state = reading.model_dump(mode="json"), choice.bundle, JobState.DONE
    return "active"


def run_shadow(database: Database, archive: Archive, settings: Settings, job_id: str) -> Job:
    """The steps of a shadow's job, in their order, and what becomes of it."""
    stages = {"msvlm": MsVlm(settings, archive), "shadow": Shadow(settings, archive)}
    steps, earlier = Steps(database, archive, stages, "tests"), dict[str, str]()
    assert steps.begin(job_id, 1)
    earlier["select_series"] = steps.select_series(job_id, 1)
    earlier["encode_missing"] = steps.encode_missing(job_id, 1, earlier)
    earlier["read_study"] = steps.read_study(job_id, 1, earlier)
    earlier["weigh_evidence"] = steps.weigh_evidence(job_id, 1, earlier)
    steps.compose(job_id, 1, earlier)
    assert steps.hand_over(job_id, 1) == []
    Deliveries(database, Outbox(database, archive, settings), settings.deliver).settle(job_id, 1)
    with database.reading() as session:
        return session.get_one(Job, job_id)


def shadows(database: Database) -> list[ShadowReading]:
    with database.reading() as session:
        return list(session.scalars(select(ShadowReading)))


def test_a_shadow_reads_after_the_one_in_use_and_is_compared(
    settings: Settings, bundles: Path, database: Database, archive: Archive, make_series: MakeSeries
) -> None:
    with pytest.raises(BundleRefused, match="no grounding test"):
        inference.start_shadow(bundles / "tiny-2.0", settings, database, actor="tests")
    inference.start_shadow(bundles / "tiny-3.0", settings, database, actor="tests")
    with pytest.raises(ShadowRefused, match="already"):
        inference.start_shadow(bundles / "tiny-3.0", settings, database, actor="tests")
    study = received(database, archive, make_series)
    active = read_by_the_one_in_use(database, archive, settings, study)
    (row,) = shadows(database)
    assert (row.of_job_id, row.said) == (active, None)
    job = run_shadow(database, archive, settings, row.job_id)
    assert (job.state, job.bundle, job.pipeline, job.destinations) == (JobState.DONE, "tiny 3.0", "shadow", [])
    with database.reading() as session:
        assert session.scalars(select(ResultObject.id)).all() == []
        assert [one.id for one in reading_jobs(session, study)] == [active], "the panel never sees it"
        shadow = inference.running_shadow(session)
        assert shadow is not None
        compared = inference.compare(session, shadow)
        counted = list(session.scalars(select(ReadingStatistics)))
    assert (compared.studies, compared.waiting) == (1, 0)
    assert [(one.key, one.agreement, one.mean_difference) for one in compared.findings] == [
        ("nodule", 1, 0),
        ("effusion", 1, 0),
    ]
    assert sorted((one.version, one.studies) for one in counted) == [("1.0", 1)] * 2 + [("3.0", 1)] * 2
    inference.end_shadow(database, actor="tests")
    with pytest.raises(ShadowRefused, match="no model"):
        inference.end_shadow(database, actor="tests")


def test_the_one_in_use_is_no_shadow_and_without_one_nothing_is_queued(
    settings: Settings, bundles: Path, database: Database, archive: Archive, make_series: MakeSeries
) -> None:
    with pytest.raises(ShadowRefused, match="is in use"):
        inference.start_shadow(bundles / "tiny-1.0", settings, database, actor="tests")
    read_by_the_one_in_use(database, archive, settings, received(database, archive, make_series))
    assert shadows(database) == []


@pytest.mark.parametrize(("by", "queued"), [("msvlm:tiny", 1), ("staging", 0), ("staging:tiny", 0), ("review", 0)])
def test_only_what_a_model_in_the_shadow_could_have_read_is_read_in_it(
    by: str,
    queued: int,
    settings: Settings,
    bundles: Path,
    database: Database,
    archive: Archive,
    make_series: MakeSeries,
) -> None:
    inference.start_shadow(bundles / "tiny-3.0", settings, database, actor="tests")
    study = received(database, archive, make_series)
    with database.writing() as session:
        job = Job(id="read", study_pk=study, rule="mr", pipeline=by, destinations=[], input_digest="")
        session.add(job)
        session.flush()
        queue_shadow(session, job)
    assert len(shadows(database)) == queued


def test_a_recalled_version_reads_no_more_and_its_studies_are_read_again(
    settings: Settings, bundles: Path, database: Database, archive: Archive, make_series: MakeSeries
) -> None:
    old = read_by_the_one_in_use(database, archive, settings, received(database, archive, make_series))
    with database.writing() as session:
        with pytest.raises(RecallRefused, match="say why"):
            inference.recall(session, "tiny", "1.0", reason=" ", actor="tests")
        inference.recall(session, "tiny", "1.0", reason="misses nodules", actor="tests")
    refused = inference.bundles_in_use(settings, database)
    assert refused.bundles == ()
    assert "misses nodules" in str(refused.refused[0])
    with pytest.raises(BundleRefused, match="is recalled"):
        inference.activate(bundles / "tiny-1.0", settings, database, actor="tests")
    inference.activate(bundles / "tiny-3.0", settings, database, actor="tests")
    with pytest.raises(BundleRefused, match="is recalled"):
        inference.roll_back("tiny", settings, database, actor="tests")
    assert pipeline.read_again(database, "tiny 1.0", actor="tests") == (1, 0)
    assert pipeline.read_again(database, "tiny 1.0", actor="tests") == (0, 0)
    with database.writing() as session:
        new = session.scalars(select(Job).where(Job.supersedes_id == old)).one()
        assert (new.state, new.pipeline, new.destinations) == (JobState.QUEUED, "msvlm", ["pacs"])
        assert session.get_one(Job, old).reading is not None
        inference.lift_recall(session, "tiny", "1.0", actor="tests")
        lines = select(AuditEvent.action).where(AuditEvent.action.like("model.recall%")).order_by(AuditEvent.id)
        actions = list(session.scalars(lines))
    assert actions == ["model.recalled", "model.recall_lifted"]


def test_a_worker_notices_a_bundle_and_a_recall_without_a_restart(
    bundles: Path, tmp_path: Path, database: Database, archive: Archive
) -> None:
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(bundles / "tiny-1.0"))
    worker = MsVlm(settings, archive)
    assert max(one.manifest.version for one in worker.installed()) == "3.0"
    write_bundle(bundles / "tiny-4.0", version="4.0")
    assert "4.0" in {one.manifest.version for one in worker.installed()}
    with database.writing() as session:
        inference.recall(session, "tiny", "4.0", reason="tests", actor="tests")
    assert "4.0" not in {one.manifest.version for one in worker.installed()}
