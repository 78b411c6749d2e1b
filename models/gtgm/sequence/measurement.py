"""All arms and seeds on one kind of tokens: trained, kept reader by reader, and published as figures and tables."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from models.datasets.cache import code_digest
from models.gtgm.sequence.effect import ARMS, Arm, Lesson, Schedule, logits_of
from models.gtgm.sequence.measured import Rows, Said, account, markdown, rows_of
from models.gtgm.sequence.tokens import STEP, TokenStudy, of_class
from models.msvlm.calibrate import Array
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.phantoms.findings import FINDINGS

CODE = ("msvlm", "gtgm/pretrain", *(f"gtgm/sequence/{n}.py" for n in ("effect", "settings", "stage", "term", "views")))
TOKENS = {"class": "[CLS] alone, as published", "whole": "Tokens of the bundle: [CLS] and pooled patch logits"}


@dataclass(frozen=True, eq=False)
class Measurement:
    """One kind of tokens, all arms and seeds. The studies are phantoms that the slice encoder has not seen."""

    kind: str
    preset: Preset
    schedule: Schedule
    studies: Sequence[TokenStudy]
    held_out: Sequence[TokenStudy]
    blank: Tensor
    out: Path
    made_from: str

    @classmethod
    def of_kind(cls, kind: str, whole: "Measurement") -> "Measurement":
        """The same on tokens of a kind."""
        if kind == "whole":
            return whole
        network = whole.preset.network.model_copy(update={"patch_pools": False})
        studies, held_out = (
            [of_class(study, network.encoder_width) for study in split] for split in (whole.studies, whole.held_out)
        )
        return replace(
            whole,
            kind=kind,
            preset=whole.preset.model_copy(update={"network": network}),
            studies=studies,
            held_out=held_out,
            blank=whole.blank[: network.encoder_width],
        )

    @cached_property
    def labels(self) -> Array:
        """Labels [n, F] of the held-out studies."""
        labels: Array = torch.stack([study.reported.labels for study in self.held_out]).double().numpy()
        return labels

    @cached_property
    def folder(self) -> Path:
        """Where the logits lie; its name holds the digest of all that they depend on."""
        code = code_digest(CODE)
        counts = len(self.studies), len(self.held_out)
        parts = (self.made_from, code, self.preset.model_dump_json(), repr(self.schedule), counts)
        return self.out / "readers" / hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def path(self, arm: Arm, seed: int) -> Path:
        """Where the logits of one reader lie."""
        return self.folder / f"{self.kind}-{arm.key}-{seed}.npz"

    def measure(self, seed: int) -> None:
        """Trains the readers of a seed that are missing, and keeps what they say."""
        lesson = Lesson(self.preset, self.schedule, self.studies, seed)
        starts: dict[bool, StudyReader] = {}
        for arm in (arm for arm in ARMS if not self.path(arm, seed).is_file()):
            if arm.masked not in starts:
                starts[arm.masked] = lesson.pretrained(masked=arm.masked)
            reader = lesson.taught(arm, starts[arm.masked])
            given = [study.reported for study in self.held_out]
            blanked = [replace(study, tokens=self.blank.expand_as(study.tokens)) for study in given]
            Said(logits_of(reader, given), logits_of(reader, blanked)).save(self.path(arm, seed))

    def rows(self, seeds: Sequence[int]) -> Rows:
        """What is measured so far."""
        said = {
            arm.key: {seed: Said.load(self.path(arm, seed)) for seed in seeds if self.path(arm, seed).is_file()}
            for arm in ARMS
        }
        return rows_of(self.labels, said)


def publish(measurements: Sequence[Measurement], seeds: Sequence[int], bundle: str, out: Path) -> str:
    """Writes figures and tables of what is measured so far, and gives the tables."""
    one = measurements[0]
    facts = {
        "learned_from": f"thorax CT phantoms of models.phantoms, one slice of {STEP}; nothing of patients",
        "bundle": bundle,
        "studies": len(one.studies),
        "held_out": len(one.held_out),
        "seeds": list(seeds),
        "findings": len(FINDINGS),
        "schedule": vars(one.schedule),
    }
    tokens = {one.kind: one.rows(seeds) for one in measurements}
    (out / "sequence.json").write_text(json.dumps({**facts, "tokens": tokens}, indent=1) + "\n", encoding="utf-8")
    parts = [f"{TOKENS[kind]}\n\n{markdown(rows)}\n{account(rows)}\n" for kind, rows in tokens.items() if rows]
    text = "\n".join(parts)
    (out / "sequence.md").write_text(text, encoding="utf-8")
    return text
