"""Saliency maps of a reading: which form each finding's has, and the objects that the AI result refers to."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset

from pacs_agent.imaging import Slice
from pacs_agent.inference import FindingReading, Heat, HeatGone, Presence, SaliencyMap, StudyReading, heats_of_reading
from pacs_agent.pipeline.segmenting import Told
from pacs_agent.pipeline.stages import Document
from pacs_agent.results import (
    DocumentFacts,
    ObjectKind,
    UnusableEvidence,
    compose_saliency_map,
    write_bytes,
)

NOT_MADE = "No saliency maps were made."
MOST_BYTES = 1 << 30
"""Of all maps of a study that are laid on its images; the further ones are of patches."""
_VALUE_BYTES = 4

Form = Literal["patches", "images"]


@dataclass(frozen=True)
class _Drawn:
    """A map, and the heat of its finding in each slice."""

    map: SaliencyMap
    heats: tuple[Heat, ...]


def with_saliency_maps(
    reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts, form: Form, token_root: Path
) -> Told:
    """The reading with the maps of each finding that is not absent, one on each series, and the maps.

    Where they cannot be made, the reading as it is, and why: they show what is said, and are no part of it.
    """
    try:
        drawn = list(_drawn(reading, form, token_root))
        maps = tuple(one.map for one in drawn)
        documents = tuple(
            Document(
                ObjectKind.SALIENCY_MAP, write_bytes(compose_saliency_map(one.map, one.heats, reading, evidence, facts))
            )
            for one in drawn
        )
    except (HeatGone, UnusableEvidence) as why:
        return Told(reading, lacks=f"{NOT_MADE} Reason: {why}")
    return Told(reading.model_copy(update={"saliency_maps": maps}), documents)


def _drawn(reading: StudyReading, form: Form, token_root: Path) -> Iterator[_Drawn]:
    stated = [each for each in reading.findings if each.presence is not Presence.ABSENT]
    on_images = _on_images(stated, reading.all_slices) if form == "images" else ()
    for finding in stated:
        key = finding.label.key
        form_of_it: Form = "images" if finding in on_images else "patches"
        for number in range(len(reading.all_series)):
            heats = heats_of_reading(reading, key, token_root, number)
            yield _Drawn(SaliencyMap(finding=key, series=number, form=form_of_it, digest=_digest(heats)), heats)


def _on_images(findings: Sequence[FindingReading], slices: Sequence[Slice]) -> Sequence[FindingReading]:
    """The most probable findings, as many as there is room for maps of the size of the images."""
    maps_of_one = sum(each.rows * each.columns * _VALUE_BYTES for each in slices)
    return sorted(findings, key=lambda finding: -finding.probability)[: MOST_BYTES // maps_of_one]


def _digest(heats: Sequence[Heat]) -> str:
    digest = hashlib.sha256()
    for heat in heats:
        digest.update(repr((heat.values.shape, heat.origin_px, heat.step_px)).encode())
        digest.update(heat.values.astype("<f4").tobytes())
    return digest.hexdigest()
