"""The steps of reading one study, each repeatable, each with a small result that the workflow can keep as JSON."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import DecodingPool, OrderedSeries
from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.describe import finding_reading, key_slices
from pacs_agent.inference.encode import Encoding, Progress, SliceEncoder
from pacs_agent.inference.evidence import EVIDENCE, ReadStudy
from pacs_agent.inference.heat import Field
from pacs_agent.inference.read import Floats, StudyOutputs, StudyTokens, read_study, study_tokens
from pacs_agent.inference.reading import EvidenceMethod, FindingReading, StudyReading, TokensRead
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.report import write_report
from pacs_agent.inference.sessions import open_sessions
from pacs_agent.inference.slice_keys import SliceKeys
from pacs_agent.inference.tokens import SliceToken, TokenCache
from pacs_agent.inference.turns import Turns


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class RawReading(_Frozen):
    """The reader's scores in the order of the manifest: a logit for each finding, and its attribute logits [F][A]."""

    finding_logits: tuple[float, ...]
    attribute_logits: tuple[tuple[float, ...], ...] = ()


class EvidenceWeights(_Frozen):
    """Weight of each slice for each finding, [F][L] in [0, 1], and how it was found."""

    method: EvidenceMethod
    weights: tuple[tuple[float, ...], ...]


class Reader:
    """A bundle that runs. Holds the onnxruntime sessions; one instance serves many studies and threads."""

    def __init__(
        self,
        bundle: Bundle,
        settings: InferenceSettings,
        token_root: Path,
        decoding: DecodingPool | None = None,
        turns: Turns | None = None,
    ) -> None:
        """`decoding` runs the codecs, None does it in this process; `turns` are shared by all models of a worker."""
        manifest = bundle.manifest
        self.bundle = bundle
        self.sessions = open_sessions(bundle, settings)
        self.turns = turns or Turns()
        self._field = Field(manifest.field_px, manifest.pixel_mm)
        self._blank = np.array(manifest.blank_token, np.float32) if manifest.blank_token else None
        grid = (len(manifest.findings), *manifest.patch_grid)
        self._cache = TokenCache(token_root, self.sessions.encoder_digest, manifest.token_width, grid)
        graph = self.sessions.slice_encoder
        batch_slices = settings.batch_slices or graph.best_batch
        self.encoder = SliceEncoder(graph, self._cache, SliceKeys(token_root), batch_slices, decoding)

    @property
    def provider(self) -> str:
        """Where the graphs run: `cuda` or `cpu`."""
        return self.sessions.provider

    def encode_missing(self, series: OrderedSeries, progress: Progress | None = None) -> Encoding:
        """Makes the tokens that are not in the cache. Raises UnusableSlice, ModelFailed."""
        with self.turns.job():
            return self.encoder.encode_missing(series, progress)

    def read(self, series: OrderedSeries, encoding: Encoding) -> RawReading:
        """Scores of all findings. Raises ModelFailed."""
        with self.turns.job():
            outputs = self._outputs(_study(series, self.slice_tokens(series, encoding)))
        return RawReading(
            finding_logits=_floats(outputs.finding_logits), attribute_logits=_rows(outputs.attribute_logits)
        )

    def weigh_evidence(
        self, series: OrderedSeries, encoding: Encoding, method: EvidenceMethod | None = None
    ) -> EvidenceWeights:
        """Which slices each finding rests on, by the method given or by the bundle's own. Raises ModelFailed."""
        method = method or self.bundle.manifest.evidence_method
        with self.turns.job():
            study = _study(series, self.slice_tokens(series, encoding))
            read = ReadStudy(self.sessions.study_reader, study, self._outputs(study), self._blank)
            return EvidenceWeights(method=method, weights=_rows(EVIDENCE[method](read)))

    def describe(
        self, series: OrderedSeries, encoding: Encoding, raw: RawReading, evidence: EvidenceWeights
    ) -> StudyReading:
        """The findings with their evidence, and the sentences of the draft report. Raises ModelFailed."""
        with self.turns.job():
            return self._describe(series, encoding, raw, evidence)

    def _describe(
        self, series: OrderedSeries, encoding: Encoding, raw: RawReading, evidence: EvidenceWeights
    ) -> StudyReading:
        tokens = self.slice_tokens(series, encoding)
        findings = self._findings(series, raw, evidence, tokens)
        visual_tokens = self._outputs(_study(series, tokens)).visual_tokens
        bundle, decoder = self.bundle, self.sessions.report_decoder
        report = write_report(findings, bundle.manifest, bundle.tokenizer, decoder, visual_tokens)
        return StudyReading(
            bundle=bundle.identity(),
            series=series,
            findings=findings,
            sentences=report.sentences,
            impression=report.impression,
            evidence_method=evidence.method,
            tokens=self._tokens_read(encoding),
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

    def _tokens_read(self, encoding: Encoding) -> TokensRead:
        manifest = self.bundle.manifest
        return TokensRead(
            encoder_digest=self.sessions.encoder_digest,
            keys=encoding.keys,
            token_width=manifest.token_width,
            patch_grid=manifest.patch_grid,
            field_px=manifest.field_px,
            pixel_mm=manifest.pixel_mm,
        )

    def _outputs(self, study: StudyTokens) -> StudyOutputs:
        manifest, outputs = self.bundle.manifest, read_study(self.sessions.study_reader, study)
        findings, attributes = len(manifest.findings), len(manifest.attributes)
        if len(outputs.finding_logits) != findings:
            raise ModelFailed("study_reader", f"{len(outputs.finding_logits)} logits for {findings} findings")
        if outputs.attribute_logits.shape != (findings, attributes):
            fault = f"attribute logits of shape {outputs.attribute_logits.shape}, not {(findings, attributes)}"
            raise ModelFailed("study_reader", fault)
        return outputs

    def _findings(
        self, series: OrderedSeries, raw: RawReading, evidence: EvidenceWeights, tokens: list[SliceToken]
    ) -> tuple[FindingReading, ...]:
        manifest = self.bundle.manifest
        attributes = raw.attribute_logits or ((),) * len(manifest.findings)
        of_each = zip(raw.finding_logits, attributes, evidence.weights, strict=True)
        return tuple(
            finding_reading(manifest, number, *scores, key_slices(number, scores[-1], series, tokens, self._field))
            for number, scores in enumerate(of_each)
        )


def _study(series: OrderedSeries, tokens: list[SliceToken]) -> StudyTokens:
    return study_tokens(series, np.stack([one.token for one in tokens]))


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _rows(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(_floats(row) for row in values)
