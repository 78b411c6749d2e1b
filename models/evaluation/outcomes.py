"""What a bundle says of held-out studies: scores, sentences and evidence, each made by the code that the agent runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from models.evaluation.extractor import findings_of
from models.evaluation.heldout import HeldOutStudy
from models.msvlm.runtime import BundleRuntime
from models.phantoms.findings import FINDINGS
from pacs_agent.imaging import Plane
from pacs_agent.inference.describe import finding_reading, probability
from pacs_agent.inference.evidence import ReadStudy
from pacs_agent.inference.read import PLANE_IDS, StudyOutputs, StudyTokens, read_study
from pacs_agent.inference.reading import FindingReading, Sentence
from pacs_agent.inference.report import write_report
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.tokenizer import Tokenizer

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Said:
    """What is said of one study: the reader's outputs, the findings, and the sentences of the draft report."""

    outputs: StudyOutputs
    findings: tuple[FindingReading, ...]
    sentences: tuple[Sentence, ...]
    """On each finding, then the impression."""

    @property
    def text(self) -> str:
        """The report, one sentence per line."""
        return "\n".join(sentence.text for sentence in self.sentences)

    @property
    def probabilities(self) -> Array:
        """Calibrated, [F]."""
        return np.array([finding.probability for finding in self.findings])


class Speaker:
    """A bundle's reader and decoder, speaking as in the agent."""

    def __init__(self, runtime: BundleRuntime, folder: Path) -> None:
        self.manifest = runtime.manifest
        self.reader = Graph("study_reader", runtime.reader)
        self._decoder = Graph("report_decoder", runtime.decoder)
        path = folder / self.manifest.tokenizer.file
        self._tokenizer = Tokenizer.model_validate_json(path.read_text(encoding="utf-8"))

    def say(self, tokens: Floats, z_mm: Floats) -> Said:
        """What is said of a study with these slice tokens [L, d] at z [L]."""
        outputs = read_study(self.reader, axial(tokens, z_mm))
        of_each = zip(outputs.finding_logits.tolist(), outputs.attribute_logits.tolist(), strict=True)
        findings = tuple(
            finding_reading(self.manifest, number, logit, attributes, outputs.slice_weights[number].tolist(), ())
            for number, (logit, attributes) in enumerate(of_each)
        )
        report = write_report(findings, self.manifest, self._tokenizer, self._decoder, outputs.visual_tokens)
        return Said(outputs, findings, (*report.sentences, *report.impression))

    def score(self, tokens: Floats, z_mm: Floats) -> Array:
        """Calibrated probabilities [F] alone, without a sentence."""
        logits = read_study(self.reader, axial(tokens, z_mm)).finding_logits.tolist()
        return np.array([probability(entry, x) for entry, x in zip(self.manifest.findings, logits, strict=True)])

    def read(self, study: HeldOutStudy, outputs: StudyOutputs, blank: Floats | None) -> ReadStudy:
        """A study as the agent's evidence methods take it."""
        return ReadStudy(self.reader, axial(study.tokens, study.z_mm), outputs, blank)


def axial(tokens: Floats, z_mm: Floats) -> StudyTokens:
    """The tokens of an axial series."""
    return StudyTokens(tokens, z_mm, PLANE_IDS[Plane.AXIAL])


@dataclass(frozen=True, eq=False)
class Measured:
    """Held-out studies with what is said of them, and of the same ones with tokens without content."""

    studies: tuple[HeldOutStudy, ...]
    said: tuple[Said, ...]
    blanked: tuple[Said, ...]
    points: Array
    """Operating points [F]."""

    def __len__(self) -> int:
        return len(self.studies)

    @cached_property
    def patients(self) -> list[str]:
        """The patient of each study."""
        return [study.patient for study in self.studies]

    @cached_property
    def labels(self) -> Array:
        """[n, F], NaN where not known."""
        return np.stack([study.labels for study in self.studies])

    @cached_property
    def probabilities(self) -> Array:
        """[n, F]."""
        return np.stack([said.probabilities for said in self.said])

    @cached_property
    def called(self) -> Array:
        """1 where the score calls a finding present, [n, F]."""
        return (self.probabilities >= self.points).astype(float)

    @cached_property
    def stated(self) -> Array:
        """1 where the text states a finding, [n, F]."""
        return stated([said.text for said in self.said])

    @cached_property
    def stated_blanked(self) -> Array:
        """The same with tokens without content."""
        return stated([said.text for said in self.blanked])


def measure(speaker: Speaker, studies: Iterable[HeldOutStudy], blank: Floats, title: str) -> Measured:
    """Reads every study, and again with the token `blank` [d] in the place of each slice's."""
    kept = tuple(studies)
    pairs = [
        (speaker.say(study.tokens, study.z_mm), speaker.say(np.tile(blank, (len(study.tokens), 1)), study.z_mm))
        for study in track(kept, f"reading {title}")
    ]
    said, blanked = zip(*pairs, strict=True)
    points = np.array([entry.operating_point for entry in speaker.manifest.findings])
    return Measured(kept, tuple(said), tuple(blanked), points)


def stated(texts: Sequence[str]) -> Array:
    """1 where a text states a finding as present, read back by the extractor, [n, F]."""
    found = [findings_of(text) for text in texts]
    return np.array([[finding in there for finding in FINDINGS] for there in found], float)
