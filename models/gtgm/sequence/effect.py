"""What learning from unreported studies gives the findings when only a share of the studies has a report.

All arms start from the run's slice encoder and see the same studies. Each trains its reader anew: first on all studies
without their reports (not at all, by masked embedding modelling, and by that and the sequence term), then on the
findings of the reported share. "Reported" means that the labels of the study are known, not where a finding lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from models.evaluation.ablated_reader import Material
from models.evaluation.metrics import rounded
from models.evaluation.scores import gain, macro_auroc
from models.gtgm.sequence.settings import SequenceSettings
from models.gtgm.sequence.stage import train_sequence
from models.gtgm.sequence.variants import UnreportedStudy
from models.gtgm.sequence.views import without_report
from models.msvlm.calibrate import Array, validation_of
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.msvlm.stage_reader import start_from_encoder, train_findings, train_masked
from models.msvlm.studies import EncodedStudy

FEWEST = 12
"""Reported studies, and validation studies, that an arm gets at least."""


@dataclass(frozen=True)
class Arm:
    """How the reader learns before it sees a label."""

    name: str
    masked: bool = True
    sequence: SequenceSettings | None = None


@dataclass(frozen=True)
class Schedule:
    """Steps of the stages, the same for every arm, and the share of studies that have a report."""

    share: float = 0.1
    masked_steps: int = 90
    sequence_steps: int = 150
    finding_steps: int = 200
    batch: int = 24

    def arms(self) -> tuple[Arm, ...]:
        """The reference without pretraining, masked embedding modelling, and the term, whole and in parts."""
        settings = SequenceSettings(steps=self.sequence_steps, batch=self.batch)
        return (
            Arm("no pretraining", masked=False),
            Arm("masked embeddings"),
            Arm("masked embeddings, text and correlation", sequence=settings),
            Arm("masked embeddings, text alone", sequence=settings.model_copy(update={"loss": "contrastive"})),
            Arm("masked embeddings, correlation alone", sequence=settings.model_copy(update={"loss": "correlation"})),
        )


def reported(studies: Sequence[EncodedStudy], share: float, seed: int) -> list[EncodedStudy]:
    """A random share of the studies, of which labels are known but no slices."""
    count = min(max(round(share * len(studies)), FEWEST), len(studies))
    chosen = np.random.default_rng(seed).permutation(len(studies))[:count]
    return [
        replace(studies[i], slices=torch.zeros_like(studies[i].slices), located=torch.zeros_like(studies[i].located))
        for i in sorted(chosen.tolist())
    ]


def trained_reader(
    arm: Arm, schedule: Schedule, material: Material, unreported: Sequence[UnreportedStudy], seed: int
) -> StudyReader:
    """The reader of one arm and seed."""
    preset = _preset(material.network.preset, schedule, seed)
    torch.manual_seed(seed)
    reader, everything = StudyReader(preset.network), [without_report(study) for study in unreported]
    start_from_encoder(reader, material.network.encoder, everything)
    if arm.masked:
        train_masked(preset, reader, everything)
    if arm.sequence is not None:
        train_sequence(arm.sequence, reader, unreported, seed)
    training, validation = (reported(split, schedule.share, seed) for split in (material.training, material.validation))
    train_findings(preset, reader, training, validation)
    return reader.eval()


def effect(
    schedule: Schedule, material: Material, unreported: Sequence[UnreportedStudy], seeds: Sequence[int]
) -> dict[str, Any]:
    """Per arm the macro AUROC on the held-out phantoms of each seed, and the gain over masked embeddings.

    Seeds are averaged in the scores' figures by taking the mean logit of the seeds' readers.
    """
    logits: dict[str, list[Array]] = {}
    labels: Array = np.empty(0)
    for arm in schedule.arms():
        for seed in seeds:
            held = validation_of(trained_reader(arm, schedule, material, unreported, seed), material.test)
            logits.setdefault(arm.name, []).append(held.logits)
            labels = held.labels
    reference = np.mean(logits["masked embeddings"], axis=0)
    return {name: _row(labels, np.stack(of_seeds), reference, len(material.test)) for name, of_seeds in logits.items()}


def _row(labels: Array, of_seeds: Array, reference: Array, patients: int) -> dict[str, Any]:
    each = [macro_auroc(labels, one, patients)["value"] for one in of_seeds]
    mean = of_seeds.mean(0)
    return {
        "macro_auroc": macro_auroc(labels, mean, patients),
        "of_seeds": each,
        "spread_of_seeds": rounded(float(np.std(each))),
        "gain": gain(labels, mean, reference, patients),
    }


def _preset(preset: Preset, schedule: Schedule, seed: int) -> Preset:
    batch = {"batch": schedule.batch}
    masked = preset.masked.model_copy(update={"steps": schedule.masked_steps, **batch})
    findings = preset.findings.model_copy(update={"steps": schedule.finding_steps, **batch})
    return preset.model_copy(update={"masked": masked, "findings": findings, "seed": seed})
