"""Every combination of data set, arm, share and seed once; results are kept, so that a cut evaluation goes on."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.datasets.cache import code_digest
from models.gtgm.evaluate.arms import Pretraining, state_of
from models.gtgm.evaluate.sets import EvaluationSet
from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.fit import FitSettings, fit
from models.gtgm.finetune.heads import Segmenter, new_segmenter
from models.gtgm.finetune.metrics import agreements, instance_agreement
from models.gtgm.finetune.predict import predicted
from models.gtgm.pretrain.preset import load_gtgm_preset
from pacs_agent.inference.segment import Windows

CODE = ("gtgm/finetune", "gtgm/evaluate/sets.py", "gtgm/evaluate/blocks.py", "gtgm/networks.py", "gtgm/intensity.py")
"""Source files on which a result depends."""
OVERLAP = 0.25
_log = logging.getLogger(__name__)
Scores = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """What is compared, and how long each network is fine-tuned."""

    arms: tuple[str, ...]
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int
    batch: int
    rate: float


@dataclass(frozen=True)
class Result:
    """One fine-tuned network: its scores on every test volume."""

    data: str
    arm: str
    share: float
    seed: int
    volumes: tuple[Scores, ...]


def results(data: EvaluationSet, plan: Plan, pretraining: Pretraining, folder: Path) -> Iterator[Result]:
    """All results of a data set, each as soon as it is there."""
    for arm in plan.arms:
        encoder = pretraining.encoder_of(arm, data)
        for share in plan.shares:
            for seed in plan.seeds:
                yield _result(data, plan, pretraining.preset, arm, encoder, share, seed, folder)


def _result(
    data: EvaluationSet, plan: Plan, preset: str, arm: str, encoder: Path | None, share: float, seed: int, folder: Path
) -> Result:
    settings = FitSettings(steps=plan.steps, batch=plan.batch, rate=plan.rate, patch=data.patch, seed=seed)
    key = _key(data, settings, arm, encoder, share, preset)
    path = folder / "results" / f"{key}.json"
    if not path.is_file():
        _log.info("%s, %s, %g %% of the labels, seed %d", data.name, arm, 100.0 * share, seed)
        torch.manual_seed(seed)
        shape = load_gtgm_preset(preset).encoder
        network = new_segmenter(shape, data.outputs, state_of(encoder), data.modality, data.output)
        fit(network, data.labelled(share, seed), settings, folder / "runs" / key)
        scores = [scores_of(network, data, example) for example in data.test()]
        _write(path, {"data": data.name, "arm": arm, "share": share, "seed": seed, "volumes": scores})
        (folder / "runs" / key / "finetune-checkpoint.pt").unlink(missing_ok=True)
    kept = json.loads(path.read_text(encoding="utf-8"))
    volumes = tuple({name: np.nan if v is None else v for name, v in one.items()} for one in kept["volumes"])
    return Result(kept["data"], kept["arm"], kept["share"], kept["seed"], volumes)


def scores_of(network: Segmenter, data: EvaluationSet, example: Example) -> Scores:
    """Dice of each structure and their mean, mean HD95 (mm); or VOI and ARAND of instances."""
    found = predicted(network, example, Windows(data.patch, OVERLAP))
    if data.output == "affinities":
        agreed = instance_agreement(found, example.labels)  # type: ignore[arg-type]
        return {"arand": agreed.arand, "voi": agreed.voi_split + agreed.voi_merge, **agreed._asdict()}
    rows = agreements(found, example.labels, len(data.names), data.spacing_mm)  # type: ignore[arg-type]
    dices = {f"dice {name}": one.dice for name, one in zip(data.names[1:], rows, strict=True)}
    return {"dice": _mean([one.dice for one in rows]), "hd95_mm": _mean([one.hd95_mm for one in rows]), **dices}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _key(data: EvaluationSet, settings: FitSettings, arm: str, encoder: Path | None, share: float, preset: str) -> str:
    """A digest of everything on which a result depends."""
    weights = hashlib.sha256(encoder.read_bytes()).hexdigest() if encoder else ""
    shape = load_gtgm_preset(preset).encoder.model_dump_json()
    facts = (data.name, data.said, settings.model_dump_json(), arm, weights, share, shape, code_digest(CODE))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:20]


def _write(path: Path, facts: dict[str, Any]) -> None:
    """First under a temporary name: a cut run leaves no half. JSON has no NaN."""
    volumes = [{n: v if np.isfinite(v) else None for n, v in one.items()} for one in facts["volumes"]]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps({**facts, "volumes": volumes}, indent=1), encoding="utf-8")
    draft.replace(path)
