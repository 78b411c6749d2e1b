"""Is the evidence what the model rests on? Deletion and insertion of slices, and evidence under randomised weights.

Deletion and insertion: Petsiuk et al. 2018 (RISE). Randomised weights: Adebayo et al. 2018.
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from scipy.stats import spearmanr
from torch import nn

from models.evaluation.evidence import Weighed
from models.evaluation.heldout import stored_series
from models.evaluation.metrics import Figure, mean_figure
from models.evaluation.outcomes import Measured, Speaker, axial
from models.evaluation.sources import HeldOutPhantoms
from models.msvlm.encoder import SliceEncoderGraph, new_encoder
from models.msvlm.network import Network
from models.msvlm.reader import StudyReader
from models.msvlm.runtime import StoredSeries
from pacs_agent.inference.describe import probability
from pacs_agent.inference.evidence import EVIDENCE, ReadStudy
from pacs_agent.inference.read import StudyTokens, read_masked, read_study
from pacs_agent.inference.reading import EvidenceMethod
from pacs_agent.inference.sessions import Graph

Floats = NDArray[np.float32]
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the slices that are deleted or inserted, the heaviest first."""
BATCH = 8
SEED = 1
ENCODE_BATCH = 16
RANDOM = "random"


def deletion_insertion(
    speaker: Speaker, measured: Measured, weighed: Weighed, blank: Floats, limit: int
) -> dict[str, dict[str, Figure]]:
    """Area under the probability of a present finding as its slices are deleted (low is good) or inserted (high is)."""
    rng = np.random.default_rng(0)
    names = (*weighed.weights, RANDOM)
    deleted: dict[str, list[float]] = {name: [] for name in names}
    inserted: dict[str, list[float]] = {name: [] for name in names}
    numbers = weighed.numbers[:limit]
    for place, number in enumerate(track(numbers, "deletion and insertion")):
        study, said = measured.studies[number], measured.said[number]
        weights = {name: rows[place] for name, rows in weighed.weights.items()}
        weights[RANDOM] = rng.random(said.outputs.slice_weights.shape).astype(np.float32)
        findings = np.flatnonzero(study.located & (measured.called[number] > 0))
        for name, rows in weights.items():
            areas = [_areas(speaker, axial(study.tokens, study.z_mm), f, rows[f], blank) for f in findings.tolist()]
            deleted[name].append(float(np.mean([area[0] for area in areas])) if areas else np.nan)
            inserted[name].append(float(np.mean([area[1] for area in areas])) if areas else np.nan)
    patients = weighed.patients[: len(numbers)]
    return {
        name: {
            "deletion_auc": mean_figure(deleted[name], patients),
            "insertion_auc": mean_figure(inserted[name], patients),
        }
        for name in names
    }


