"""Phantoms that no training has seen, encoded from stored values by the bundle's own slice encoder."""

from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from models.msvlm.rectal.acquired import acquired_by_phantom
from models.msvlm.rectal.items import step_targets, told_of
from models.msvlm.rectal.margin import measured_margin_mm
from models.msvlm.rectal.phantoms import seeds_of, slice_centre_mm
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.scale import intensity_range
from models.msvlm.rectal.studies import MEASURED_ON, SeriesStudy
from models.phantoms.pelvis import Series, generate_pelvis


def held_out(runtime: SeriesRuntime, preset: SeriesPreset, cache: Path) -> list[SeriesStudy]:
    """Tokens of the test studies; kept beside the run, by the digest of the slice encoder."""
    folder = cache / preset.name / f"test-{runtime.manifest.slice_encoder.sha256[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    studies = []
    for seed in track(seeds_of(preset, "test"), "test studies"):
        path = folder / f"{seed}.pt"
        if not path.is_file():
            draft = path.with_suffix(".part")
            torch.save(vars(encoded_phantom(runtime, preset, seed)), draft)
            draft.replace(path)
        studies.append(SeriesStudy(**torch.load(path, weights_only=True)))
    return studies


def encoded_phantom(runtime: SeriesRuntime, preset: SeriesPreset, seed: int) -> SeriesStudy:
    """The tokens of all series of a phantom, and what is true of it."""
    phantom = generate_pelvis(seed, fineness=preset.data.fineness, voxel_mm=preset.data.voxel_mm)
    encoded = [_encoded(runtime, series) for series in phantom.series]
    acquired = [acquired_by_phantom(series.sequence) for series in phantom.series]
    counts = torch.tensor([len(series.pixels) for series in phantom.series])
    keys = tuple(series.sequence.key for series in phantom.series)
    taken, known = step_targets(told_of(phantom.truth))
    tumour = phantom.truth.tumour
    return SeriesStudy(
        name=f"pelvis-{seed}",
        tokens=torch.cat([tokens for tokens, _ in encoded]),
        centre_mm=torch.cat([_centres_mm(series) for series in phantom.series]),
        orientation=torch.tensor([series.geometry.orientation for series in phantom.series])
        .float()
        .repeat_interleave(counts, 0),
        ids=torch.tensor([one.ids for one in acquired]).repeat_interleave(counts, 0),
        b_value=torch.tensor([one.b_value for one in acquired]).repeat_interleave(counts, 0),
        series=torch.arange(len(counts)).repeat_interleave(counts, 0),
        keys=keys,
        taken=torch.from_numpy(taken),
        known=torch.from_numpy(known),
        margin_mm=tumour.fascia_mm if tumour else float("nan"),
        measured_mm=measured_margin_mm(encoded[keys.index(MEASURED_ON)][1], preset.network),
    )


def _encoded(runtime: SeriesRuntime, series: Series) -> tuple[torch.Tensor, np.ndarray]:
    """Tokens and patch grids of a series."""
    intensities = intensity_range(series.pixels, acquired_by_phantom(series.sequence).sequence)
    spacing = (series.geometry.pixel_mm, series.geometry.pixel_mm)
    tokens, grids = runtime.encode(series.pixels.astype(np.int16), intensities, spacing)
    return torch.from_numpy(tokens), grids


def _centres_mm(series: Series) -> torch.Tensor:
    centres = [slice_centre_mm(series, index) for index in range(len(series.pixels))]
    return torch.from_numpy(np.array(centres, np.float32))
