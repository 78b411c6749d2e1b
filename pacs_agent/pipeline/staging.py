"""Pipeline `staging`: models that read all series of a study together. A rule names it: it reads nothing by itself."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.imaging import DecodingPool, RecentHeaders, UnusableImages, read_headers
from pacs_agent.inference import (
    BundlesInUse,
    EvidenceWeights,
    ModelFailed,
    RawStaging,
    ReadStudy,
    StagingBundle,
    StagingReader,
    StudyChoice,
    StudyEncoding,
    StudyReading,
    Turns,
    bundles_in_use,
    choose_stacks,
    name_of,
    uses_stamp,
)
from pacs_agent.inference.reading import SincePrior
from pacs_agent.ops import get_log
from pacs_agent.pipeline.errors import JobFailed, NothingToSay
from pacs_agent.pipeline.saliency import with_saliency_maps
from pacs_agent.pipeline.segmenting import Told
from pacs_agent.pipeline.stages import Choice, Document, Documents, Earlier, JobFacts, Progress
from pacs_agent.pipeline.summary import summary
from pacs_agent.results import (
    DocumentFacts,
    ObjectKind,
    Refusal,
    compose_ai_result,
    compose_draft_report,
    compose_key_objects,
    compose_no_result,
    write_bytes,
)
from pacs_agent.route import Corrector, rules_in_force

_FAILED_CODE = "model_failed"

_log = get_log("pipeline")


class Staging:
    """The stages of the pipeline. A model is loaded when a study first needs it and stays loaded."""

    def __init__(self, settings: Settings, archive: Archive) -> None:
        self.settings = settings
        self.database = archive.database
        self._found = BundlesInUse()
        self._found_at = ""
        self._readers: dict[str, StagingReader] = {}
        self._headers = RecentHeaders()
        self._decoding = DecodingPool(settings.decoding)
        self._turns = Turns()
        self._loading = threading.Lock()

    def select_series(self, job: JobFacts) -> Choice:
        """All stacks that the first model asked for reads, as the rules in force correct them."""
        asked = [bundle for bundle in self._bundles() if job.model in ("", bundle.manifest.name)]
        if not asked:
            raise JobFailed(self._no_model(job.model))
        choices = [(bundle, self._chosen(job, bundle)) for bundle in asked]
        return _choice(*max(choices, key=lambda one: _how_far(one[1])))

    def _chosen(self, job: JobFacts, bundle: StagingBundle) -> StudyChoice:
        with self.database.reading() as session:
            corrections = Corrector(rules_in_force(session).corrections)
        among = job.expected.among if job.expected else None
        try:
            return choose_stacks(self._headers.read(job.images), bundle.manifest, among, corrections)
        except UnusableImages as error:
            raise NothingToSay(str(error.code), error.reason, bundle.digest) from error

    def encode_missing(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """Makes the slice tokens that are not in the cache."""
        bundle, chosen = self._selection(earlier)
        try:
            return self._reader(bundle).encode_missing(chosen, progress).model_dump_json()
        except UnusableImages as error:
            raise NothingToSay(str(error.code), error.reason, bundle.digest) from error
        except ModelFailed as error:
            raise _failed(bundle, error) from error

    def read_study(self, job: JobFacts, earlier: Earlier) -> str:
        """The scores of all steps between levels."""
        bundle, chosen = self._selection(earlier)
        try:
            return self._reader(bundle).read(chosen, _encoding(earlier)).model_dump_json()
        except ModelFailed as error:
            raise _failed(bundle, error) from error

    def weigh_evidence(self, job: JobFacts, earlier: Earlier) -> str:
        """The weight of each slice of all stacks for each item."""
        bundle, chosen = self._selection(earlier)
        try:
            return self._reader(bundle).weigh_evidence(chosen, _encoding(earlier)).model_dump_json()
        except ModelFailed as error:
            raise _failed(bundle, error) from error

    def segment(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """Never asked for: the choice names no segmenter."""
        raise JobFailed("studies that are read for staging are not segmented")

    def find_prior(self, job: JobFacts, earlier: Earlier, began: datetime, progress: Progress) -> SincePrior | None:
        """Never asked for: the choice names nobody to ask."""
        return None

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        """AI result and draft report; what is wanted beside them."""
        reading = self._described(earlier)
        evidence = [header.dataset for header in self._headers.read(_source_files(job, reading))]
        facts = _facts(job)
        shown = self._with_saliency_maps(reading, evidence, facts)
        said = shown.reading
        files = (
            Document(ObjectKind.AI_RESULT, write_bytes(compose_ai_result(said, evidence, facts))),
            Document(ObjectKind.DRAFT_REPORT, write_bytes(compose_draft_report(said, evidence, facts))),
            *self._key_objects(said, evidence, facts),
            *shown.documents,
            *summary(self.settings.results, job, said, evidence, facts),
        )
        left_out = (f"Left out: {one}." for one in _encoding(earlier).left_out)
        return Documents(files, said.model_dump(mode="json"), " ".join(filter(None, (*left_out, shown.lacks))))

    def _described(self, earlier: Earlier) -> StudyReading:
        bundle, chosen = self._selection(earlier)
        raw = RawStaging.model_validate_json(earlier["read_study"])
        weights = EvidenceWeights.model_validate_json(earlier["weigh_evidence"])
        try:
            return self._reader(bundle).describe(chosen, _encoding(earlier), raw, weights)
        except ModelFailed as error:
            raise _failed(bundle, error) from error

    def _with_saliency_maps(self, reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Told:
        form = self.settings.results.saliency_maps
        if form == "off":
            return Told(reading)
        shown = with_saliency_maps(reading, evidence, facts, form, self.settings.data_dir / "tokens")
        if shown.lacks:
            _log.warning("no saliency maps", reason=shown.lacks)
        return shown

    def _key_objects(
        self, reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts
    ) -> Iterator[Document]:
        if self.settings.results.key_objects:
            for document in compose_key_objects(reading, evidence, facts):
                yield Document(ObjectKind.KEY_OBJECTS, write_bytes(document))

    def compose_no_result(self, job: JobFacts, why: NothingToSay) -> Documents:
        """The reason as a document, about all images whose headers can be read."""
        asked = next((bundle for bundle in self._bundles() if bundle.digest == why.bundle), None)
        evidence = list(_readable(job.images))
        if not evidence:
            raise JobFailed(f"no header of the study can be read: {why.reason}") from why
        refusal = Refusal(why.code, why.reason)
        document = compose_no_result(refusal, evidence, _facts(job), asked.identity() if asked else None)
        return Documents((Document(ObjectKind.NO_RESULT, write_bytes(document)),))

    def _bundles(self) -> tuple[StagingBundle, ...]:
        """The models in use, looked for after each activation, recall and installation; while there is none, always."""
        with self.database.reading() as session:
            stamp = uses_stamp(session, self.settings)
        with self._loading:
            if not self._found.staging or self._found_at != stamp:
                self._found = bundles_in_use(self.settings, self.database)
                self._found_at = stamp
            return self._found.staging

    def _no_model(self, name: str) -> str:
        refused = "; ".join(str(refusal) for refusal in self._found.refused)
        model = f"model {name} of task staging" if name else "model of task staging"
        return f"no {model} is in use from {self.settings.inference.bundles_dir}{f': {refused}' if refused else ''}"

    def _selection(self, earlier: Earlier) -> tuple[StagingBundle, ReadStudy]:
        digest, _, study = earlier["select_series"].partition("\n")
        known = (*self._bundles(), *self._found.staging_beside)
        bundle = next((bundle for bundle in known if bundle.digest == digest), None)
        if bundle is None:
            raise JobFailed(f"the model {digest[:12]} that was chosen for this job is not installed any more; rerun it")
        return bundle, ReadStudy.model_validate_json(study)

    def _reader(self, bundle: StagingBundle) -> StagingReader:
        with self._loading:
            if bundle.digest not in self._readers:
                tokens = self.settings.data_dir / "tokens"
                self._readers[bundle.digest] = StagingReader(
                    bundle, self.settings.inference, tokens, self._decoding, self._turns
                )
            return self._readers[bundle.digest]


def _choice(bundle: StagingBundle, choice: StudyChoice) -> Choice:
    content = choice.model_dump(mode="json", exclude={"chosen"})
    if choice.chosen is None:
        return Choice(name_of(bundle), content, why=NothingToSay(str(choice.code), choice.reason, bundle.digest))
    return Choice(name_of(bundle), content, f"{bundle.digest}\n{choice.chosen.model_dump_json()}")


def _how_far(choice: StudyChoice) -> float:
    """Orders the models' choices: one that can read, the first of them, before those whose refusal came late."""
    return choice.code.progress if choice.code else float("inf")


def _encoding(earlier: Earlier) -> StudyEncoding:
    return StudyEncoding.model_validate_json(earlier["encode_missing"])


def _failed(bundle: StagingBundle, error: ModelFailed) -> NothingToSay:
    return NothingToSay(_FAILED_CODE, str(error), bundle.digest)


def _readable(images: Iterable[Path]) -> Iterator[Dataset]:
    """The headers that can be read: a broken one may be the very reason that nothing can be said."""
    for path in images:
        try:
            yield from (header.dataset for header in read_headers([path]))
        except UnusableImages:
            continue


def _source_files(job: JobFacts, reading: StudyReading) -> Sequence[Path]:
    """The files of all series read, each once though it may hold slices of several stacks."""
    read = {one.path for one in reading.all_slices}
    return [path for path in job.images if path in read]


def _facts(job: JobFacts) -> DocumentFacts:
    """Dates and times are written in the hospital's zone, which is this machine's."""
    return DocumentFacts(job.created_at.astimezone(), job.input_digest, job.predecessors, lacks=job.not_come)
