"""The stages of a training run on several series, in order."""

from models.msvlm.rectal.calibrate import calibrated
from models.msvlm.rectal.export import write_series_bundle
from models.msvlm.rectal.network import SeriesNetwork, save_network
from models.msvlm.rectal.run import SeriesRun
from models.msvlm.rectal.stage_encoder import train_encoder
from models.msvlm.rectal.stage_items import train_items
from models.msvlm.rectal.stage_sentences import train_sentences
from models.msvlm.rectal.studies import SeriesStudy, encode_studies, load_studies, save_studies
from models.msvlm.stages import RunStage, console


def _encoder(run: SeriesRun, network: SeriesNetwork) -> None:
    train_encoder(run.preset, network.encoder, run.studies("encoder"), run.stage_folder("encoder"))


def encoded(run: SeriesRun, network: SeriesNetwork, split: str) -> list[SeriesStudy]:
    """Slice tokens of a split by the trained encoder; kept on disk."""
    path = run.file("tokens").with_suffix(f".{split}.pt")
    if not path.is_file():
        studies = encode_studies(network.encoder, run.preset.network, run.studies(split), run.preset.processes)
        save_studies(studies, path)
    return load_studies(path)


def _tokens(run: SeriesRun, network: SeriesNetwork) -> None:
    for split in ("reader", "validation"):
        encoded(run, network, split)


def _items(run: SeriesRun, network: SeriesNetwork) -> None:
    train_items(run.preset, network.reader, encoded(run, network, "reader"), run.stage_folder("items"))


def _decoder(run: SeriesRun, network: SeriesNetwork) -> None:
    train_sentences(network, encoded(run, network, "reader"), run.stage_folder("decoder"))


def _calibration(run: SeriesRun, network: SeriesNetwork) -> None:
    network.points = calibrated(network.reader, encoded(run, network, "validation"))
    save_network(network.eval(), run.model)


def _bundle(run: SeriesRun, network: SeriesNetwork) -> None:
    console.print(f"bundle: {write_series_bundle(network, run.out)}")


def _evaluation(run: SeriesRun, network: SeriesNetwork) -> None:
    from models.msvlm.rectal.evaluate import evaluate_staging

    evaluate_staging(run.out / f"{run.preset.name}-{run.preset.version}", run.model, run.cache)


STAGES = (
    RunStage("encoder", _encoder, ("encoder",), shared=True),
    RunStage("tokens", _tokens),
    RunStage("items", _items, ("reader",)),
    RunStage("decoder", _decoder, ("reader", "decoder")),
    RunStage("calibration", _calibration),
    RunStage("bundle", _bundle),
    RunStage("evaluation", _evaluation),
)
