"""Ablations on slice tokens: the reader without one of its parts, and two kinds of decoder."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from models.evaluation.heldout import HeldOutStudy
from models.evaluation.metrics import f1, figure, macro, rounded
from models.evaluation.scores import discrimination
from models.msvlm.calibrate import calibrated, validation_of
from models.msvlm.network import Network, new_decoder
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.msvlm.run import Run
from models.msvlm.stage_decoder import fallbacks, train_decoder
from models.msvlm.stage_reader import start_from_encoder, train_findings, train_masked
from models.msvlm.studies import EncodedStudy
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS

MASKED_STEPS, FINDING_STEPS = 90, 300
"""A shorter training than the run's, for every row, the one from which nothing is left out included."""
NUMBER_MM = 4.0
"""Distance of slices when only their numbers are known."""
TINY_LANGUAGE_MODEL = "random:llama"
Change = Callable[[EncodedStudy], EncodedStudy]


@dataclass(frozen=True, eq=False)
class Material:
    """A run with the tokens that its reader learned on, and those of held-out phantoms."""

    network: Network
    run: Run
    training: list[EncodedStudy]
    validation: list[EncodedStudy]
    held_out: list[HeldOutStudy]

    @property
    def test(self) -> list[EncodedStudy]:
        """The held-out phantoms as training sees studies."""
        return [as_encoded(study) for study in self.held_out]


def as_encoded(study: HeldOutStudy) -> EncodedStudy:
    """A held-out study with the truth that its labels need; attributes are left out."""
    findings = len(FINDINGS)
    return EncodedStudy(
        tokens=torch.from_numpy(study.tokens),
        z_mm=torch.from_numpy(study.z_mm),
        slices=torch.from_numpy((study.area_mm2 > 0.0).astype(np.float32)),
        labels=torch.from_numpy(np.nan_to_num(study.labels).astype(np.float32)),
        known=torch.from_numpy(np.isfinite(study.labels)),
        located=torch.from_numpy(study.located | (study.labels == 0)),
        attributes=torch.zeros(findings, len(ATTRIBUTE_NAMES)),
        attributes_known=torch.zeros(findings, 4, dtype=torch.bool),
        sentences=study.sentences,
    )


def whole(material: Material) -> dict[str, Any]:
    """The reader with all its parts: the reference of this level."""
    return _trained(material)


def without_masked(material: Material) -> dict[str, Any]:
    """No masked embedding modelling before the findings."""
    return _trained(material, masked=False)


def without_z(material: Material) -> dict[str, Any]:
    """All slices at one place: a set of slices without order."""
    return _trained(material, lambda study: replace(study, z_mm=torch.zeros_like(study.z_mm)))


def slice_numbers(material: Material) -> dict[str, Any]:
    """Slices in order, their distance unknown."""

    def numbered(study: EncodedStudy) -> EncodedStudy:
        return replace(study, z_mm=torch.arange(len(study.z_mm), dtype=torch.float32) * NUMBER_MM)

    return _trained(material, numbered)


def class_only(material: Material) -> dict[str, Any]:
    """Tokens of [CLS] alone, as published, without the pooled patch logits."""
    width = material.network.preset.network.encoder_width
    network = material.network.preset.network.model_copy(update={"patch_pools": False})
    preset = material.network.preset.model_copy(update={"network": network})
    return _trained(material, lambda study: replace(study, tokens=study.tokens[:, :width]), preset=preset)


def _trained(
    material: Material, change: Change = lambda study: study, masked: bool = True, preset: Preset | None = None
) -> dict[str, Any]:
    preset = _shortened(preset or material.network.preset)
    training, validation, test = (
        [change(study) for study in split] for split in (material.training, material.validation, material.test)
    )
    torch.manual_seed(preset.seed)
    reader = StudyReader(preset.network)
    _start(reader, material.network, training)
    if masked:
        train_masked(preset, reader, training)
    train_findings(preset, reader, training, validation)
    return _scored(reader.eval(), validation, test)


def _shortened(preset: Preset) -> Preset:
    masked = preset.masked.model_copy(update={"steps": MASKED_STEPS})
    findings = preset.findings.model_copy(update={"steps": FINDING_STEPS})
    return preset.model_copy(update={"masked": masked, "findings": findings})


def _start(reader: StudyReader, network: Network, studies: list[EncodedStudy]) -> None:
    """As a run starts it; without pooled logits only what the slice head takes from [CLS] can be taken over."""
    if network.preset.network.token_width == studies[0].tokens.shape[1]:
        start_from_encoder(reader, network.encoder, studies)
        return
    tokens = torch.cat([study.tokens for study in studies])
    reader.token_mean.copy_(tokens.mean(0))
    reader.token_std.copy_(tokens.std(0).clamp(min=1e-3))
    head = network.encoder.get_submodule("slice_head").state_dict()
    own = reader.heads.skip.state_dict()
    reader.heads.skip.load_state_dict({name: head.get(name, value) for name, value in own.items()})


def _scored(reader: StudyReader, validation: list[EncodedStudy], test: list[EncodedStudy]) -> dict[str, Any]:
    points, held = calibrated(reader, validation), validation_of(reader, test)
    scale, bias, point = (np.array([getattr(p, name) for p in points]) for name in ("scale", "bias", "operating_point"))
    said = (1.0 / (1.0 + np.exp(-(held.logits * scale + bias))) >= point).astype(float)
    return {
        **discrimination(held.labels, held.logits, len(test)),
        "macro_f1": figure(lambda i: macro(f1, held.labels[i], said[i]), len(test)),
    }


def decoder_from_scratch(material: Material) -> dict[str, Any]:
    """The decoder of the run, trained again."""
    return _decoder(material, {"kind": "scratch"})


def decoder_language_model(material: Material) -> dict[str, Any]:
    """A frozen language model of random weights with LoRA, as small as the decoder from scratch; nothing is fetched."""
    return _decoder(material, {"kind": "language_model", "base": TINY_LANGUAGE_MODEL})


def _decoder(material: Material, settings: dict[str, Any]) -> dict[str, Any]:
    stage = material.network.preset.decoder.model_copy(update=settings)
    preset = material.network.preset.model_copy(update={"decoder": stage})
    torch.manual_seed(preset.seed)
    # The resampler learns with the decoder: each starts from the run's.
    reader = copy.deepcopy(material.network.reader)
    decoder = new_decoder(preset, material.network.tokenizer)
    network = replace(material.network, preset=preset, reader=reader, decoder=decoder)
    loss = train_decoder(network, material.training)
    failed = fallbacks(network, material.validation)
    return {
        "training_loss": rounded(loss),
        "unlicensed_sentences": rounded(failed.unlicensed),
        "endless_sentences": rounded(failed.endless),
        "learned_parameters": sum(p.numel() for p in network.decoder.parameters() if p.requires_grad),
    }
