"""Condenses the reader annotations of LIDC-IDRI into the small table that `models.datasets.lidc` samples from.

`python -m models.datasets.lidc_table ../shared/data/lidc/lidc_reader_annotations.csv.gz` writes
`lidc_statistics.json` anew. Source: LIDC-IDRI (Armato et al., Med. Phys. 38(2), 2011; TCIA, CC BY 3.0): 1,018 scans,
each outlined and scored by up to four radiologists. Outlines of the same nodule are joined here and their scores
averaged, so that a nodule counts once however many readers saw it.
"""

import csv
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

DIAMETER_EDGES_MM = (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0, 30.0, 60.0)
SCORES = ("sphericity", "margin", "lobulation", "spiculation")
TEXTURES = ("ground glass", "part solid", "solid")
CALCIFICATIONS = ("popcorn", "laminated", "solid", "eccentric", "central", "none")
"""In the order of LIDC's codes 1 to 6."""
ELONGATION_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CREDIT = "LIDC-IDRI, The Cancer Imaging Archive, doi:10.7937/K9/TCIA.2015.LO9QL9SX, CC BY 3.0"

Row = dict[str, str]


def _same_nodule(a: Row, b: Row) -> bool:
    """Outlines whose centres lie closer than the larger one's radius, or 3 mm, are of one nodule."""
    pixel = float(a["pixel_spacing"])
    gap = (
        (float(a["centroid_col_px"]) - float(b["centroid_col_px"])) * pixel,
        (float(a["centroid_row_px"]) - float(b["centroid_row_px"])) * pixel,
        float(a["centroid_z_mm"]) - float(b["centroid_z_mm"]),
    )
    reach = max(3.0, 0.5 * max(float(a["equiv_diam_mm"]), float(b["equiv_diam_mm"])))
    return float(np.linalg.norm(gap)) < reach


def nodules(rows: list[Row]) -> Iterator[list[Row]]:
    """The readers' annotations grouped by nodule."""
    by_scan: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_scan[row["series_uid"]].append(row)
    for scan in by_scan.values():
        groups: list[list[Row]] = []
        for row in scan:
            group = next((g for g in groups if any(_same_nodule(row, other) for other in g)), None)
            if group is None:
                groups.append([row])
            else:
                group.append(row)
        yield from groups


def _texture(score: float) -> int:
    """LIDC texture 1 is non-solid, 3 part solid, 5 solid."""
    return 0 if score <= 2.0 else 1 if score <= 3.75 else 2


def _average(group: list[Row], name: str) -> float:
    return float(np.mean([float(row[name]) for row in group]))


def _calcification(group: list[Row]) -> int:
    codes = np.bincount([int(row["calcification"]) for row in group], minlength=7)
    return int(codes[1:].argmax())


def summarise(rows: list[Row]) -> dict[str, Any]:
    """The table: for every class of diameter the textures, and for every texture the readers' scores."""
    bins, textures = len(DIAMETER_EDGES_MM) - 1, len(TEXTURES)
    counts = np.zeros((bins, textures), int)
    scores = {name: np.zeros((bins, textures, 5), int) for name in SCORES}
    calcified = np.zeros((bins, len(CALCIFICATIONS)), int)
    elongation: list[list[float]] = [[] for _ in range(bins)]
    per_scan: dict[str, int] = defaultdict(int)
    right = total = 0
    for group in nodules(rows):
        diameter = _average(group, "equiv_diam_mm")
        if not DIAMETER_EDGES_MM[0] <= diameter < DIAMETER_EDGES_MM[-1]:
            continue
        size = int(np.searchsorted(DIAMETER_EDGES_MM, diameter, side="right")) - 1
        texture = _texture(_average(group, "texture"))
        counts[size, texture] += 1
        for name in SCORES:
            scores[name][size, texture, int(np.clip(np.rint(_average(group, name)), 1, 5)) - 1] += 1
        calcified[size, _calcification(group)] += 1
        elongation[size].append(_average(group, "max_axial_diam_mm") / diameter)
        per_scan[group[0]["series_uid"]] += 1
        right += _average(group, "centroid_col_px") < 256.0
        total += 1
    return {
        "credit": CREDIT,
        "nodules": total,
        "scans_with_nodules": len(per_scan),
        "right_share": round(right / total, 3),
        "nodules_per_scan": np.bincount(list(per_scan.values())).tolist(),
        "diameter_edges_mm": list(DIAMETER_EDGES_MM),
        "textures": list(TEXTURES),
        "calcifications": list(CALCIFICATIONS),
        "counts": counts.tolist(),
        "scores": {name: table.tolist() for name, table in scores.items()},
        "calcified": calcified.tolist(),
        "elongation_quantiles": list(ELONGATION_QUANTILES),
        "elongation": [np.quantile(ratios, ELONGATION_QUANTILES).round(3).tolist() for ratios in elongation],
    }


def read_annotations(path: Path) -> list[Row]:
    """The rows of `lidc_reader_annotations.csv.gz`."""
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    table = summarise(read_annotations(Path(sys.argv[1])))
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
    Path(__file__).with_name("lidc_statistics.json").write_text(f"{{\n{lines}\n}}\n")
