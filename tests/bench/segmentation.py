"""Segmentation and pretraining beside what the machine's matrix products allow for their operations.

A phantom of 300 slices of 512 × 512 is segmented on two cores as the agent does it, from the files to measured regions.
The network's part of that, and a step of pretraining, are set beside the time in which the fastest matrix products
would do as many operations; see flops.py and gemm.py. Where no segmenter is installed, an untrained network of the
demo's shape stands for it: the network's time does not depend on its weights, but what it outlines is noise, and with
that the time that regions and measurements take.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import OrderedSeries, order_series, read_headers
from pacs_agent.inference.bundle import SegmenterBundle, installed_bundles, load_any
from pacs_agent.inference.running import cores
from pacs_agent.inference.segmenter import Segmenter
from pacs_agent.inference.sessions import Graph
from tests.bench.flops import operations
from tests.bench.gemm import peak_gflops
from tests.bench.report import Report, Row
from tests.e2e.phantoms import phantom
from tests.peers import Missing

SLICES = 300
FINDINGS = ("pleural_effusion", "lung_nodule", "coronary_artery_wall_calcification")
SEED = 7
GOAL_S = 60.0
"""For a CT of SLICES slices."""
CORES = 2
PEER = "matrix products alone"
PRETRAINING = "cpu-demo"
_UNTRAINED = "no segmenter is installed: an untrained network of the demo's shape"


@dataclass(frozen=True)
class Segmented:
    """One segmentation: seconds in all, seconds and runs of the network, and how many regions came of it."""

    seconds: float
    network_s: float
    patches: int
    regions: int


class _Timed(Graph):
    """A graph that counts its runs and their seconds."""

    def __init__(self, of: Graph) -> None:
        self._of, self.seconds, self.runs = of, 0.0, 0

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        start = time.perf_counter()
        outputs = self._of.run(inputs)
        self.seconds, self.runs = self.seconds + time.perf_counter() - start, self.runs + 1
        return outputs


def run(report: Report, rounds: int, slices: int, folder: Path, say: Callable[[str], None]) -> None:
    """Adds the rows. Raises Missing without the packages of the extra `train`."""
    if find_spec("monai") is None:
        raise Missing("torch and MONAI are not here: pip install -e '.[train]'")
    threads = min(CORES, cores())
    settings = InferenceSettings(provider="cpu", threads=threads)
    bundle, about = _bundle(settings, folder)
    series = order_series(read_headers(phantom(SEED, slices, FINDINGS).files))
    segmented, peaks = [], []
    for number in range(rounds):
        peaks.append(peak_gflops("fp32", threads))
        segmented.append(one := segmented_once(bundle, settings, series, folder / "segmented"))
        say(f"round {number + 1}, segmentation of {slices} slices: {one.seconds:.1f} s, {one.regions} regions")
    patch = np.zeros((1, 1, *bundle.manifest.grid.patch), np.float32)
    model = onnx.load_from_string(bundle.read(bundle.manifest.graphs.segmenter))
    of_patch = operations(model, {"patch": patch}).all
    report.data["segmentation"] = f"{about}, phantom of {slices} slices of 512 × 512, {threads} cores"
    report.rows += segmentation_rows(segmented, of_patch, max(peaks), slices, threads, about)
    report.steps[f"segmentation of {slices} slices"] = _steps(segmented)
    steps_s, of_step = pretraining_steps(rounds, threads, say)
    report.rows.append(pretraining_row(steps_s, of_step, max(peaks), threads))


def segmented_once(
    bundle: SegmenterBundle, settings: InferenceSettings, series: OrderedSeries, folder: Path
) -> Segmented:
    """A series through the bundle, as the agent's step does it."""
    segmenter = Segmenter(bundle, settings, folder)
    timed = _Timed(segmenter.opened.graph)
    segmenter.opened = replace(segmenter.opened, graph=timed)
    start = time.perf_counter()
    done = segmenter.segment(series)
    seconds = time.perf_counter() - start
    return Segmented(seconds, timed.seconds, timed.runs, len(segmenter.segmentation(series, done).regions))


def segmentation_rows(
    segmented: list[Segmented], of_patch: int, peak: float, slices: int, threads: int, about: str
) -> list[Row]:
    """The whole beside its goal, and the network beside the peak; `of_patch` operations, `peak` G operations/s."""
    patches = segmented[0].patches
    ideal_s = of_patch * patches / peak / 1e9
    seconds = [one.seconds for one in segmented]
    speeds = [one.patches / one.network_s for one in segmented]
    where = f"{slices} slices of 512 × 512, {threads} cores"
    return [
        Row(
            "segmentation.study",
            f"segmentation, {where}",
            f"seconds from the files of a CT of {slices} slices to its measured regions; {about}; beside "
            f"the goal for {SLICES} slices on {CORES} cores",
            "s",
            "lower",
            median(seconds),
            "goal",
            GOAL_S,
            ideal_s,
            {"ours": seconds},
        ),
        Row(
            "segmentation.network",
            f"sliding window, {threads} cores",
            f"patches per second of the segmenter's graph in fp32, of which that CT takes {patches}: "
            f"{of_patch / 1e9:.1f} G operations each; beside what the fastest matrix products allow ({peak:.0f} G "
            f"operations/s); {about}",
            "patches/s",
            "higher",
            median(speeds),
            PEER,
            peak * 1e9 / of_patch,
            peak * 1e9 / of_patch,
            {"ours": speeds},
        ),
    ]


