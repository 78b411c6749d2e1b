"""Measures what unreported studies give MS-VLM's findings when few studies have a report.

    python -m models.gtgm.sequence --bundle models/bundles/NAME --studies 200 --held-out 100 --seeds 3

Phantoms are rendered and go through the slice encoder of the bundle, by onnxruntime; no checkpoint is needed. Tokens
and the logits of every trained reader are kept, so a run that was cut goes on. OUT/sequence.json and OUT/sequence.md
hold what is measured so far.
"""

from dataclasses import replace
from pathlib import Path

import click
import torch

from models.datasets.phantoms import PhantomSource
from models.gtgm.sequence.effect import Schedule
from models.gtgm.sequence.measurement import TOKENS, Measurement, publish
from models.gtgm.sequence.tokens import TokenMaker
from models.msvlm.preset import Preset, load_preset
from models.msvlm.runtime import read_manifest


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--preset", "preset_name", default="cpu-demo", show_default=True, help="Sizes that the bundle has.")
@click.option("--studies", default=200, show_default=True, help="Phantoms to learn from without a report.")
@click.option("--held-out", default=100, show_default=True, help="Phantoms on which the findings are scored.")
@click.option("--share", default=Schedule.share, show_default=True, help="Of the studies, that have a report.")
@click.option("--seeds", default=3, show_default=True, help="How many, each with its own draw of the reports.")
@click.option("--tokens", "kinds", type=click.Choice([*TOKENS]), multiple=True, help="By default both.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path(".cache/gtgm/sequence"), show_default=True)
def main(
    bundle: Path,
    preset_name: str,
    studies: int,
    held_out: int,
    share: float,
    seeds: int,
    kinds: tuple[str, ...],
    threads: int,
    out: Path,
) -> None:
    """Trains readers with and without the term on few reports, and compares their findings."""
    torch.set_num_threads(threads)
    preset, manifest = load_preset(preset_name), read_manifest(bundle)
    if preset.network.token_width != manifest.token_width:
        raise click.UsageError(
            f"{bundle.name} has tokens of {manifest.token_width} numbers, not those of {preset_name}"
        )
    learning, scoring = (
        replace(PhantomSource.of_split(preset.data, split), seeds=phantoms(preset, split, count))
        for split, count in (("reader", studies), ("test", held_out))
    )
    makers = TokenMaker(bundle, preset.network), TokenMaker(bundle, preset.network, described=False)
    whole = Measurement(
        kind="whole",
        preset=preset,
        schedule=Schedule(share),
        studies=makers[0].studies(learning, out / "tokens"),
        held_out=makers[1].studies(scoring, out / "tokens"),
        blank=torch.tensor(manifest.blank_token),
        out=out,
        made_from="".join(m.folder(s, out).name for m, s in zip(makers, (learning, scoring), strict=True)),
    )
    measurements = [Measurement.of_kind(kind, whole) for kind in kinds or TOKENS]
    for seed in range(seeds):
        for measurement in measurements:
            measurement.measure(seed)
            click.echo(publish(measurements, range(seeds), bundle.name, out))


def phantoms(preset: Preset, split: str, count: int) -> range:
    """The first seeds of a split."""
    first = PhantomSource.of_split(preset.data, split).seeds.start
    return range(first, first + count)


if __name__ == "__main__":
    main()
