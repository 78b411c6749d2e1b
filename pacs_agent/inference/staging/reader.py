"""The steps of reading all series of one study, each repeatable, each with a small result for the workflow to keep."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import DecodingPool
from pacs_agent.inference.bundle import StagingBundle
from pacs_agent.inference.encode import Progress
from pacs_agent.inference.evidence import shares
from pacs_agent.inference.reader import EvidenceWeights
from pacs_agent.inference.reading import EvidenceMethod, Presence, StudyReading, TokensRead
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import open_staging
from pacs_agent.inference.staging.describe import finding_of, said_items
from pacs_agent.inference.staging.encode import StudyEncoder, StudyEncoding, tokens_of
from pacs_agent.inference.staging.measure import measured_distances
from pacs_agent.inference.staging.read import StagingOutputs, read_staging, study_inputs
from pacs_agent.inference.staging.report import write_staging
from pacs_agent.inference.staging.study import ReadStudy
from pacs_agent.inference.tokens import SliceToken, TokenCache
from pacs_agent.inference.turns import Turns


class RawStaging(BaseModel):
    """The reader's scores: a logit for each step, in the order of the manifest."""

    model_config = ConfigDict(frozen=True)

    step_logits: tuple[float, ...]


class StagingReader:
    """A bundle that runs. Holds the onnxruntime sessions; one instance serves many studies and threads."""

    def __init__(
        self,
        bundle: StagingBundle,
        settings: InferenceSettings,
        token_root: Path,
        decoding: DecodingPool | None = None,
        turns: Turns | None = None,
    ) -> None:
        """`decoding` runs the codecs, None does it in this process; `turns` are shared by all models of a worker."""
        manifest = bundle.manifest
        self.bundle = bundle
        self.opened = open_staging(bundle, settings)
        self.turns = turns or Turns()
        grid = (len(manifest.structures), *manifest.patch_grid)
        self._cache = TokenCache(token_root, manifest.slice_encoder.sha256, manifest.token_width, grid)
        graph = self.opened.slice_encoder
        self.encoder = StudyEncoder(graph, self._cache, settings.batch_slices or graph.best_batch, decoding)

    def encode_missing(self, chosen: ReadStudy, progress: Progress | None = None) -> StudyEncoding:
        """Makes the tokens that are not in the cache. Raises UnusableSlice, ModelFailed."""
        with self.turns.job():
            return self.encoder.encode_missing(chosen, progress)

    def read(self, chosen: ReadStudy, encoding: StudyEncoding) -> RawStaging:
        """Scores of all steps. Raises ModelFailed, UnusableSlice."""
        with self.turns.job():
            outputs = self._outputs(encoding.study(chosen), self.slice_tokens(chosen, encoding))
        return RawStaging(step_logits=tuple(map(float, outputs.step_logits)))

    def weigh_evidence(self, chosen: ReadStudy, encoding: StudyEncoding) -> EvidenceWeights:
        """Which slices each item attends to. Raises ModelFailed, UnusableSlice."""
        with self.turns.job():
            outputs = self._outputs(encoding.study(chosen), self.slice_tokens(chosen, encoding))
        rows = shares(outputs.slice_attention)
        return EvidenceWeights(
            method=EvidenceMethod.ATTENTION, weights=tuple(tuple(float(value) for value in row) for row in rows)
        )

    def describe(
        self, chosen: ReadStudy, encoding: StudyEncoding, raw: RawStaging, evidence: EvidenceWeights
    ) -> StudyReading:
        """The items as findings with their evidence, distances, and the sentences of the draft report.

        Raises ModelFailed, UnusableSlice.
        """
        with self.turns.job():
            tokens = self.slice_tokens(chosen, encoding)
            study, manifest = encoding.study(chosen), self.bundle.manifest
            measured = measured_distances(manifest, study, tokens)
            said = said_items(manifest, raw.step_logits, measured)
            findings = tuple(finding_of(one, evidence.weights[one.number], study, tokens, manifest) for one in said)
            there = {one.entry.key for one in said if one.presence is not Presence.ABSENT or one.entry.of}
            distances = tuple(one for one in measured if one.finding in there)
            visual_tokens = self._outputs(study, tokens).visual_tokens
            decoder = self.opened.report_decoder
            report = write_staging(said, manifest, self.bundle.words, decoder, visual_tokens, distances)
        first, *further = (stack.series for stack in study.stacks)
        return StudyReading(
            bundle=self.bundle.identity(),
            series=first,
            further_series=tuple(further),
            sequences=tuple(stack.acquired.sequence.name for stack in study.stacks),
            findings=findings,
            sentences=report.sentences,
            impression=report.impression,
            evidence_method=evidence.method,
            tokens=self._tokens_read(encoding),
            distances=distances,
        )

    def slice_tokens(self, chosen: ReadStudy, encoding: StudyEncoding) -> list[SliceToken]:
        """The tokens of a study; those that were lost from the cache since are made again."""
        found = tokens_of(self._cache, encoding)
        if found is None:
            self.encoder.encode_missing(encoding.study(chosen))
            found = tokens_of(self._cache, encoding)
        if found is None or len(found) != len(encoding.study(chosen).slices):
            raise ModelFailed("slice_encoder", "not every slice has a token; the study changed since it was encoded")
        return found

    def _outputs(self, study: ReadStudy, tokens: list[SliceToken]) -> StagingOutputs:
        manifest = self.bundle.manifest
        inputs = study_inputs(study, [np.asarray(one.token, np.float32) for one in tokens])
        steps = sum(len(item.steps) for item in manifest.items)
        return read_staging(self.opened.study_reader, inputs, steps, len(manifest.items))

    def _tokens_read(self, encoding: StudyEncoding) -> TokensRead:
        manifest = self.bundle.manifest
        return TokensRead(
            encoder_digest=manifest.slice_encoder.sha256,
            keys=encoding.keys,
            token_width=manifest.token_width,
            patch_grid=manifest.patch_grid,
            field_px=manifest.field_px,
            pixel_mm=manifest.pixel_mm,
            structures=len(manifest.structures),
            structure_of={item.key: manifest.structures.index(item.structure) for item in manifest.items},
        )
