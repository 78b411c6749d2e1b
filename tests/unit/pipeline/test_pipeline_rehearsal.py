"""What was rehearsed while a study arrived is what its job says, and never what a job of other images says."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset
from sqlalchemy import select

from pacs_agent.archive import Archive, instance_header, split_part10
from pacs_agent.assemble import image_digests, input_digest
from pacs_agent.config import Settings
from pacs_agent.db import Database, Job, JobState, JobStep, ResultObject, Study, utc_now
from pacs_agent.imaging import order_series, read_headers
from pacs_agent.pipeline.errors import JobStopped
from pacs_agent.pipeline.msvlm import MsVlm
from pacs_agent.pipeline.steps import OVERTAKEN, Steps
from pacs_agent.pipeline.workflow import Story
from tests.unit.imaging.imaging_slices import stack
from tests.unit.inference.tiny_bundle import settings_of, write_bundle
from tests.unit.pipeline.rehearsing import Rehearsing
from tests.unit.pipeline.steps_done import steps_done

STEPS = ("select_series", "encode_missing", "read_study", "weigh_evidence")


@dataclass
class Site:
    """An archive, and the stages of a worker."""

    settings: Settings
    database: Database
    archive: Archive
    stages: MsVlm
    rehearsal: Rehearsing

    def receive(self, datasets: Sequence[Dataset]) -> None:
        for dataset in datasets:
            part10 = BytesIO()
            dataset.save_as(part10, enforce_file_format=True)
            encoded = split_part10(part10.getvalue())
            self.archive.store(encoded, instance_header(dataset, encoded.transfer_syntax_uid), source="test")

    def study(self) -> int:
        with self.database.reading() as session:
            return session.scalars(select(Study.id)).one()

    def read_ahead(self) -> None:
        """Encodes all slices that are there, as reading ahead does."""
        [reader] = self.stages.readers()
        with self.database.reading() as session:
            paths = [self.archive.path(digest) for digest in image_digests(session, self.study())]
        reader.encode_missing(order_series(read_headers(paths)))

    def job(self, name: str) -> str:
        """A job that has begun, of the images that are there now."""
        with self.database.writing() as session:
            digest = input_digest(image_digests(session, self.study()))
            job = Job(
                id=name,
                study_pk=self.study(),
                rule="ct",
                pipeline="msvlm",
                priority=1,
                destinations=[],
                input_digest=digest,
                created_at=utc_now(),
                state=JobState.RUNNING,
                run=1,
            )
            session.add(job)
        return name

    def tell(self, name: str, stages: MsVlm | None = None) -> dict[str, str]:
        """Runs the steps of a job; what they gave."""
        steps = Steps(self.database, self.archive, {"msvlm": stages or self.stages}, "Tests")
        earlier: dict[str, str] = {"select_series": steps.select_series(name, 1)}
        for step in STEPS[1:]:
            earlier[step] = getattr(steps, step)(name, 1, dict(earlier))
        steps.compose(name, 1, earlier)
        return earlier

    def documents(self, name: str) -> dict[str, bytes]:
        """The files of a job's results by kind."""
        with self.database.reading() as session:
            rows = session.scalars(select(ResultObject).where(ResultObject.job_id == name)).all()
        return {row.kind: self.archive.path(row.digest).read_bytes() for row in rows}


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    folder = write_bundle(tmp_path / "bundles" / "tiny-1.0")
    settings = Settings(data_dir=tmp_path / "data", inference=settings_of(folder, batch_slices=3))
    archive = Archive(database, tmp_path / "data" / "archive")
    stages = MsVlm(settings, archive)
    return Site(settings, database, archive, stages, Rehearsing(archive, stages.jobs, {"msvlm": stages}))


def test_a_job_says_what_was_rehearsed_and_does_none_of_it_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.receive(stack(6))
    site.read_ahead()
    assert site.rehearsal.rehearse(site.study())
    done = steps_done(site.stages, monkeypatch)
    site.tell(site.job("rehearsed"))
    assert done == []
    said = site.documents("rehearsed")
    with site.database.writing() as session:
        for row in session.scalars(select(ResultObject)):
            session.delete(row)
    site.tell("rehearsed", MsVlm(site.settings, site.archive))  # another worker, after a crash, that knows of nothing
    assert site.documents("rehearsed") == said
    assert len(said) == 2


