"""The pictures of an evaluation, as small PNG files: ROC curves, reliability, bars per finding, evidence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_curve

from models.evaluation.heldout import stored_series
from models.evaluation.outcomes import Measured
from models.evaluation.realcases import ReadCase
from models.msvlm.labels import LABELS
from models.msvlm.runtime import BundleRuntime
from models.phantoms.findings import FINDINGS, Finding

mpl.use("Agg")
NAMES = [label.name for label in LABELS]
DPI = 70
COLOURED = 24
"""Difference of a pixel's channels from which it is coloured."""
GREYS, COLOURS = 64, 48
WINDOWS = {"lung": (-1350.0, 150.0), "soft": (-160.0, 240.0)}
LUNG = frozenset(
    {
        *(Finding.LUNG_NODULE, Finding.LUNG_OPACITY, Finding.CONSOLIDATION, Finding.ATELECTASIS, Finding.EMPHYSEMA),
        *(Finding.FIBROTIC_SEQUELA, Finding.MOSAIC_ATTENUATION, Finding.SEPTAL_THICKENING, Finding.BRONCHIECTASIS),
        Finding.PERIBRONCHIAL_THICKENING,
    }
)
EXAMPLES = (
    Finding.LUNG_NODULE,
    Finding.CONSOLIDATION,
    Finding.FIBROTIC_SEQUELA,
    Finding.BRONCHIECTASIS,
    Finding.PLEURAL_EFFUSION,
    Finding.LYMPHADENOPATHY,
    Finding.CORONARY_CALCIFICATION,
    Finding.HIATAL_HERNIA,
)