def pretraining_row(steps_s: list[float], of_step: int, peak: float, threads: int) -> Row:
    """A step of pretraining beside the peak."""
    speeds = [1.0 / seconds for seconds in steps_s]
    return Row(
        "segmentation.pretraining",
        f"pretraining step, {threads} cores",
        f"steps per second of the preset {PRETRAINING} in fp32 and one process (forward, backward, AdamW; batches are "
        f"made before): {of_step / 1e9:.0f} G operations each, {median(steps_s):.1f} s; beside what the fastest matrix "
        f"products allow ({peak:.0f} G operations/s)",
        "steps/s",
        "higher",
        median(speeds),
        PEER,
        peak * 1e9 / of_step,
        peak * 1e9 / of_step,
        {"ours": speeds},
    )


def pretraining_steps(rounds: int, threads: int, say: Callable[[str], None]) -> tuple[list[float], int]:
    """Seconds of some steps on a batch of noise, and the operations of one (convolutions and products, both ways)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from models.gtgm.pretrain.network import GtgmNetwork
    from models.gtgm.pretrain.preset import load_gtgm_preset

    preset, before = load_gtgm_preset(PRETRAINING), torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = GtgmNetwork(preset).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    batch = _noise(preset)

    def step() -> None:
        optimiser.zero_grad()
        network(batch).backward()
        optimiser.step()

    counter = FlopCounterMode(display=False)
    with counter:
        step()
    seconds = []
    for number in range(rounds):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
        say(f"round {number + 1}, step of pretraining: {seconds[-1]:.1f} s")
    torch.set_num_threads(before)
    return seconds, int(counter.get_total_flops())


def _noise(preset: Any) -> Any:
    """A batch of the preset's size; CT numbers of noise, of every volume another text."""
    import torch

    from models.gtgm.intensity import WINDOWS
    from models.gtgm.pretrain.batches import ViewBatch
    from models.gtgm.volume import Modality

    count, crop = preset.training.batch, preset.views.crop_voxels
    values = torch.empty(2, count, 1, *crop).uniform_(-1000.0, 600.0)
    windows = torch.tensor(WINDOWS[Modality.CT]).expand(2, count, -1, -1).clone()
    texts = tuple(f"The left lung has a volume of {100 * number} mL." for number in range(count))
    return ViewBatch(values, windows, texts, torch.arange(count))


def _steps(segmented: list[Segmented]) -> dict[str, float]:
    many: dict[str, list[float]] = defaultdict(list)
    for one in segmented:
        many["network"].append(one.network_s)
        many["slices read, grid, regions, measurements"].append(one.seconds - one.network_s)
    return {name: median(seconds) for name, seconds in many.items()}


def _bundle(settings: InferenceSettings, folder: Path) -> tuple[SegmenterBundle, str]:
    """The last segmenter that is installed, or an untrained one; and what to say of it."""
    installed = installed_bundles(settings).segmenters
    if installed:
        manifest = installed[-1].manifest
        return installed[-1], f"{manifest.name} {manifest.version}"
    return untrained(folder / "untrained", "thorax-demo"), _UNTRAINED


def untrained(folder: Path, preset_name: str, patch: tuple[int, int, int] | None = None) -> SegmenterBundle:
    """A bundle of a preset's network before any training, signed with a key that is then forgotten."""
    import torch

    from models.gtgm import export
    from models.gtgm.finetune.heads import new_segmenter
    from models.gtgm.finetune.phantoms import NAMES
    from models.gtgm.finetune.preset import load_segmenter_preset
    from models.gtgm.finetune.thorax import PATCH_IN_USE
    from models.gtgm.judged import InUse
    from models.gtgm.selftest import FILE
    from models.msvlm.export import named
    from models.msvlm.graphs import write_graph
    from models.msvlm.sign import sign_bundle, trust

    preset, patch = load_segmenter_preset(preset_name), patch or PATCH_IN_USE
    bundle = folder / f"untrained-{preset.version}"
    (bundle / "self_test").mkdir(parents=True)
    torch.manual_seed(0)
    network = new_segmenter(preset.encoder, len(NAMES)).eval()
    graph = named(write_graph(export.segmenter_export(network, patch), bundle))
    (bundle / "self_test" / FILE).write_bytes(b"")  # only its digest is looked at, as nothing was learned
    manifest = export.manifest_of(bundle, preset, {"learned_from": "Nothing."}, graph, InUse(patch))
    export.write_manifest(bundle, manifest)
    key = Ed25519PrivateKey.generate()
    sign_bundle(bundle, key)
    trust(key, "bench", folder / "keys")
    read = load_any(bundle, folder / "keys")
    assert isinstance(read, SegmenterBundle)
    return read
