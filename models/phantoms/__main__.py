"""Writes phantoms as DICOM: `python -m models.phantoms OUT_DIR --seed 7 --slices 90 --findings lung_nodule`."""

from pathlib import Path

import click

from models.phantoms import FINDINGS, Finding, generate
from models.phantoms.dicom import write_series


def parse_findings(text: str | None) -> frozenset[Finding] | None:
    """Findings by key, separated by commas; "none" for a normal study, nothing for random ones. Raises BadParameter."""
    if text is None:
        return None
    keys = [key.strip() for key in text.split(",") if key.strip() and key.strip() != "none"]
    unknown = [key for key in keys if key not in set(FINDINGS)]
    if unknown:
        raise click.BadParameter(f"unknown finding {unknown[0]!r}; choose from {', '.join(FINDINGS)}, or none")
    return frozenset(Finding(key) for key in keys)


@click.command()
@click.argument("out_dir", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", default=1, show_default=True)
@click.option("--slices", type=click.IntRange(2, 2000), default=None, help="60 to 120 by the seed unless given.")
@click.option("--findings", default=None, help='Keys separated by commas, or "none"; random unless given.')
@click.option("--size", "size_px", type=click.IntRange(64, 1024), default=512, show_default=True, help="Rows, columns.")
def main(out_dir: Path, seed: int, slices: int | None, findings: str | None, size_px: int) -> None:
    """Writes one thorax CT phantom as a DICOM series with truth.json."""
    phantom = generate(seed, slices=slices, size_px=size_px, findings=parse_findings(findings))
    paths = write_series(phantom, out_dir)
    click.echo(f"{len(paths)} slices in {out_dir}\n{phantom.report}")


if __name__ == "__main__":
    main()
