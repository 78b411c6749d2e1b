"""The step `segment` at work: a phantom goes in, a segmentation object and measured numbers come out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, SegmentationStorage
from segmented_phantom import COLUMNS, ROWS, lung_ml, write_phantom
from sqlalchemy import select
from tiny_bundle import settings_of, write_bundle
from tiny_segmenter import write_segmenter

from pacs_agent.archive import instance_header, split_part10
from pacs_agent.db import Delivery, Job, ResultObject, StepState
from pacs_agent.inference import ModelFailed, Segmenter, StudyReading
from pacs_agent.pipeline import WorkerProcess
from tests.integration.pacs import ALL_CLASSES, CountingPacs
from tests.integration.studies_at_work import AgentFolder

FLIPPED = (-1, 0, 0, 0, -1, 0)


class AtWork:
    """A worker with a model that reads, a PACS for its results, and perhaps a segmenter."""

    def __init__(self, folder: Path, pacs: CountingPacs, *, segments: bool, switched_on: bool = True) -> None:
        self.pacs = pacs
        reader = write_bundle(folder / "bundles" / "tiny-1.0")
        if segments:
            write_segmenter(folder / "bundles" / "tiny-segmenter-1.0")
        inference = settings_of(reader).model_dump(
            mode="json", include={"provider", "threads", "bundles_dir", "trusted_keys"}
        )
        self.agent = AgentFolder(folder / "agent", inference={**inference, "segment": switched_on})
        self.agent.destination("pacs", "dimse", {**pacs.settings, "query": True})
        self.agent.rule("pacs", pipeline="msvlm")
        self.worker = WorkerProcess(self.agent.settings)

    def read(self, files: list[Path]) -> Job:
        """The job of a study, ended."""
        for file in files:
            encoded = split_part10(file.read_bytes())
            header = instance_header(dcmread(file, stop_before_pixels=True), encoded.transfer_syntax_uid)
            self.agent.archive.store(encoded, header, source="test")
        self.worker.start()
        return self.agent.wait_for_job("done", "failed", "no_result", timeout_s=60)

    def stored(self, sop_class: str) -> list[Dataset]:
        """What the PACS got of a class."""
        return [one for one in self.pacs.stored.values() if sop_class == one.SOPClassUID]

    def delivered(self, job: Job) -> dict[str, str]:
        """The state of each of its objects at the PACS, by kind."""
        with self.agent.database.reading() as session:
            query = select(ResultObject.kind, Delivery.state).join(Delivery.result_object)
            return {kind: str(state) for kind, state in session.execute(query.where(ResultObject.job_id == job.id))}

    def step_names(self, job: Job) -> list[str]:
        """The steps of reading, in their order."""
        steps = sorted(self.agent.steps(job.id).values(), key=lambda step: step.id)
        return [step.name for step in steps if ":" not in step.name]


@pytest.fixture
def pacs() -> Iterator[CountingPacs]:
    with CountingPacs(classes=(*ALL_CLASSES, SegmentationStorage)) as pacs:
        yield pacs


@pytest.fixture
def at_work(tmp_path: Path, pacs: CountingPacs) -> Iterator[AtWork]:
    at_work = AtWork(tmp_path, pacs, segments=True)
    yield at_work
    at_work.worker.stop()


@pytest.fixture
def reading_only(tmp_path: Path, pacs: CountingPacs) -> Iterator[AtWork]:
    at_work = AtWork(tmp_path, pacs, segments=False)
    yield at_work
    at_work.worker.stop()


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0), FLIPPED])
def test_a_phantom_is_outlined_on_its_own_slices(at_work: AtWork, tmp_path: Path, direction: tuple[int, ...]) -> None:
    files = write_phantom(tmp_path / "phantom", 2.0, direction)
    job = at_work.read(files)
    assert job.state == "done", job.error
    assert at_work.step_names(job)[-2:] == ["segment", "compose"]
    assert (job.segmenter, job.lacks) == ("tiny-segmenter 1.0", "")
    reading = StudyReading.model_validate(job.reading)
    lungs = {one.side: one.measured.volume_ml for one in reading.measurements.regions if one.structure == "lung"}
    (segmentation,) = at_work.stored(SegmentationStorage)
    outlined_ml = _volumes_ml(segmentation)
    for number, side in enumerate(("right", "left"), 1):
        assert lungs[side] == pytest.approx(lung_ml(side), rel=0.03)
        assert outlined_ml[number] == pytest.approx(lung_ml(side), rel=0.03)
    assert _share_on_lung(segmentation, files) > 0.97
    assert len(at_work.stored(Comprehensive3DSRStorage)) == len(at_work.stored(BasicTextSRStorage)) == 1


def test_without_a_segmenter_nothing_is_different(reading_only: AtWork, tmp_path: Path) -> None:
    job = reading_only.read(write_phantom(tmp_path / "phantom", 4.0))
    assert job.state == "done", job.error
    assert "segment" not in reading_only.agent.steps(job.id)
    assert (job.segmenter, job.lacks) == ("", "")
    assert StudyReading.model_validate(job.reading).measurements is None
    assert reading_only.stored(SegmentationStorage) == []
    assert not (reading_only.agent.data_dir / "segmented").exists()


def test_a_segmenter_that_is_switched_off_outlines_nothing(tmp_path: Path, pacs: CountingPacs) -> None:
    at_work = AtWork(tmp_path, pacs, segments=True, switched_on=False)
    try:
        job = at_work.read(write_phantom(tmp_path / "phantom", 4.0))
    finally:
        at_work.worker.stop()
    assert job.state == "done", job.error
    assert "segment" not in at_work.agent.steps(job.id)
    assert (job.segmenter, job.lacks) == ("", "")
    assert at_work.stored(SegmentationStorage) == []


def test_a_pacs_that_takes_no_segmentations_gets_the_rest(tmp_path: Path) -> None:
    with CountingPacs() as pacs:
        at_work = AtWork(tmp_path, pacs, segments=True)
        try:
            job = at_work.read(write_phantom(tmp_path / "phantom", 4.0))
        finally:
            at_work.worker.stop()
    _all_but_the_segmentation(at_work, job, "Segmentation Storage: it does not take such objects")
    assert SegmentationStorage in pacs.offered[0]


def test_a_destination_may_be_set_to_get_none(tmp_path: Path, at_work: AtWork) -> None:
    at_work.agent.destination("pacs", "dimse", {**at_work.pacs.settings, "query": True, "segmentations": False})
    job = at_work.read(write_phantom(tmp_path / "phantom", 4.0))
    _all_but_the_segmentation(at_work, job, "pacs is set to get no segmentations")
    assert not any(SegmentationStorage in offered for offered in at_work.pacs.offered)


def _all_but_the_segmentation(at_work: AtWork, job: Job, why: str) -> None:
    """The job is done, its measurements are told, and its step says what was left out."""
    assert job.state == "done", job.error
    assert StudyReading.model_validate(job.reading).measurements is not None
    assert at_work.delivered(job) == {
        "ai_result": "confirmed",
        "draft_report": "confirmed",
        "segmentation": "left_out",
    }
    detail = at_work.agent.steps(job.id)["deliver:pacs"].detail
    assert detail.startswith("2 objects stored; 1 left out: ")
    assert why in detail


def test_a_segmenter_that_fails_costs_the_measurements_not_the_reading(
    at_work: AtWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ModelFailed("segmenter", "it stopped")

    monkeypatch.setattr(Segmenter, "segment", fail)
    _told_without_measurements(at_work, tmp_path, "it stopped")


def test_so_does_one_that_fails_as_nobody_thought_of(
    at_work: AtWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr(Segmenter, "segment", fail)
    _told_without_measurements(at_work, tmp_path, "no memory left")


def test_so_does_one_whose_masks_are_lost(at_work: AtWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ModelFailed("segmenter", "it stopped later")

    monkeypatch.setattr(Segmenter, "segmentation", fail)
    job = _told_without(at_work, tmp_path, "it stopped later")
    assert at_work.agent.steps(job.id)["segment"].state == StepState.DONE


def _told_without_measurements(at_work: AtWork, tmp_path: Path, reason: str) -> None:
    job = _told_without(at_work, tmp_path, reason)
    step = at_work.agent.steps(job.id)["segment"]
    assert step.state == StepState.FAILED
    assert reason in step.detail


def _told_without(at_work: AtWork, tmp_path: Path, reason: str) -> Job:
    """The job of a study whose report went out without measurements; it says so, and why."""
    job = at_work.read(write_phantom(tmp_path / "phantom", 4.0))
    assert job.state == "done", job.error
    assert job.lacks.startswith("Segmentation failed: no measurements in this report.")
    assert reason in job.lacks
    assert job.segmenter == ""
    assert StudyReading.model_validate(job.reading).measurements is None
    assert len(at_work.stored(Comprehensive3DSRStorage)) == 1
    assert at_work.stored(SegmentationStorage) == []
    return job


def test_masks_that_are_gone_are_made_again(at_work: AtWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segmenter.segment

    def segment_and_lose(self: Segmenter, *arguments: object) -> object:
        done = segment(self, *arguments)  # type: ignore[arg-type]
        for path in (at_work.agent.data_dir / "segmented").iterdir():
            path.unlink()
        return done

    monkeypatch.setattr(Segmenter, "segment", segment_and_lose)
    job = at_work.read(write_phantom(tmp_path / "phantom", 4.0))
    assert job.state == "done", job.error
    assert len(at_work.stored(SegmentationStorage)) == 1


def _volumes_ml(segmentation: Dataset) -> dict[int, float]:
    """The volume of each segment, of the pixels in the object alone."""
    volumes: dict[int, float] = {}
    for number, _, mask in _frames(segmentation):
        volumes[number] = volumes.get(number, 0.0) + mask.sum() * 2.0 / 1000
    return volumes


def _share_on_lung(segmentation: Dataset, files: list[Path]) -> float:
    """Which share of the lungs' pixels lies on pixels of lung of the very source image that a frame names."""
    images = {one.SOPInstanceUID: one for one in map(dcmread, files)}
    on_lung = total = 0
    for number, uid, mask in _frames(segmentation):
        if number in (1, 2):
            hu = images[uid].pixel_array + images[uid].RescaleIntercept
            on_lung, total = on_lung + (mask & (hu < -400)).sum(), total + mask.sum()
    return on_lung / total


def _frames(segmentation: Dataset) -> list[tuple[int, str, np.ndarray]]:
    """Segment number, source image and mask of each frame."""
    groups = segmentation.PerFrameFunctionalGroupsSequence
    bits = np.frombuffer(segmentation.PixelData, np.uint8)
    shape = (len(groups), ROWS, COLUMNS)
    masks = np.unpackbits(bits, count=int(np.prod(shape)), bitorder="little").reshape(shape).astype(bool)
    return [
        (
            group.SegmentIdentificationSequence[0].ReferencedSegmentNumber,
            group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID,
            mask,
        )
        for group, mask in zip(groups, masks, strict=True)
    ]
