"""The stages of a training run, in order; each takes the network on from where the one before left it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from rich.console import Console

from models.msvlm.distributed import rank, wait_for_all
from models.msvlm.network import Network, save_network
from models.msvlm.run import Run
from models.msvlm.stage_encoder import train_encoder
from models.msvlm.stage_results import StageResults
from models.msvlm.stage_selfsup import train_selfsup
from models.msvlm.studies import EncodedStudy, encode_studies, load_studies, save_studies
from models.msvlm.vit import load_checkpoint

console = Console()


@dataclass(frozen=True)
class RunStage:
    """A stage of a run. One that trains no parts keeps nothing and runs every time."""

    name: str
    work: Callable[[Any, Any], None]
    """Given the run and its network."""
    parts: tuple[str, ...] = ()
    """Parts of the network that it trains."""
    shared: bool = False
    """Whether all processes of a distributed run work on it; otherwise the leading one does."""


def _selfsup(run: Run, network: Network) -> None:
    if weights := run.preset.encoder.weights:
        load_checkpoint(network.encoder, weights)
    train_selfsup(run.preset, network.encoder, run.unlabelled_shards(), run.stage_folder("selfsup"))


def _encoder(run: Run, network: Network) -> None:
    train_encoder(run.preset, network.encoder, run.shards("encoder"), run.stage_folder("encoder"))


def encoded(run: Run, network: Network, split: str) -> list[EncodedStudy]:
    """Slice tokens of a split by the trained encoder; kept on disk."""
    path = run.file("tokens").with_suffix(f".{split}.pt")
    if not path.is_file():
        save_studies(encode_studies(network.encoder, run.shards(split), split, run.preset.processes), path)
    return load_studies(path)


def _tokens(run: Run, network: Network) -> None:
    for split in ("reader", "validation"):
        encoded(run, network, split)


def _masked(run: Run, network: Network) -> None:
    from models.msvlm.stage_reader import start_from_encoder, train_masked

    studies = encoded(run, network, "reader")
    start_from_encoder(network.reader, network.encoder, studies)
    train_masked(run.preset, network.reader, studies, run.stage_folder("masked"))


def _findings(run: Run, network: Network) -> None:
    from models.msvlm.stage_reader import train_findings

    studies, validation = encoded(run, network, "reader"), encoded(run, network, "validation")
    best = train_findings(run.preset, network.reader, studies, validation, run.stage_folder("findings"))
    console.print(f"findings: validation loss {best:.4f}")


def _amounts(run: Run, network: Network) -> None:
    from models.msvlm.stage_amounts import fit_amounts

    fit_amounts(network.reader, encoded(run, network, "reader"), encoded(run, network, "validation"))


def _decoder(run: Run, network: Network) -> None:
    from models.msvlm.stage_decoder import train_decoder

    loss = train_decoder(network, encoded(run, network, "reader"), run.stage_folder("decoder"))
    console.print(f"decoder: loss {loss:.4f}")


def _calibration(run: Run, network: Network) -> None:
    from models.msvlm.calibrate import calibrated

    network.points = calibrated(network.reader, encoded(run, network, "validation"))
    save_network(network.eval(), run.model)


def _bundle(run: Run, network: Network) -> None:
    from models.msvlm.export import write_bundle

    console.print(f"bundle: {write_bundle(network, run.out)}")


def _evaluation(run: Run, network: Network) -> None:
    from models.evaluation.publish import evaluate_bundle

    evaluate_bundle(run.out / f"{run.preset.name}-{run.preset.version}", run.model)


STAGES = (
    RunStage("selfsup", _selfsup, ("encoder",), shared=True),
    RunStage("encoder", _encoder, ("encoder",), shared=True),
    RunStage("tokens", _tokens),
    RunStage("masked", _masked, ("reader",)),
    RunStage("findings", _findings, ("reader",)),
    RunStage("amounts", _amounts, ("reader",)),
    RunStage("decoder", _decoder, ("reader", "decoder")),
    RunStage("calibration", _calibration),
    RunStage("bundle", _bundle),
    RunStage("evaluation", _evaluation),
)


def run_stages(run: StageResults, stages: Sequence[RunStage]) -> Any:
    """Runs what the cache does not hold yet; gives the network after the last of these stages."""
    run.folder.mkdir(parents=True, exist_ok=True)
    network = run.new_network()
    for stage in stages:
        began_s = monotonic()
        worked = _run(run, stage, network)
        wait_for_all()
        if worked and rank() == 0:
            _note_minutes(run, stage.name, (monotonic() - began_s) / 60.0)
    return network


def _run(run: StageResults, stage: RunStage, network: Any) -> bool:
    """Whether the stage had to be run."""
    if stage.parts and run.file(stage.name).is_file():
        run.load(stage.name, network)
        return False
    if rank() != 0 and not stage.shared:
        return False
    stage.work(run, network)
    if stage.parts and rank() == 0:
        run.save(stage.name, network, stage.parts)
    return True


def _note_minutes(run: StageResults, stage: str, minutes: float) -> None:
    """Prints how long a stage took and keeps it in `minutes.json`."""
    console.print(f"{stage}: {minutes:.1f} min")
    path = run.folder / "minutes.json"
    noted = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**noted, stage: round(minutes, 2)}, indent=2))