def _areas(speaker: Speaker, study: StudyTokens, finding: int, weights: Floats, blank: Floats) -> tuple[float, float]:
    order, length = np.argsort(-weights, kind="stable"), len(weights)
    versions = []
    for share in SHARES:
        chosen = np.isin(np.arange(length), order[: round(share * length)])[:, None]
        versions += [np.where(chosen, blank, study.tokens), np.where(chosen, study.tokens, blank)]
    tokens = np.stack(versions).astype(np.float32)
    parts = [
        read_masked(speaker.reader, study, np.ones(part.shape[:2], np.bool_), part)["finding_logits"][:, finding]
        for part in np.array_split(tokens, -(-len(tokens) // BATCH))
    ]
    entry = speaker.manifest.findings[finding]
    p = np.array([probability(entry, float(logit)) for logit in np.concatenate(parts)])
    return float(np.trapezoid(p[0::2], SHARES)), float(np.trapezoid(p[1::2], SHARES))


class TorchReader:
    """A reader in torch where the agent expects a graph."""

    name = "study_reader"

    def __init__(self, reader: nn.Module) -> None:
        self._reader = reader.eval()

    @torch.no_grad()
    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
        """Outputs by name."""
        names = ("tokens", "z_mm", "plane", "sequence", "phase", "mask")
        given = [torch.from_numpy(np.array(inputs[name])) for name in names]
        outputs = self._reader(*given)
        kinds = ("finding_logits", "slice_weights", "slice_attention", "attribute_logits", "visual_tokens")
        return {kind: output.numpy() for kind, output in zip(kinds, outputs, strict=True)}


def randomised(reader: nn.Module, fresh: nn.Module, seed: int) -> nn.Module:
    """The reader in `fresh` with every weight drawn anew from a normal of the trained one's mean and spread."""
    generator = torch.Generator().manual_seed(seed)
    fresh.load_state_dict(reader.state_dict())
    with torch.no_grad():
        for weight in fresh.parameters():
            spread = weight.std(correction=0) if weight.numel() > 1 else weight.abs().mean()
            weight.copy_(weight.mean() + spread * torch.randn(weight.shape, generator=generator))
    return fresh


def randomised_weights(
    reader: nn.Module, fresh: nn.Module, measured: Measured, weighed: Weighed, blank: Floats, limit: int
) -> dict[str, Figure]:
    """Rank correlation over slices of each method's evidence with that of a reader of random weights; low is good."""
    correlations: dict[str, list[float]] = {method.value: [] for method in EVIDENCE}
    graph = cast(Graph, TorchReader(randomised(reader, fresh, SEED)))
    for place, number in enumerate(track(weighed.numbers[:limit], "randomised weights")):
        study = measured.studies[number]
        tokens = axial(study.tokens, study.z_mm)
        read = ReadStudy(graph, tokens, read_study(graph, tokens), blank)
        for method, weigh_slices in EVIDENCE.items():
            ours, theirs = weighed.weights[method.value][place], weigh_slices(read)
            values = [_rank_correlation(ours[f], theirs[f]) for f in np.flatnonzero(study.located).tolist()]
            correlations[method.value].append(float(np.mean(values)))
    return {name: mean_figure(values, weighed.patients[:limit]) for name, values in correlations.items()}


def random_network(
    network: Network, source: HeldOutPhantoms, measured: Measured, weighed: Weighed, limit: int
) -> Figure:
    """Rank correlation of the slice weights with those of a network of random weights, encoder included."""
    torch.manual_seed(SEED)
    encoder = SliceEncoderGraph(new_encoder(network.preset.network), network.preset.network).eval()
    reader = StudyReader(network.preset.network)
    correlations = []
    for place, number in enumerate(track(weighed.numbers[:limit], "random network")):
        study = measured.studies[number]
        tokens = _tokens(encoder, stored_series(source.study(number)))
        reader.token_mean.copy_(torch.from_numpy(tokens.mean(0)))
        reader.token_std.copy_(torch.from_numpy(tokens.std(0)).clamp(min=1e-3))
        weights = read_study(cast(Graph, TorchReader(reader)), axial(tokens, study.z_mm)).slice_weights
        ours = weighed.weights[EvidenceMethod.SLICE_WEIGHTS.value][place]
        values = [_rank_correlation(ours[f], weights[f]) for f in np.flatnonzero(study.located).tolist()]
        correlations.append(float(np.mean(values)))
    return mean_figure(correlations, weighed.patients[:limit])


@torch.no_grad()
def _tokens(encoder: nn.Module, series: StoredSeries) -> Floats:
    tokens = []
    for stored in torch.split(torch.from_numpy(series.stored), ENCODE_BATCH):
        slope, intercept = (torch.full((len(stored),), value) for value in (series.slope, series.intercept))
        spacing_mm = torch.tensor([series.spacing_mm] * len(stored), dtype=torch.float32)
        tokens.append(encoder(stored, slope, intercept, spacing_mm)[0])
    return cast(Floats, torch.cat(tokens).numpy())


def _rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's; 0 where one of them is the same everywhere."""
    if np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return 0.0
    return float(spearmanr(a, b).statistic)
