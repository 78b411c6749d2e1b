"""The nodule sampler against the annotations it condenses."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.lidc import Texture, sample_nodule, sample_nodule_count, statistics
from models.datasets.lidc_table import nodules, read_annotations, summarise


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(3.0, 20.0), st.floats(1.0, 30.0), st.floats(0.0, 1.0))
def test_nodules_lie_between_the_asked_diameters_and_keep_the_scale_of_the_scores(seed, smallest, width, flat):
    nodule = sample_nodule(np.random.default_rng(seed), smallest, smallest + width, flat)
    assert smallest - 1e-6 <= nodule.diameter_mm <= smallest + width + 1e-6
    for score in (nodule.sphericity, nodule.margin, nodule.lobulation, nodule.spiculation):
        assert 1.0 <= score <= 5.0
    assert 0.8 < nodule.elongation < 3.0


def test_a_range_without_nodules_is_refused():
    with pytest.raises(ValueError, match="wider range"):
        sample_nodule(np.random.default_rng(0), 70.0, 80.0)


def test_the_sampler_repeats_the_table():
    rng = np.random.default_rng(1)
    drawn = [sample_nodule(rng) for _ in range(2000)]
    counts = np.array(statistics()["counts"])
    solid = counts[:, list(Texture).index(Texture.SOLID)].sum() / counts.sum()
    assert abs(np.mean([n.texture == Texture.SOLID for n in drawn]) - solid) < 0.04
    small = counts[: statistics()["diameter_edges_mm"].index(8.0)].sum() / counts.sum()
    assert abs(np.mean([n.diameter_mm < 8.0 for n in drawn]) - small) < 0.04
    assert min(sample_nodule_count(rng) for _ in range(200)) == 1


def _annotation(col: float, z: float, diameter: float = 6.0, texture: int = 5) -> dict[str, str]:
    scores = dict.fromkeys(("sphericity", "margin", "lobulation", "spiculation"), "4")
    place = {"centroid_col_px": str(col), "centroid_row_px": "200", "centroid_z_mm": str(z), "pixel_spacing": "0.7"}
    size = {"equiv_diam_mm": str(diameter), "max_axial_diam_mm": str(1.2 * diameter)}
    return {"series_uid": "1.2", "texture": str(texture), "calcification": "6", **scores, **place, **size}


def test_readers_who_outlined_the_same_nodule_are_counted_once():
    rows = [_annotation(100, 0), _annotation(101, 1), _annotation(100, 30), _annotation(300, 0)]
    assert sorted(len(group) for group in nodules(rows)) == [1, 1, 2]


@pytest.mark.real_images
def test_the_table_is_the_one_that_the_annotations_give(shared_data: Path):
    assert summarise(read_annotations(shared_data / "lidc" / "lidc_reader_annotations.csv.gz")) == statistics()
