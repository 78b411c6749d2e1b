"""Phantoms that no training has seen, encoded from stored values by the bundle's own slice encoder."""

from pathlib import Path

import torch
from rich.progress import track

from models.msvlm.rectal.items import told_of
from models.msvlm.rectal.phantoms import seeds_of
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.runtime import SeriesRuntime
from models.msvlm.rectal.stored import encoded, stored_phantom
from models.msvlm.rectal.studies import SeriesStudy
from models.msvlm.whole_file import save_whole
from models.phantoms.pelvis import generate_pelvis


def held_out(runtime: SeriesRuntime, preset: SeriesPreset, cache: Path) -> list[SeriesStudy]:
    """Tokens of the test studies; kept beside the run, by the digest of the slice encoder."""
    folder = cache / preset.name / f"test-{runtime.manifest.slice_encoder.sha256[:12]}"
    studies = []
    for seed in track(seeds_of(preset, "test"), "test studies"):
        path = folder / f"{seed}.pt"
        if not path.is_file():
            save_whole(vars(encoded_phantom(runtime, preset, seed)), path)
        studies.append(SeriesStudy(**torch.load(path, weights_only=True)))
    return studies


def encoded_phantom(runtime: SeriesRuntime, preset: SeriesPreset, seed: int) -> SeriesStudy:
    """The tokens of all series of a phantom, and what is true of it."""
    phantom = generate_pelvis(seed, fineness=preset.data.fineness, voxel_mm=preset.data.voxel_mm)
    tumour = phantom.truth.tumour
    margin_mm = tumour.fascia_mm if tumour else float("nan")
    series = [stored_phantom(one) for one in phantom.series]
    return encoded(runtime, f"pelvis-{seed}", series, told_of(phantom.truth), margin_mm)
