"""A labelled CT volume as the slice encoder sees it: slices on the field, with targets per patch, slice and study."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.study import LabelledStudy
from models.msvlm.preprocess import AIR_HU, body_centre_px, field_weights, hounsfield_units
from models.msvlm.preset import NetworkShape
from models.phantoms.findings import ATTRIBUTE_NAMES, DESCRIBABLE, FINDINGS, Attributes, Finding, attribute_targets
from models.phantoms.report import TrueSentence

ENOUGH_MM2 = 40.0
"""Area of a finding in a patch from which the patch counts as fully positive."""
ENOUGH_OF_SMALL_MM2 = 13.0
"""The same for findings that are smaller than a patch: by the other measure most of them would hardly count."""
SMALL = frozenset(
    {
        Finding.LUNG_NODULE,
        Finding.ATELECTASIS,
        Finding.FIBROTIC_SEQUELA,
        Finding.CORONARY_CALCIFICATION,
        Finding.ARTERIAL_CALCIFICATION,
    }
)
VISIBLE_MM2 = 15.0
"""Area of a finding in a slice from which the slice counts as fully positive."""
ATTRIBUTE_GROUPS = ("sides", "lobes", "grade", "count")
"""Attributes that are known or not known together; fields of `Attributes` and of `Describable`."""

Records = NDArray[np.void]
"""One record per slice; see `record_type`."""


@dataclass(frozen=True)
class StudyFacts:
    """What is known of a study beside its voxels."""

    patient: str
    study: str
    source: str
    labels: dict[Finding, bool]
    located: frozenset[Finding]
    """Findings of which every slice and patch is known: absent ones, and present ones with a mask."""
    attributes: dict[Finding, Attributes] = field(default_factory=dict)
    sentences: tuple[TrueSentence, ...] = ()

    def label_targets(self) -> NDArray[np.float32]:
        """1 where a finding is there [F]; 0 also where it is not known."""
        return np.array([self.labels.get(finding, False) for finding in FINDINGS], np.float32)

    def known(self) -> NDArray[np.bool_]:
        """Whether the label is known [F]."""
        return np.array([finding in self.labels for finding in FINDINGS])

    def located_known(self) -> NDArray[np.bool_]:
        """Whether slice and patch targets are known [F]."""
        return np.array([finding in self.located for finding in FINDINGS])

    def attribute_targets(self) -> NDArray[np.float32]:
        """Attributes of each finding [F, A], zero where it has none."""
        rows = [
            attribute_targets(self.attributes[f]) if f in self.attributes else (0.0,) * len(ATTRIBUTE_NAMES)
            for f in FINDINGS
        ]
        return np.array(rows, np.float32)

    def attributes_known(self) -> NDArray[np.bool_]:
        """Which groups of attributes are known [F, 4], in the order of ATTRIBUTE_GROUPS."""
        return np.array([[self._group_known(finding, group) for group in ATTRIBUTE_GROUPS] for finding in FINDINGS])

    def _group_known(self, finding: Finding, group: str) -> bool:
        value = getattr(self.attributes.get(finding, Attributes()), group)
        return bool(getattr(DESCRIBABLE[finding], group)) and value is not None and value != frozenset()


@dataclass(frozen=True)
class FieldStudy:
    """The slices of a study on the field, and its facts."""

    slices: Records
    facts: StudyFacts


def record_type(shape: NetworkShape, patches: bool) -> np.dtype[np.void]:
    """One slice: HU on the field, z, and targets as shares × 255 per finding and, if wanted, per patch."""
    fields: list[tuple[str, type, tuple[int, ...]]] = [
        ("hu", np.int16, shape.field_px),
        ("z_mm", np.float32, ()),
        ("slices", np.uint8, (shape.findings,)),
    ]
    if patches:
        fields.append(("patches", np.uint8, (shape.findings, *shape.patch_grid)))
    return np.dtype(fields)


def on_field(study: LabelledStudy, shape: NetworkShape, patches: bool = True) -> FieldStudy:
    """A study through the pre-processing of the slice encoder, its masks with it."""
    n = len(study.hu)
    hu = hounsfield_units(torch.from_numpy(study.hu), torch.ones(n), torch.zeros(n))
    spacing = torch.tensor([study.spacing_mm], dtype=torch.float32).expand(n, 2)
    rows, columns = field_weights(
        body_centre_px(hu), (hu.shape[1], hu.shape[2]), spacing, shape.field_px, shape.pixel_mm
    )
    records = np.zeros(n, record_type(shape, patches))
    records["hu"] = (rows @ (hu - AIR_HU) @ columns + AIR_HU).round().to(torch.int16).numpy()
    records["z_mm"] = study.z_mm
    to_patches = _pooled(rows, 1, shape), _pooled(columns, 2, shape)
    for index, finding in enumerate(FINDINGS):
        if finding not in study.masks:
            continue
        pixels = torch.from_numpy(np.count_nonzero(study.masks[finding], axis=(1, 2)))
        area_mm2 = pixels * (study.spacing_mm[0] * study.spacing_mm[1])
        records["slices"][:, index] = _byte(area_mm2 / VISIBLE_MM2)
        if patches:
            shown = torch.nonzero(pixels)[:, 0]
            mask = torch.from_numpy(study.masks[finding])[shown].float()
            area_mm2 = _patch_areas_mm2(mask, to_patches[0][shown], to_patches[1][shown], shape)
            records["patches"][shown.numpy(), index] = _byte(area_mm2 / enough_mm2(finding))
    return FieldStudy(records, _facts(study))


def _pooled(weights: Tensor, axis: int, shape: NetworkShape) -> Tensor:
    """Weights that give the mean of the field pixels of a patch."""
    parts: Tensor = weights.unflatten(axis, (-1, shape.patch_stride_px))  # type: ignore[no-untyped-call]
    return parts.mean(axis + 1)


def enough_mm2(finding: Finding) -> float:
    """The area in a patch from which the patch counts as fully positive."""
    return ENOUGH_OF_SMALL_MM2 if finding in SMALL else ENOUGH_MM2


def _patch_areas_mm2(mask: Tensor, rows: Tensor, columns: Tensor, shape: NetworkShape) -> Tensor:
    return rows @ mask @ columns * (shape.patch_stride_px * shape.pixel_mm) ** 2


def _byte(share: Tensor) -> NDArray[np.uint8]:
    return (share.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).numpy()


def _facts(study: LabelledStudy) -> StudyFacts:
    located = {finding for finding, there in study.labels.items() if not there or finding in study.masks}
    return StudyFacts(
        study.patient,
        study.study,
        study.source,
        study.labels,
        frozenset(located),
        study.attributes,
        study.sentences,
    )


def choose_slices(study: LabelledStudy, count: int, rng: np.random.Generator) -> LabelledStudy:
    """A third of `count` slices at random, the others through the findings with a mask, in order of z."""
    n = len(study.hu)
    chosen = set(rng.choice(n, size=min(max(count // 3, 1), n), replace=False).tolist())
    through = [np.flatnonzero(mask.any(axis=(1, 2))) for mask in study.masks.values() if mask.any()]
    while len(chosen) < min(count, n):
        among = through[int(rng.integers(len(through)))] if through and rng.random() < 0.9 else np.arange(n)
        chosen.add(int(rng.choice(among)))
    return _only(study, sorted(chosen))


def _only(study: LabelledStudy, kept: Sequence[int]) -> LabelledStudy:
    return LabelledStudy(
        patient=study.patient,
        study=study.study,
        source=study.source,
        hu=study.hu[kept],
        z_mm=study.z_mm[kept],
        spacing_mm=study.spacing_mm,
        labels=study.labels,
        masks={finding: mask[kept] for finding, mask in study.masks.items()},
        attributes=study.attributes,
        sentences=study.sentences,
    )
