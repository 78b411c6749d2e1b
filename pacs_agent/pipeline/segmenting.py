"""The segmenters of a worker: which one outlines the series that was read, and what it found for the documents."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_agent.archive import SEGMENTED
from pacs_agent.config import Settings
from pacs_agent.imaging import DecodingPool, HeaderFile, OrderedSeries, UnusableImages, choose_series
from pacs_agent.inference import (
    InferenceError,
    Segmentation,
    Segmented,
    Segmenter,
    SegmenterBundle,
    StudyReading,
    Turns,
)
from pacs_agent.ops import get_log
from pacs_agent.pipeline.errors import JobFailed, NotMeasured, PriorNotHad
from pacs_agent.pipeline.stages import Document, Progress
from pacs_agent.results import (
    DocumentFacts,
    ObjectKind,
    UnusableEvidence,
    compose_segmentation,
    with_measurements,
    write_bytes,
)

_log = get_log("pipeline")


@dataclass(frozen=True)
class Told:
    """A reading as it is told, the documents beside its reports, and what it lacks; nothing when it lacks nothing."""

    reading: StudyReading
    documents: tuple[Document, ...] = ()
    lacks: str = ""


class Segmenting:
    """Segmenters are loaded when a study first needs them and stay loaded."""

    def __init__(self, settings: Settings, decoding: DecodingPool, turns: Turns) -> None:
        self._settings = settings
        self._decoding = decoding
        self._turns = turns
        self._segmenters: dict[str, Segmenter] = {}
        self._loading = threading.Lock()

    def segment(self, bundle: SegmenterBundle, series: OrderedSeries, progress: Progress) -> str:
        """Outlines and measures a series. Raises JobFailed with the reason when that cannot be done."""
        try:
            return self._segmenter(bundle).segment(series, progress).model_dump_json()
        except (UnusableImages, InferenceError) as error:
            raise JobFailed(f"the series was not segmented: {error}") from error

    def outlined(self, bundle: SegmenterBundle, series: OrderedSeries, done: str) -> Segmentation:
        """What a step found. Raises NotMeasured where it is gone and cannot be made again."""
        try:
            return self._segmenter(bundle).segmentation(series, Segmented.model_validate_json(done))
        except (UnusableImages, InferenceError, OSError) as error:
            raise NotMeasured(f"the regions are not kept any more, and cannot be made again: {error}") from error

    def with_sizes(
        self, reading: StudyReading, bundle: SegmenterBundle, headers: Sequence[HeaderFile], progress: Progress
    ) -> StudyReading:
        """A reading with what a segmenter measures in its series; as it is where that fails, or takes too long.

        For a reading that others are compared with, of which no object is made. `headers` are those of its study.
        Raises JobStopped.
        """
        if segmenter_for((bundle,), reading.series, headers) is None:
            return reading
        paths = {one.path for one in reading.series.slices}
        evidence = [header.dataset for header in headers if header.path in paths]
        try:
            found = self.outlined(bundle, reading.series, self.segment(bundle, reading.series, progress))
            return with_measurements(reading, found, evidence)
        except (JobFailed, NotMeasured, PriorNotHad, UnusableEvidence, OSError) as why:
            _log.warning("prior not measured", reason=str(why))
            return reading

    def _segmenter(self, bundle: SegmenterBundle) -> Segmenter:
        with self._loading:
            if bundle.digest not in self._segmenters:
                self._segmenters[bundle.digest] = Segmenter(
                    bundle, self._settings.inference, self._settings.data_dir / SEGMENTED, self._decoding, self._turns
                )
            return self._segmenters[bundle.digest]


def segmenter_for(
    segmenters: Sequence[SegmenterBundle], series: OrderedSeries, headers: Sequence[HeaderFile]
) -> SegmenterBundle | None:
    """The first segmenter that accepts the series that is read. `headers` are those of the study."""
    if not segmenters:
        return None
    paths = {one.path for one in series.slices}
    own = [header for header in headers if header.path in paths]
    return next((one for one in segmenters if choose_series(own, one.accepts).chosen is not None), None)


def measured_by(reading: StudyReading | None) -> str:
    """Name and version of the segmenter whose measurements a reading has; empty where it has none."""
    measurements = reading.measurements if reading else None
    return f"{measurements.model.name} {measurements.model.version}" if measurements else ""


def measured(reading: StudyReading, found: Segmentation, evidence: Sequence[Dataset], facts: DocumentFacts) -> Told:
    """The reading with what was measured, numbers in its sentences, and the segmentation object it refers to.

    Raises NotMeasured where that object cannot be made of the source images: a number must show what it is of.
    """
    try:
        documents = _segmentation_object(found, evidence, facts)
        return Told(with_measurements(reading, found, evidence), documents)
    except UnusableEvidence as error:
        raise NotMeasured(f"no segmentation object can be made of these images: {error}") from error


def _segmentation_object(
    found: Segmentation, evidence: Sequence[Dataset], facts: DocumentFacts
) -> tuple[Document, ...]:
    """The segmentation object; none where nothing was outlined. Raises UnusableEvidence."""
    if not found.regions:
        return ()
    return (Document(ObjectKind.SEGMENTATION, write_bytes(compose_segmentation(found, evidence, facts))),)
