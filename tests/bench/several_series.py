"""Last image → results in the PACS: an MR study of six series that are read together, beside a CT of as many slices.

Both have 120 slices, come at full speed from one sender, and are read by the same agent with its default settings but
for a quiet time of one second, which is subtracted. The CT's slices are read ahead as they come, those of several
series once the study pauses. The MR is a phantom of the pelvis. Where no model of task `staging` is installed, an
untrained network of the demo's shape stands for it: what it says is noise, the time it takes does not depend on that.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pydicom
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pacs_agent.config import InferenceSettings, Settings
from pacs_agent.inference import installed_bundles
from tests.bench.report import Report, Row
from tests.bench.streaming import QUIET_S, Hospital, Way, hospital, series_of, verify_models
from tests.peers import Missing
from tests.peers.studies import copies

SLICES = 120
SERIES = range(2, 8)
"""Numbers of the phantom's series that are sent: T2 in three planes, two b-values, ADC, T1."""
SEED = 5
PRESET = "rectal-mr-demo"
RULES = """rules:
- {name: ct, when: {attribute: Modality, equals: CT}, pipeline: msvlm, destinations: [pacs]}
- {name: mr, when: {attribute: Modality, equals: MR}, pipeline: staging, destinations: [pacs]}"""
WHAT = (
    f"last image acknowledged → both result objects in Orthanc, less the quiet time; {SLICES} slices at full speed, "
    "all new: six series of pelvic MR read together; peer: one chest CT series of 512 × 512, the same agent, read ahead"
)
UNTRAINED = "no model of task staging is installed: an untrained network of the demo's shape"


@dataclass(frozen=True)
class Models:
    """Where the models lie, whose signatures are trusted, and what is to be said of them."""

    settings: InferenceSettings
    note: str = ""

    @property
    def section(self) -> dict[str, str]:
        """The same in an agent's settings."""
        return {"bundles_dir": str(self.settings.bundles_dir), "trusted_keys": str(self.settings.trusted_keys)}


def run(report: Report, ct: Sequence[Path], rounds: int, folder: Path, say: Callable[[str], None]) -> None:
    """Adds the row `series.turnaround`. Raises Missing without torch, of which phantom and network are made."""
    if find_spec("torch") is None:
        raise Missing("torch is not here: pip install -e '.[train]'")
    folder.mkdir(parents=True, exist_ok=True)
    models = with_staging(folder / "models")
    studies = {"MR": pelvis(folder / "pelvis"), "CT": series_of(ct, SLICES, folder / "chest")}
    ways: dict[str, list[Way]] = {"MR": [], "CT": []}
    verified = verify_models(folder / "verified", models.settings)
    with hospital(folder / "site", verified, ahead=True, rules=RULES, models=models.section) as place:
        for number in range(rounds + 1):
            for kind, study in studies.items():
                way = _read(place, study, folder / f"{kind}-{number}")
                steps = ", ".join(f"{step} {seconds:.2f}" for step, seconds in way.steps.items())
                say(f"{kind} of {SLICES} slices{', warm-up' * (number == 0)}: {way.seconds:.2f} s ({steps})")
                if number:
                    ways[kind].append(way)
    report.rows.append(row(ways))
    for kind, taken in ways.items():
        steps = {step: median(way.steps.get(step, 0.0) for way in taken) for step in taken[0].steps}
        report.steps[f"{kind} of {SLICES} slices"] = steps
    report.data["several series"] = f"{rounds} studies of each kind, quiet time {QUIET_S:g} s" + (
        f"; {models.note}" if models.note else ""
    )


def row(ways: dict[str, list[Way]]) -> Row:
    """The medians beside each other."""
    seconds = {kind: [way.seconds for way in taken] for kind, taken in ways.items()}
    label, peer = f"six MR series, {SLICES} slices", f"one CT series, {SLICES} slices"
    values = {"ours": seconds["MR"], peer: seconds["CT"]}
    ours, theirs = median(seconds["MR"]), median(seconds["CT"])
    return Row("series.turnaround", label, WHAT, "s", "lower", ours, peer, theirs, rounds=values)


def _read(place: Hospital, study: Sequence[Path], folder: Path) -> Way:
    return place.read(copies(study, folder, len(study), label=folder.name), 0.0)


def pelvis(folder: Path) -> list[Path]:
    """The middle slices of six series of a phantom, as many of each; of the series of two b-values half of each."""
    from models.phantoms.pelvis import generate_pelvis
    from models.phantoms.pelvis.dicom import write_study

    written = write_study(generate_pelvis(SEED, t_stage=3), folder)
    each = SLICES // len(SERIES)
    chosen = []
    for number in SERIES:
        stacks: dict[float | None, list[Path]] = {}
        for path in written:
            if path.name.startswith(f"S{number:02d}_"):
                header = pydicom.dcmread(path, stop_before_pixels=True)
                stacks.setdefault(header.get("DiffusionBValue"), []).append(path)
        for stack in stacks.values():
            count = each // len(stacks)
            first = (len(stack) - count) // 2
            chosen += stack[first : first + count]
    return chosen


def with_staging(folder: Path) -> Models:
    """The installed models, beside them an untrained one of task `staging` where none is installed."""
    installed = Settings().inference
    if installed_bundles(installed).staging:
        return Models(installed)
    bundles, keys = folder / "bundles", folder / "keys"
    shutil.copytree(installed.bundles_dir, bundles)
    shutil.copytree(installed.trusted_keys, keys)
    _write_untrained(bundles, keys)
    return Models(installed.model_copy(update={"bundles_dir": bundles, "trusted_keys": keys}), UNTRAINED)


def _write_untrained(bundles: Path, keys: Path) -> None:
    import torch

    from models.msvlm.rectal.export import Learned, write_series_bundle
    from models.msvlm.rectal.network import new_series_network
    from models.msvlm.rectal.preset import PRESETS, load_series_preset
    from models.msvlm.sign import release, trust

    torch.manual_seed(0)
    network = new_series_network(load_series_preset(PRESETS / PRESET)).eval()
    key = Ed25519PrivateKey.generate()
    release(write_series_bundle(network, "untrained", bundles, Learned(training_data="Nothing.")), key)
    trust(key, "bench", keys)
