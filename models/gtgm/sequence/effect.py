"""What learning from unreported studies gives the findings when only a share of the studies has a report.

All arms start from the slice tokens of one bundle's encoder, and see the same studies. Each makes its reader anew, the
encoder's slice head included: first it learns from all studies without their reports (not at all, by masked embedding
modelling, by that and the sequence term), then the findings of the reported share. "Reported" means that the labels of
the study are known, not where a finding lies. Of the reported studies a third only chooses which weights are kept.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from models.gtgm.sequence.settings import SequenceSettings
from models.gtgm.sequence.stage import train_sequence
from models.gtgm.sequence.tokens import TokenStudy
from models.gtgm.sequence.views import without_report
from models.msvlm.calibrate import Array
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.msvlm.stage_reader import train_findings, train_masked
from models.msvlm.studies import EncodedStudy, pad

FEWEST = 12
"""Reported studies that an arm gets at least."""
CHOOSING = 3
"""Every third reported study chooses the weights; the others are learned from."""


@dataclass(frozen=True)
class Arm:
    """How the reader learns before it sees a label, and of how many studies the label is known to it."""

    key: str
    name: str
    reports: Literal["none", "share", "all"] = "share"
    masked: bool = True
    loss: Literal["both", "contrastive", "correlation"] | None = None


ARMS = (
    Arm("untrained", "reader as it starts", reports="none", masked=False),
    Arm("none", "no pretraining", masked=False),
    Arm("masked", "masked embeddings"),
    Arm("both", "masked embeddings, text and correlation", loss="both"),
    Arm("text", "masked embeddings, text alone", loss="contrastive"),
    Arm("correlation", "masked embeddings, correlation alone", loss="correlation"),
    Arm("all", "no pretraining, all reports", reports="all", masked=False),
)
"""From no learning at all to all reports; "masked" is what the term is held against."""


@dataclass(frozen=True)
class Schedule:
    """Steps and batches of the stages, the same for every arm, and the share of studies that have a report."""

    share: float = 0.1
    masked_steps: int = 80
    masked_batch: int = 16
    sequence_steps: int = 100
    sequence_batch: int = 24
    finding_steps: int = 150
    finding_batch: int = 12

    def sequence(self, arm: Arm) -> SequenceSettings:
        """The settings of the arm's sequence term."""
        return SequenceSettings(steps=self.sequence_steps, batch=self.sequence_batch, loss=arm.loss or "both")

    def preset(self, preset: Preset, seed: int) -> Preset:
        """The preset with these steps."""
        masked = preset.masked.model_copy(update={"steps": self.masked_steps, "batch": self.masked_batch})
        findings = preset.findings.model_copy(update={"steps": self.finding_steps, "batch": self.finding_batch})
        return preset.model_copy(update={"masked": masked, "findings": findings, "seed": seed})


@dataclass(frozen=True)
class Lesson:
    """What all arms of a seed learn from."""

    preset: Preset
    schedule: Schedule
    studies: Sequence[TokenStudy]
    seed: int

    def pretrained(self, *, masked: bool) -> StudyReader:
        """A new reader, the same for every arm of a seed, which knows the tokens' spread; `masked`: and their order."""
        preset = self.schedule.preset(self.preset, self.seed)
        everything = [without_report(study.unreported) for study in self.studies]
        torch.manual_seed(self.seed)
        reader = StudyReader(preset.network)
        tokens = torch.cat([study.tokens for study in everything])
        reader.token_mean.copy_(tokens.mean(0))
        reader.token_std.copy_(tokens.std(0).clamp(min=1e-3))
        if masked:
            train_masked(preset, reader, everything)
        return reader.eval()

    def taught(self, arm: Arm, start: StudyReader) -> StudyReader:
        """The reader of an arm from a copy of `start`, in inference mode."""
        reader = copy.deepcopy(start)
        if arm.loss is not None:
            unreported = [study.unreported for study in self.studies]
            train_sequence(self.schedule.sequence(arm), reader, unreported, self.seed)
        if arm.reports != "none":
            known = reported(self.studies, self.schedule.share if arm.reports == "share" else 1.0, self.seed)
            learned = [study for number, study in enumerate(known) if number % CHOOSING]
            torch.manual_seed(self.seed)
            train_findings(self.schedule.preset(self.preset, self.seed), reader, learned, known[::CHOOSING])
        return reader.eval()


def reported(studies: Sequence[TokenStudy], share: float, seed: int) -> list[EncodedStudy]:
    """A random share of the studies with their reports, in random order."""
    count = min(max(round(share * len(studies)), FEWEST), len(studies))
    return [studies[i].reported for i in np.random.default_rng(seed).permutation(len(studies))[:count].tolist()]


@torch.no_grad()
def logits_of(reader: StudyReader, studies: Sequence[EncodedStudy]) -> Array:
    """Finding logits [n, F] of studies, one at a time."""
    logits: Array = (
        torch.cat([reader.facts(*pad([study]).inputs).concluded.study for study in studies]).double().numpy()
    )
    return logits
