"""An earlier study that was fetched is measured by the segmenter that measured the study: sizes compare in mm."""

import json
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from tiny_segmenter import write_segmenter, write_segmenter_manifest

from pacs_agent.db import PRIOR_PIPELINE, Job, JobState
from pacs_agent.inference import ModelFailed, Segmenter, StudyReading
from pacs_agent.inference.reading import FindingChange
from tests.integration.earlier_studies import ILL, EarlierPacs, SearchingAgent, chest
from tests.integration.studies_at_work import until
from tests.unit.imaging.imaging_slices import gradient, set_pixels

NOW, THEN = "20260102", "20250503"


def install_segmenter(folder: Path) -> None:
    """One that outlines nodules, on no side."""
    bundle = write_segmenter(folder / "bundles" / "tiny-segmenter-1.0")
    structures = json.loads((bundle / "manifest.json").read_text())["structures"]
    write_segmenter_manifest(bundle, structures=[{**one, "laterality": False} for one in structures])


def nodule(date: str, columns: int) -> list[Dataset]:
    """A chest in which something bright is so wide, in columns of 0.6 mm, and 9.6 mm high."""
    images = chest(date, ill=True)
    for image in images:
        pixels = gradient(first=2 * ILL)
        pixels[:, columns:] = 0
        set_pixels(image, pixels)
    return images


def read(agent: SearchingAgent, pacs: EarlierPacs, images: list[Dataset]) -> Job:
    agent.destination("pacs", "dimse", pacs.settings)
    agent.take(images)
    with agent:
        job = agent.reading_job()
    assert job.state == JobState.DONE, job.error
    return job


def change(job: Job) -> FindingChange:
    since = StudyReading.model_validate(job.reading).since_prior
    assert since and since.prior, since
    return next(one for one in since.findings if one.finding == "nodule")


def prior_jobs(agent: SearchingAgent) -> list[Job]:
    return [job for job in agent.jobs() if job.pipeline == PRIOR_PIPELINE]


def test_a_fetched_prior_is_measured_and_compared_in_mm(tmp_path: Path) -> None:
    with EarlierPacs(nodule(THEN, 8)) as pacs:
        install_segmenter(tmp_path)
        agent = SearchingAgent(tmp_path)
        said = change(read(agent, pacs, nodule(NOW, 16)))
    assert (said.by, said.change) == ("diameter", "larger")
    assert said.value is not None and said.prior_value is not None
    assert said.value > said.prior_value + 2
    [prior] = prior_jobs(agent)
    assert prior.segmenter == "tiny-segmenter 1.0"
    assert {one.job_id for one in agent.results()}.isdisjoint({prior.id}), "nothing is made of it"


def test_what_was_fetched_before_there_was_a_segmenter_is_measured_then(tmp_path: Path) -> None:
    with EarlierPacs(nodule(THEN, 8)) as pacs:
        agent = SearchingAgent(tmp_path)
        assert change(read(agent, pacs, nodule(NOW, 16))).by == "presence"
        install_segmenter(tmp_path)
        agent.take(chest(NOW, SeriesInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4")[:1])
        with agent:
            job = until(lambda: next((one for one in agent.jobs() if one.supersedes_id and one.finished_at), None))
        assert change(job).by == "diameter"
        assert sorted(one.segmenter for one in prior_jobs(agent)) == ["", "tiny-segmenter 1.0"]
        assert len(pacs.fetched) == 1


def test_a_prior_that_cannot_be_measured_is_compared_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment, outlined = Segmenter.segment, list[str]()

    def first_alone(self: Segmenter, series: object, progress: object = None) -> object:
        outlined.append("once")
        if len(outlined) > 1:
            raise ModelFailed("tiny-segmenter", "no more")
        return segment(self, series, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Segmenter, "segment", first_alone)
    with EarlierPacs(nodule(THEN, 8)) as pacs:
        install_segmenter(tmp_path)
        agent = SearchingAgent(tmp_path)
        job = read(agent, pacs, nodule(NOW, 16))
    assert change(job).by == "presence"
    assert len(outlined) == 2
    assert StudyReading.model_validate(job.reading).measurements is not None
    assert [one.segmenter for one in prior_jobs(agent)] == [""]
