"""The stages of a training run on several series, in order."""

from models.msvlm.rectal.archive_report import archive_summary, learned_from, rows_of, write_rows
from models.msvlm.rectal.archive_tokens import ArchiveTokens, archive_tokens
from models.msvlm.rectal.calibrate import calibrated
from models.msvlm.rectal.export import Learned, write_series_bundle
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


def learned_tokens(run: SeriesRun, network: SeriesNetwork) -> tuple[ArchiveTokens, ArchiveTokens]:
    """Of the archive's studies those of the reader, and those that calibrate."""
    return archive_tokens(run, network, "reader"), archive_tokens(run, network, "validation")


def archived(run: SeriesRun, network: SeriesNetwork, split: str) -> list[SeriesStudy]:
    """The same of the archive's studies; none where there is no archive."""
    return archive_tokens(run, network, split).studies if run.archive else []


def _tokens(run: SeriesRun, network: SeriesNetwork) -> None:
    for split in ("reader", "validation"):
        encoded(run, network, split)
    if run.archive:
        both = learned_tokens(run, network)
        rows = rows_of(run.archive, both)
        write_rows(rows, run.folder / "archive-learned.tsv")
        console.print(archive_summary(run.archive, rows))
        learned_from(run.archive, *both)


def _items(run: SeriesRun, network: SeriesNetwork) -> None:
    studies, own = encoded(run, network, "reader"), archived(run, network, "reader")
    share = run.archive.share if run.archive else 0.0
    train_items(run.preset, network.reader, studies, run.stage_folder("items"), own, share)


def _decoder(run: SeriesRun, network: SeriesNetwork) -> None:
    studies = encoded(run, network, "reader") + archived(run, network, "reader")
    train_sentences(network, studies, run.stage_folder("decoder"))


def _calibration(run: SeriesRun, network: SeriesNetwork) -> None:
    studies, own = encoded(run, network, "validation"), archived(run, network, "validation")
    network.points = calibrated(network.reader, studies, own)
    save_network(network.eval(), run.model)


def _bundle(run: SeriesRun, network: SeriesNetwork) -> None:
    learned = learned_from(run.archive, *learned_tokens(run, network)) if run.archive else Learned()
    console.print(f"bundle: {write_series_bundle(network, run.name, run.out, learned)}")


def _evaluation(run: SeriesRun, network: SeriesNetwork) -> None:
    from models.msvlm.rectal.evaluate import evaluate_staging

    evaluate_staging(run.bundle, run.model, run.cache, run.archive)


STAGES = (
    RunStage("encoder", _encoder, ("encoder",), shared=True),
    RunStage("tokens", _tokens),
    RunStage("items", _items, ("reader",)),
    RunStage("decoder", _decoder, ("reader", "decoder")),
    RunStage("calibration", _calibration),
    RunStage("bundle", _bundle),
    RunStage("evaluation", _evaluation),
)
