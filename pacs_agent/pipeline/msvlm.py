"""Pipeline `msvlm`: imaging, inference and results put together for models that read a series slice by slice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pydicom.dataset import Dataset

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.imaging import (
    OrderedSeries,
    SeriesChoice,
    UnusableImages,
    choose_series,
)
from pacs_agent.inference import (
    Bundle,
    Encoding,
    EvidenceWeights,
    ModelFailed,
    RawReading,
    Reader,
    Segmentation,
    SegmenterBundle,
    StudyReading,
    name_of,
)
from pacs_agent.inference.reading import SincePrior
from pacs_agent.ops import get_log
from pacs_agent.pipeline.errors import JobFailed, NothingToSay, NotMeasured
from pacs_agent.pipeline.models_in_use import ModelsInUse, failed
from pacs_agent.pipeline.priors import Priors, Wanted
from pacs_agent.pipeline.rehearsable import BeforeSlices, Rehearsable, limits_of
from pacs_agent.pipeline.said import documents_of, facts_of, no_result_of, source_files
from pacs_agent.pipeline.segmenting import Segmenting, Told, measured, segmenter_for
from pacs_agent.pipeline.shared import Shared
from pacs_agent.pipeline.stages import Choice, Documents, Earlier, JobFacts, Progress
from pacs_agent.results import DocumentFacts

NOT_MEASURED = "Segmentation failed: no measurements in this report."

_log = get_log("pipeline")


class MsVlm(Rehearsable):
    """The stages of the pipeline. A model is loaded when a study first needs it and stays loaded."""

    def __init__(self, settings: Settings, archive: Archive, shared: Shared | None = None) -> None:
        """`shared` None: with nobody."""
        super().__init__()
        shared = shared or Shared.of(settings)
        self.settings = settings
        self.archive = archive
        self.database = archive.database
        self.headers = shared.headers
        self.jobs = shared.jobs
        tokens = settings.data_dir / "tokens"
        self._models = ModelsInUse(
            settings,
            archive.database,
            lambda found: (found.bundles, found.beside),
            lambda bundle: Reader(bundle, settings.inference, tokens, shared.decoding, shared.turns),
        )
        self._segmenting = Segmenting(settings, shared.decoding, shared.turns)
        self._priors = Priors(settings, archive, self.jobs)

    def select_series(self, job: JobFacts) -> Choice:
        """The first model asked for that accepts a series of the study reads it; beside it the prior study."""
        return self._priors.beside(self._series_choice(job), job)

    def _series_choice(self, job: JobFacts) -> Choice:
        bundles = tuple(bundle.digest for bundle in (*self._models.asked(job.model), *self._models.segmenters()))
        given = (*bundles, *map(str, job.images), *limits_of(job))
        return self._rehearsed.outcome("select_series", given, lambda: self._choose(job))

    def _choose(self, job: JobFacts) -> Choice:
        choices = [(bundle, self._chosen(job, bundle)) for bundle in self._models.asked(job.model)]
        if not choices:
            raise JobFailed(self._models.why_none(job.model))
        bundle, choice = max(choices, key=lambda one: _how_far(one[1]))
        return _choice(bundle, choice, self._segmenter_for(job, choice))

    def _segmenter_for(self, job: JobFacts, choice: SeriesChoice) -> str:
        """The digest of the segmenter that outlines the series read; empty where none does."""
        if choice.chosen is None or not self.settings.inference.segment:
            return ""
        found = segmenter_for(self._models.segmenters(), choice.chosen, self.headers.read(job.images))
        return found.digest if found else ""

    def _encode_missing(self, earlier: Earlier, progress: Progress) -> str:
        bundle, series = self._selection(earlier)
        try:
            return self._models.reader(bundle).encode_missing(series, progress).model_dump_json()
        except UnusableImages as error:
            raise NothingToSay(str(error.code), error.reason, bundle.digest) from error
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def _read_study(self, earlier: Earlier) -> str:
        bundle, series = self._selection(earlier)
        try:
            return self._models.reader(bundle).read(series, _encoding(earlier)).model_dump_json()
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def _weigh_evidence(self, earlier: Earlier) -> str:
        bundle, series = self._selection(earlier)
        try:
            return self._models.reader(bundle).weigh_evidence(series, _encoding(earlier)).model_dump_json()
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def segment(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """Where the regions are kept that the segmenter outlined and measured in the series read."""
        _, series = self._selection(earlier)
        return self._segmenting.segment(self._segmenter(earlier), series, progress)

    def find_prior(self, job: JobFacts, earlier: Earlier, began: datetime, progress: Progress) -> SincePrior | None:
        """The earlier study of the patient that the source has, fetched and read by the same model."""
        bundle, series = self._selection(earlier)
        segmenter = self._models.segmenter(earlier["segmenter"]) if "segment" in earlier else None
        measured_by = name_of(segmenter) if segmenter else ""
        wanted = Wanted(earlier["source"], series.modality, name_of(bundle), measured_by)

        def read(facts: JobFacts, check: Progress) -> StudyReading | None:
            reading = self._read_whole(lambda: self.choice_of(facts, bundle), check)
            if reading is None or segmenter is None:
                return reading
            return self._segmenting.with_sizes(reading, segmenter, self.headers.read(facts.images), check)

        return self._priors.find(job, wanted, read, began, progress)

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        """AI result and draft report; a segmentation where one was made; what is wanted beside them."""
        reading = self.described(earlier)
        evidence = [header.dataset for header in self.headers.read(source_files(job, reading.all_slices))]
        told = self._measured(earlier, reading, evidence, facts_of(job))
        said = replace(told, reading=self._priors.compared(told.reading, earlier))
        return documents_of(self.settings, job, said, evidence)

    def _measured(
        self, earlier: Earlier, reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts
    ) -> Told:
        """The reading with what was measured; as it is where no segmenter looked, or where one did in vain."""
        if "segment" not in earlier and "not_segmented" not in earlier:
            return Told(reading)
        try:
            return measured(reading, self._outlined(earlier, reading.series), evidence, facts)
        except (NotMeasured, JobFailed) as why:
            _log.warning("not measured", reason=str(why))
            return Told(reading, lacks=f"{NOT_MEASURED} Reason: {why}")

    def _outlined(self, earlier: Earlier, series: OrderedSeries) -> Segmentation:
        """What was segmented. Raises NotMeasured, and JobFailed where the segmenter is gone."""
        if "not_segmented" in earlier:
            raise NotMeasured(earlier["not_segmented"])
        return self._segmenting.outlined(self._segmenter(earlier), series, earlier["segment"])

    def _segmenter(self, earlier: Earlier) -> SegmenterBundle:
        found = self._models.segmenter(earlier["segmenter"])
        if found is None:
            raise JobFailed(f"the segmenter {earlier['segmenter'][:12]} is recalled, or not installed any more")
        return found

    def compose_no_result(self, job: JobFacts, why: NothingToSay) -> Documents:
        """The reason as a document, about all images whose headers can be read."""
        return no_result_of(job, why, self._models.identity(why.bundle))

    def readers(self) -> tuple[Reader, ...]:
        """The models in use, loaded."""
        return tuple(map(self._models.reader, self._models.bundles()))

    def make_ready(self, earlier: Earlier, before: BeforeSlices) -> bool:
        """Whether all slices of the series chosen have their tokens: they were encoded as they came, or never."""
        bundle, series = self._selection(earlier)
        return None not in map(self._models.reader(bundle).encoder.key_with_token, series.slices)

    def installed(self) -> tuple[Bundle, ...]:
        """All bundles that load, in use or not."""
        return self._models.installed()

    def choice_of(self, job: JobFacts, bundle: Bundle) -> Choice:
        """The series of a study that one bundle reads, or why it reads none."""
        return _choice(bundle, self._chosen(job, bundle))

    def _describe(self, earlier: Earlier) -> StudyReading:
        bundle, series = self._selection(earlier)
        raw = RawReading.model_validate_json(earlier["read_study"])
        weights = EvidenceWeights.model_validate_json(earlier["weigh_evidence"])
        try:
            return self._models.reader(bundle).describe(series, _encoding(earlier), raw, weights)
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def _selection(self, earlier: Earlier) -> tuple[Bundle, OrderedSeries]:
        digest, _, series = earlier["select_series"].partition("\n")
        bundle = self._models.chosen(digest)
        parsed = self._rehearsed.outcome("series", (series,), lambda: OrderedSeries.model_validate_json(series))
        return bundle, parsed

    def _chosen(self, job: JobFacts, bundle: Bundle) -> SeriesChoice:
        try:
            among = job.expected.among if job.expected else None
            return choose_series(self.headers.read(job.images), bundle.accepts, among)
        except UnusableImages as error:
            raise NothingToSay(str(error.code), error.reason, bundle.digest) from error


def _choice(bundle: Bundle, choice: SeriesChoice, segmenter: str = "") -> Choice:
    content = choice.model_dump(mode="json")
    if choice.chosen is None:
        why = NothingToSay(str(choice.code), choice.reason, bundle.digest)
        return Choice(name_of(bundle), content, why=why)
    return Choice(name_of(bundle), content, _selected(bundle, choice.chosen), segmenter)


def _how_far(choice: SeriesChoice) -> float:
    """Orders the models' choices: one that can read, the first of them, before those whose refusal came late."""
    return choice.code.progress if choice.code else float("inf")


def _selected(bundle: Bundle, series: OrderedSeries) -> str:
    return f"{bundle.digest}\n{series.model_dump_json()}"


def _encoding(earlier: Earlier) -> Encoding:
    return Encoding.model_validate_json(earlier["encode_missing"])
