"""Pipeline `staging`: models that read all series of a study together. A rule names it: it reads nothing by itself."""

from contextlib import suppress
from datetime import datetime
from functools import partial

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.imaging import UnusableImages, UnusableSlice
from pacs_agent.inference import (
    EvidenceWeights,
    ModelFailed,
    RawStaging,
    ReadStudy,
    StagingBundle,
    StagingReader,
    StudyChoice,
    StudyEncoding,
    StudyReading,
    choose_stacks,
    name_of,
)
from pacs_agent.inference.reading import SincePrior
from pacs_agent.pipeline.errors import JobFailed, NothingToSay
from pacs_agent.pipeline.models_in_use import ModelsInUse, failed
from pacs_agent.pipeline.priors import Priors, Wanted
from pacs_agent.pipeline.rehearsable import BeforeSlices, Rehearsable, limits_of
from pacs_agent.pipeline.said import documents_of, no_result_of, source_files
from pacs_agent.pipeline.segmenting import Told
from pacs_agent.pipeline.shared import Shared
from pacs_agent.pipeline.stages import Choice, Documents, Earlier, JobFacts, Progress
from pacs_agent.route import rules_in_force, rules_version

STAGING = "staging"
"""The name of the pipeline."""


class Staging(Rehearsable):
    """The stages of the pipeline. A model is loaded when a study first needs it and stays loaded."""

    def __init__(self, settings: Settings, archive: Archive, shared: Shared | None = None) -> None:
        """`shared` None: with nobody."""
        super().__init__()
        shared = shared or Shared.of(settings)
        self.settings = settings
        self.database = archive.database
        self.headers = shared.headers
        tokens = settings.data_dir / "tokens"
        self._models = ModelsInUse(
            settings,
            archive.database,
            lambda found: (found.staging, found.staging_beside),
            lambda bundle: StagingReader(bundle, settings.inference, tokens, shared.decoding, shared.turns),
            "model of task staging",
        )
        self._priors = Priors(settings, archive, shared.jobs)

    def select_series(self, job: JobFacts) -> Choice:
        """All stacks that the first model asked for reads, as the rules in force correct them; beside it the prior."""
        return self._priors.beside(self._stacks_choice(job), job)

    def _stacks_choice(self, job: JobFacts) -> Choice:
        with self.database.reading() as session:
            rules = rules_version(session)
        bundles = tuple(bundle.digest for bundle in self._models.asked(job.model))
        given = (*bundles, f"rules {rules}", *map(str, job.images), *limits_of(job))
        return self._rehearsed.outcome("select_series", given, lambda: self._choose(job))

    def _choose(self, job: JobFacts) -> Choice:
        choices = [(bundle, self._chosen(job, bundle)) for bundle in self._models.asked(job.model)]
        if not choices:
            raise JobFailed(self._models.why_none(job.model))
        return _choice(*max(choices, key=lambda one: _how_far(one[1])))

    def _chosen(self, job: JobFacts, bundle: StagingBundle) -> StudyChoice:
        with self.database.reading() as session:
            corrections = rules_in_force(session).corrector()
        among = job.expected.among if job.expected else None
        try:
            return choose_stacks(self.headers.read(job.images), bundle.manifest, among, corrections)
        except UnusableImages as error:
            raise NothingToSay(str(error.code), error.reason, bundle.digest) from error

    def make_ready(self, earlier: Earlier, before: BeforeSlices) -> bool:
        """True: all stacks are encoded. One that cannot be decoded is left out by the job as well, which says so."""
        bundle, chosen = self._selection(earlier)
        encoder = self._models.reader(bundle).encoder
        for stack in chosen.stacks:
            with suppress(UnusableSlice):
                encoder.encode_stack(stack, partial(before, stack.series.series_instance_uid))
        return True

    def _encode_missing(self, earlier: Earlier, progress: Progress) -> str:
        bundle, chosen = self._selection(earlier)
        try:
            return self._models.reader(bundle).encode_missing(chosen, progress).model_dump_json()
        except UnusableImages as error:
            raise NothingToSay(str(error.code), error.reason, bundle.digest) from error
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def _read_study(self, earlier: Earlier) -> str:
        bundle, chosen = self._selection(earlier)
        try:
            return self._models.reader(bundle).read(chosen, _encoding(earlier)).model_dump_json()
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def _weigh_evidence(self, earlier: Earlier) -> str:
        bundle, chosen = self._selection(earlier)
        try:
            return self._models.reader(bundle).weigh_evidence(chosen, _encoding(earlier)).model_dump_json()
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def segment(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """Never asked for: the choice names no segmenter."""
        raise JobFailed("studies that are read for staging are not segmented")

    def find_prior(self, job: JobFacts, earlier: Earlier, began: datetime, progress: Progress) -> SincePrior | None:
        """The earlier study of the patient that the source has, fetched and read by the same model."""
        bundle, chosen = self._selection(earlier)
        wanted = Wanted(earlier["source"], chosen.stacks[0].series.modality, name_of(bundle))

        def read(facts: JobFacts, check: Progress) -> StudyReading | None:
            return self._read_whole(lambda: _choice(bundle, self._chosen(facts, bundle)), check)

        return self._priors.find(job, wanted, read, began, progress)

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        """AI result and draft report; what is wanted beside them."""
        reading = self.described(earlier)
        evidence = [header.dataset for header in self.headers.read(source_files(job, reading.all_slices))]
        left_out = " ".join(f"Left out: {one}." for one in _encoding(earlier).left_out)
        told = Told(self._priors.compared(reading, earlier), lacks=left_out)
        return documents_of(self.settings, job, told, evidence)

    def _describe(self, earlier: Earlier) -> StudyReading:
        bundle, chosen = self._selection(earlier)
        raw = RawStaging.model_validate_json(earlier["read_study"])
        weights = EvidenceWeights.model_validate_json(earlier["weigh_evidence"])
        try:
            return self._models.reader(bundle).describe(chosen, _encoding(earlier), raw, weights)
        except ModelFailed as error:
            raise failed(bundle.digest, error) from error

    def compose_no_result(self, job: JobFacts, why: NothingToSay) -> Documents:
        """The reason as a document, about all images whose headers can be read."""
        return no_result_of(job, why, self._models.identity(why.bundle))

    def _selection(self, earlier: Earlier) -> tuple[StagingBundle, ReadStudy]:
        digest, _, study = earlier["select_series"].partition("\n")
        bundle = self._models.chosen(digest)
        return bundle, self._rehearsed.outcome("study", (study,), lambda: ReadStudy.model_validate_json(study))


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
