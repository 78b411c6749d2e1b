"""The steps of reading one study, each repeatable, each with a small result that the workflow can keep as JSON."""

from collections import Counter
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference.attributes import Attributes, attributes_of
from pacs_agent.inference.bundle import Bundle
from pacs_agent.inference.decode import decode_sentences
from pacs_agent.inference.describe import (
    Statement,
    finding_statements,
    grade_word,
    impression_statements,
    impression_without_words,
    presence_of,
    probability,
)
from pacs_agent.inference.encode import Encoding, Progress, encode_missing
from pacs_agent.inference.evidence import EVIDENCE, ReadStudy, strongest
from pacs_agent.inference.heat import Field, Heat, heat_of
from pacs_agent.inference.read import Floats, StudyOutputs, StudyTokens, read_study, study_tokens
from pacs_agent.inference.reading import (
    EvidenceMethod,
    FindingReading,
    Presence,
    Sentence,
    SliceEvidence,
    StudyReading,
)
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import open_sessions
from pacs_agent.inference.tokens import SliceToken, TokenCache
from pacs_agent.ops import get_log

_log = get_log("inference")


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
    """A bundle that runs. Holds the onnxruntime sessions; one instance serves many studies."""

    def __init__(self, bundle: Bundle, settings: InferenceSettings, token_root: Path) -> None:
        manifest = bundle.manifest
        self.bundle = bundle
        self.sessions = open_sessions(bundle, settings)
        self._batch_slices = settings.batch_slices
        self._field = Field(manifest.field_px, manifest.pixel_mm)
        self._blank = np.array(manifest.blank_token, np.float32) if manifest.blank_token else None
        grid = (len(manifest.findings), *manifest.patch_grid)
        self._cache = TokenCache(token_root, self.sessions.encoder_digest, manifest.token_width, grid)

    @property
    def provider(self) -> str:
        """Where the graphs run: `cuda` or `cpu`."""
        return self.sessions.provider

    def encode_missing(self, series: OrderedSeries, progress: Progress | None = None) -> Encoding:
        """Makes the tokens that are not in the cache. Raises UnusableSlice, ModelFailed."""
        return encode_missing(series, self.sessions.slice_encoder, self._cache, self._batch_slices, progress)

    def read(self, series: OrderedSeries, encoding: Encoding) -> RawReading:
        """Scores of all findings. Raises ModelFailed."""
        outputs = self._outputs(_study(series, self.slice_tokens(series, encoding)))
        return RawReading(
            finding_logits=_floats(outputs.finding_logits), attribute_logits=_rows(outputs.attribute_logits)
        )

    def weigh_evidence(
        self, series: OrderedSeries, encoding: Encoding, method: EvidenceMethod | None = None
    ) -> EvidenceWeights:
        """Which slices each finding rests on, by the method given or by the bundle's own. Raises ModelFailed."""
        method = method or self.bundle.manifest.evidence_method
        study = _study(series, self.slice_tokens(series, encoding))
        read = ReadStudy(self.sessions.study_reader, study, self._outputs(study), self._blank)
        return EvidenceWeights(method=method, weights=_rows(EVIDENCE[method](read)))

    def describe(
        self, series: OrderedSeries, encoding: Encoding, raw: RawReading, evidence: EvidenceWeights
    ) -> StudyReading:
        """The findings with their evidence, and the sentences of the draft report. Raises ModelFailed."""
        tokens, entries = self.slice_tokens(series, encoding), self.bundle.manifest.findings
        findings = self._findings(series, raw, evidence, tokens)
        said = finding_statements(findings, entries, self.bundle.tokenizer)
        summary = impression_statements(findings, entries)
        spoken = self._speak([*said, *summary], self._outputs(_study(series, tokens)).visual_tokens)
        return StudyReading(
            bundle=self.bundle.identity(),
            series=series,
            findings=findings,
            sentences=spoken[: len(said)],
            impression=(*spoken[len(said) :], *impression_without_words(findings)),
            evidence_method=evidence.method,
        )

    def heat(self, series: OrderedSeries, encoding: Encoding, finding: str, index: int) -> Heat:
        """Where a finding (key) lies in slice `index` of the series. Raises KeyError, IndexError, ModelFailed."""
        keys = [entry.key for entry in self.bundle.manifest.findings]
        if finding not in keys:
            raise KeyError(finding)
        token = self.slice_tokens(series, encoding)[index]
        return heat_of(token, keys.index(finding), series.slices[index], self._field)

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
        return tuple(
            self._finding(number, series, raw, weights, tokens)
            for number, weights in zip(range(len(self.bundle.labels)), evidence.weights, strict=True)
        )

    def _finding(
        self, number: int, series: OrderedSeries, raw: RawReading, weights: tuple[float, ...], tokens: list[SliceToken]
    ) -> FindingReading:
        entry = self.bundle.manifest.findings[number]
        p = probability(entry, raw.finding_logits[number])
        presence = presence_of(entry, p)
        stated = presence is not Presence.ABSENT
        attributes = self._attributes(number, raw) if stated else Attributes()
        key_slices = strongest(weights) if stated else []
        return FindingReading(
            label=self.bundle.labels[number],
            probability=p,
            operating_point=entry.operating_point,
            uncertain_from=entry.uncertain_from,
            presence=presence,
            attributes=attributes,
            grade=grade_word(entry, attributes),
            slice_weights=weights,
            evidence=tuple(self._evidence(number, index, series, weights, tokens) for index in key_slices),
        )

    def _attributes(self, number: int, raw: RawReading) -> Attributes:
        """What the heads say of a finding; nothing in a reading that was kept before they were."""
        if not raw.attribute_logits:
            return Attributes()
        manifest = self.bundle.manifest
        entry, logits = manifest.findings[number], raw.attribute_logits[number]
        return attributes_of(manifest.attributes, logits, entry.applies, entry.points)

    def _evidence(
        self, number: int, index: int, series: OrderedSeries, weights: tuple[float, ...], tokens: list[SliceToken]
    ) -> SliceEvidence:
        one = series.slices[index]
        heat = heat_of(tokens[index], number, one, self._field)
        return SliceEvidence(
            index=index,
            sop_instance_uid=one.sop_instance_uid,
            frame_number=one.frame_number,
            weight=weights[index],
            peak_px=heat.peak_px,
            peak_mm=heat.peak_mm,
        )

    def _speak(self, statements: list[Statement], visual_tokens: Floats) -> tuple[Sentence, ...]:
        """The decoder's words for each statement, all in one batch; what the scores do not license is replaced."""
        prompts = [statement.prompt for statement in statements]
        words = decode_sentences(
            self.sessions.report_decoder, self.bundle.tokenizer, prompts, visual_tokens, self.bundle.manifest.max_words
        )
        spoken = list(zip(statements, words, strict=True))
        faults = [fault for statement, said in spoken if (fault := statement.fault(said)) is not None]
        if faults:
            _log.warning("sentences replaced", model=self.bundle.manifest.name, of=len(spoken), faults=Counter(faults))
        return tuple(statement.sentence(said) for statement, said in spoken)


def _study(series: OrderedSeries, tokens: list[SliceToken]) -> StudyTokens:
    return study_tokens(series, np.stack([one.token for one in tokens]))


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _rows(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(_floats(row) for row in values)