def test_late_images_are_read_anew(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.receive(stack(6))
    site.read_ahead()
    site.rehearsal.rehearse(site.study())
    site.receive(stack(8)[6:])
    done = steps_done(site.stages, monkeypatch)
    earlier = site.tell(site.job("late"))
    assert done == ["_choose", "_encode_missing", "_read_study", "_weigh_evidence", "_describe"]
    fresh = MsVlm(site.settings, site.archive)
    assert fresh._selection(earlier)[1].slices[-1].z_mm == 14.0
    with site.database.reading() as session:
        reading = session.get_one(Job, "late").reading
    assert reading is not None
    assert len(reading["series"]["slices"]) == 8


def test_images_sent_again_change_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    images = stack(6)
    site.receive(images)
    site.read_ahead()
    site.rehearsal.rehearse(site.study())
    site.receive(images)
    done = steps_done(site.stages, monkeypatch)
    site.tell(site.job("again"))
    assert done == []


def test_a_job_that_is_overtaken_uses_no_outcome(site: Site) -> None:
    site.receive(stack(6))
    site.read_ahead()
    site.rehearsal.rehearse(site.study())
    site.job("overtaken")
    site.receive(stack(8)[6:])
    site.rehearsal.rehearse(site.study())
    with pytest.raises(JobStopped):
        site.tell("overtaken")
    with site.database.reading() as session:
        job = session.get_one(Job, "overtaken")
        assert (job.state, job.error) == (JobState.CANCELED, OVERTAKEN)
        assert job.reading is None
        assert session.scalar(select(ResultObject.id)) is None
        assert [step.name for step in session.scalars(select(JobStep))] == ["select_series"]


def test_a_step_after_a_crash_goes_on_with_what_the_earlier_ones_gave(site: Site) -> None:
    site.receive(stack(6))
    site.read_ahead()
    site.rehearsal.rehearse(site.study())
    earlier = site.tell(site.job("before"))
    fresh = MsVlm(site.settings, site.archive)
    assert fresh.described(earlier) == site.stages.described(earlier)


def test_tokens_that_are_gone_since_the_rehearsal_are_made_again(site: Site) -> None:
    site.receive(stack(6))
    site.read_ahead()
    site.rehearsal.rehearse(site.study())
    for token in (site.settings.data_dir / "tokens").rglob("*.npz"):
        token.unlink()
    for step in ("read_study", "weigh_evidence", "describe"):
        site.stages._rehearsed._outcomes.pop(step)
    site.tell(site.job("forgotten"))
    assert len(site.documents("forgotten")) == 2


def test_a_rehearsal_gives_way_to_a_job_and_is_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.receive(stack(6))
    site.read_ahead()
    done = steps_done(site.stages, monkeypatch)
    with site.stages.jobs.job():
        assert not site.rehearsal.rehearse(site.study())
    assert done == []
    read_study = site.stages.read_study
    begun, may_end = threading.Event(), threading.Event()

    def job() -> None:
        with site.stages.jobs.job():
            begun.set()
            may_end.wait(20)

    def read_and_meet_a_job(*given: object) -> str:
        threading.Thread(target=job).start()
        assert begun.wait(20)
        return read_study(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(site.stages, "read_study", read_and_meet_a_job)
    assert not site.rehearsal.rehearse(site.study())
    assert done == ["_choose", "_encode_missing", "_read_study"], "the step that was under way is finished, no other"
    may_end.set()


def test_only_jobs_that_read_hold_rehearsals_back(site: Site) -> None:
    steps = Steps(site.database, site.archive, {"msvlm": site.stages}, "Tests", jobs=site.stages.jobs)
    story = Story.__new__(Story)  # DBOS is not needed to tell of one job
    story.steps = steps
    free = list[bool]()
    story._read_or_refuse = lambda *_: free.append(site.stages.jobs.wait_free(0))  # type: ignore[method-assign]
    story._read("job", 1)
    assert free == [False]
    assert site.stages.jobs.wait_free(0)
