"""The steps of reading one study, each repeatable, each with a small result that the workflow can keep as JSON."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.decode import decode_sentences
from pacs_agent.inference.describe import (
    Statement,
    finding_reading,
    finding_statements,
    impression_statements,
    nothing_present,
)
from pacs_agent.inference.encode import Encoding, Progress, encode_missing
from pacs_agent.inference.evidence import EVIDENCE, EvidenceMethod
from pacs_agent.inference.read import Floats, StudyOutputs, StudyTokens, read_study, study_tokens
from pacs_agent.inference.reading import FindingReading, Sentence, StudyReading
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import open_sessions
from pacs_agent.inference.tokens import SliceToken, TokenCache


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class RawReading(_Frozen):
    """The reader's scores: one logit for each finding, in the order of the manifest."""

    finding_logits: tuple[float, ...]


class EvidenceWeights(_Frozen):
    """Weight of each slice for each finding, [F][L] in [0, 1], and how it was found."""

    method: EvidenceMethod
    weights: tuple[tuple[float, ...], ...]


class Reader:
    """A bundle that runs. Holds the onnxruntime sessions; one instance serves many studies."""

    def __init__(self, bundle: Bundle, settings: InferenceSettings, token_root: Path) -> None:
        manifest = bundle.manifest
        grid = (len(manifest.findings), manifest.patch_grid, manifest.patch_grid)
        self.bundle = bundle
        self.sessions = open_sessions(bundle, settings)
        self._batch_slices = settings.batch_slices
        self._cache = TokenCache(token_root, bundle.digest, manifest.token_width, grid)

    @property
    def provider(self) -> str:
        """Where the graphs run: `cuda` or `cpu`."""
        return self.sessions.provider

    def encode_missing(self, series: OrderedSeries, progress: Progress | None = None) -> Encoding:
        """Makes the tokens that are not in the cache. Raises UnusableSlice, ModelFailed."""
        return encode_missing(series, self.sessions.slice_encoder, self._cache, self._batch_slices, progress)

    def read(self, series: OrderedSeries, encoding: Encoding) -> RawReading:
        """Scores of all findings. Raises ModelFailed."""
        return RawReading(finding_logits=_floats(self._outputs(self._study(series, encoding)).finding_logits))

    def weigh_evidence(
        self, series: OrderedSeries, encoding: Encoding, method: EvidenceMethod = EvidenceMethod.SLICE_WEIGHTS
    ) -> EvidenceWeights:
        """Which slices each finding rests on. Raises ModelFailed."""
        study = self._study(series, encoding)
        weights = EVIDENCE[method](self.sessions.study_reader, study, self._outputs(study))
        return EvidenceWeights(method=method, weights=tuple(_floats(row) for row in weights))

    def describe(
        self, series: OrderedSeries, encoding: Encoding, raw: RawReading, evidence: EvidenceWeights
    ) -> StudyReading:
        """The findings with their evidence, and the sentences of the draft report. Raises ModelFailed."""
        findings = self._findings(series, raw, evidence)
        said = finding_statements(findings, self.bundle.tokenizer)
        summary = impression_statements(findings)
        visual = self._outputs(self._study(series, encoding)).visual_tokens
        spoken = self._speak([*said, *summary], visual)
        return StudyReading(
            bundle=self.bundle.identity(),
            series=series,
            findings=findings,
            sentences=spoken[: len(said)],
            impression=spoken[len(said) :] or (nothing_present(findings),),
        )

    def slice_tokens(self, series: OrderedSeries, encoding: Encoding) -> list[SliceToken]:
        """The tokens of a series; those that were lost from the cache since are made again."""
        found = [self._cache.load(key) for key in encoding.keys]
        if None in found:
            self.encode_missing(series)
            found = [self._cache.load(key) for key in encoding.keys]
        tokens = [token for token in found if token is not None]
        if len(tokens) != len(series.slices):
            fault = (
                f"{len(tokens)} of {len(series.slices)} slices have a token; the series changed since it was encoded"
            )
            raise ModelFailed("slice_encoder", fault)
        return tokens

    def _study(self, series: OrderedSeries, encoding: Encoding) -> StudyTokens:
        return study_tokens(series, np.stack([one.token for one in self.slice_tokens(series, encoding)]))

    def _outputs(self, study: StudyTokens) -> StudyOutputs:
        outputs = read_study(self.sessions.study_reader, study)
        if len(outputs.finding_logits) != len(self.bundle.manifest.findings):
            fault = f"{len(outputs.finding_logits)} logits for {len(self.bundle.manifest.findings)} findings"
            raise ModelFailed("study_reader", fault)
        return outputs

    def _findings(
        self, series: OrderedSeries, raw: RawReading, evidence: EvidenceWeights
    ) -> tuple[FindingReading, ...]:
        of_each = zip(
            self.bundle.manifest.findings, self.bundle.labels, raw.finding_logits, evidence.weights, strict=True
        )
        return tuple(finding_reading(entry, label, logit, row, series) for entry, label, logit, row in of_each)

    def _speak(self, statements: list[Statement], visual_tokens: Floats) -> tuple[Sentence, ...]:
        """The decoder's words for each statement, all in one batch."""
        tags = [statement.tag for statement in statements]
        words = decode_sentences(
            self.sessions.report_decoder, self.bundle.tokenizer, tags, visual_tokens, self.bundle.manifest.max_words
        )
        return tuple(statement.sentence(spoken) for statement, spoken in zip(statements, words, strict=True))


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