def save(picture: Picture, path: Path) -> Path:
    """Writes a picture with a palette of few colours, which keeps it small."""
    picture.savefig(path, dpi=DPI, bbox_inches="tight")
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.quantize(palette=_palette(image), dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def _palette(image: Image.Image) -> Image.Image:
    """Greys, and colours chosen from the coloured pixels alone: a thin outline keeps its own."""
    pixels = np.asarray(image).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels, axis=1) > COLOURED]
    values = [level for level in np.linspace(0, 255, GREYS).astype(int).tolist() for _ in range(3)]
    if len(coloured):
        chosen = Image.fromarray(coloured[None]).quantize(COLOURS).getpalette() or []
        values += chosen[: 3 * COLOURS]
    palette = Image.new("P", (1, 1))
    palette.putpalette(values + values[-3:] * (256 - len(values) // 3))
    return palette


def roc_picture(measured: Measured) -> Picture:
    """A ROC curve per finding."""
    picture = Picture(figsize=(9, 15), layout="constrained")
    axes = picture.subplots(6, 3, sharex=True, sharey=True).ravel()
    for number, axis in enumerate(axes):
        labels = measured.labels[:, number]
        axis.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        if 0 < labels.sum() < len(labels):
            false, true, _ = roc_curve(labels, measured.probabilities[:, number])
            axis.plot(false, true, color="tab:blue")
        axis.set_title(NAMES[number], fontsize=9)
    picture.supxlabel("false positive rate")
    picture.supylabel("true positive rate")
    return picture


def reliability_picture(bins: Sequence[dict[str, Any]]) -> Picture:
    """Frequency against probability, and how many statements each bin holds."""
    picture = Picture(figsize=(5, 5.5), layout="constrained")
    curve, counts = picture.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    curve.plot([0, 1], [0, 1], color="0.8")
    curve.plot([row["probability"] for row in bins], [row["frequency"] for row in bins], marker="o")
    curve.set_ylabel("share that is there")
    counts.bar([row["probability"] for row in bins], [row["count"] for row in bins], width=0.06)
    counts.set_yscale("log")
    counts.set_ylabel("statements")
    counts.set_xlabel("calibrated probability")
    return picture


def findings_picture(rows: dict[str, dict[str, Any]]) -> Picture:
    """AUROC of each finding with its interval, the baselines beside it, and the text's F1."""
    picture = Picture(figsize=(9, 7), layout="constrained")
    area, text = picture.subplots(1, 2, sharey=True)
    places = np.arange(len(rows))[::-1]
    figures = [row["auroc"] for row in rows.values()]
    values = np.array([np.nan if f["value"] is None else f["value"] for f in figures])
    ends = np.array([[f["low"] or v, f["high"] or v] for f, v in zip(figures, values, strict=True)])
    area.barh(places, values, xerr=np.abs(ends - values[:, None]).T, height=0.6, color="tab:blue", error_kw={"lw": 1})
    for name, mark in (("top_three_slices", "x"), ("pooled_regression", "+")):
        others = [row["baseline_auroc"].get(name) for row in rows.values()]
        area.plot(
            [np.nan if v is None else v for v in others], places, mark, color="black", label=name.replace("_", " ")
        )
    area.set_xlim(min(0.5, float(np.nanmin(values)) - 0.05), 1.0)
    area.set_yticks(places, NAMES)
    area.set_xlabel("AUROC (95 % interval)")
    area.legend(loc="lower left", fontsize=8)
    text.barh(places, [row["report"]["f1"] for row in rows.values()], height=0.6, color="tab:green")
    text.set_xlim(0, 1)
    text.set_xlabel("F1 of the text")
    return picture


def evidence_picture(runtime: BundleRuntime, measured: Measured, source: Any) -> Picture:
    """For some findings the heaviest slice of a study that has it, with the heat, and the truth as an outline."""
    picture = Picture(figsize=(12, 6.4), layout="constrained")
    axes = picture.subplots(2, 4).ravel()
    for finding, axis in zip(EXAMPLES, axes, strict=True):
        axis.set_axis_off()
        number = FINDINGS.index(finding)
        having = [i for i, study in enumerate(measured.studies) if study.located[number]]
        if having:
            chosen = having[len(having) // 2]
            _show_example(
                axis, runtime, source.study(chosen), number, measured.said[chosen].outputs.slice_weights[number]
            )
    return picture


def _show_example(axis: Axes, runtime: BundleRuntime, study: Any, number: int, weights: NDArray[np.float32]) -> None:
    finding, index = FINDINGS[number], int(weights.argmax())
    series = stored_series(study)
    one = type(series)(series.stored[[index]], series.slope, series.intercept, series.spacing_mm, series.z_mm[[index]])
    _, grids, centres = runtime.encode(one)
    show_slice(axis, study.hu[index], study.spacing_mm, finding)
    extent = field_extent_px(runtime, centres[0], study.spacing_mm)
    heat = 1.0 / (1.0 + np.exp(-grids[0, number]))
    axis.imshow(
        heat, extent=extent, cmap="inferno", alpha=0.6 * heat / max(float(heat.max()), 1e-3), interpolation="bilinear"
    )
    axis.set_xlim(-0.5, study.hu.shape[2] - 0.5)
    axis.set_ylim(study.hu.shape[1] - 0.5, -0.5)
    mask = study.masks[finding][index]
    if mask.any():
        axis.contour(mask, levels=[0.5], colors="cyan", linewidths=0.8)
    axis.set_title(f"{NAMES[number]}\nslice {index + 1} of {len(study.hu)}", fontsize=9)


def field_extent_px(
    runtime: BundleRuntime, centre_px: NDArray[np.float32], spacing_mm: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the encoder's field in pixels of the stored slice."""
    half = [runtime.manifest.field_px[axis] * runtime.manifest.pixel_mm / spacing_mm[axis] / 2.0 for axis in (0, 1)]
    row, column = (float(value) for value in centre_px)
    return column - half[1], column + half[1], row + half[0], row - half[0]


def show_slice(axis: Axes, hu: NDArray[np.int16], spacing_mm: tuple[float, float], finding: Finding) -> None:
    """A slice in the window in which the finding is looked for."""
    low, high = WINDOWS["lung" if finding in LUNG else "soft"]
    axis.imshow(hu, cmap="gray", vmin=low, vmax=high, aspect=spacing_mm[0] / spacing_mm[1])
    axis.set_axis_off()


def cases_picture(cases: Sequence[ReadCase]) -> Picture:
    """The real cases: the heaviest slice for what is known to be there, with the readers' outline if any."""
    picture = Picture(figsize=(4 * len(cases), 4.4), layout="constrained")
    axes = np.atleast_1d(picture.subplots(1, len(cases)))
    for one, axis in zip(cases, axes, strict=True):
        finding = one.case.expected[0]
        number = FINDINGS.index(finding)
        index = int(one.weights[number].argmax())
        show_slice(axis, one.volume.hu[index], one.volume.spacing_mm, finding)
        if one.outline is not None and one.outline[index].any():
            axis.contour(one.outline[index], levels=[0.5], colors="cyan", linewidths=0.8)
        p = one.said.findings[number].probability
        axis.set_title(
            f"{one.name}: {NAMES[number].lower()} {p:.2f},\nslice {index + 1} of {len(one.volume.hu)}", fontsize=9
        )
    return picture
