"""Facts of any volume, of synthetic MR and of EM-like cells whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import cKDTree

from models.gtgm.facts import Fact, MixedStudy, facts_of
from models.gtgm.text import check, write
from models.gtgm.volume import LabelledVolume, Modality, UnusableVolume, Volume

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=24)


def by_id(facts: tuple[Fact, ...]) -> dict[str, float]:
    return {fact.id: fact.value for fact in facts if not isinstance(fact.value, str)}


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, SHAPES, elements=st.floats(-3000, 4000, width=32)),
    st.sampled_from(list(Modality)),
    st.tuples(*[st.floats(0.3, 9.0)] * 3),
    st.integers(0, 99),
)
def test_any_volume_gives_facts_and_a_text_that_states_them(
    values: np.ndarray, modality: Modality, spacing: tuple[float, float, float], seed: int
) -> None:
    facts = facts_of(Volume(values, spacing, modality, "T2" if modality == Modality.MR else ""))
    assert len({fact.id for fact in facts}) == len(facts)
    assert all(np.isfinite(value) for value in by_id(facts).values())
    assert check(write(facts, seed), facts) == ()


def test_the_sides_change_when_a_body_is_mirrored() -> None:
    mask, values = two_lungs()
    facts = by_id(facts_of(Volume(values, (4.0, 4.0, 4.0), Modality.CT)))
    mirrored = by_id(facts_of(Volume(np.ascontiguousarray(values[:, :, ::-1]), (4.0, 4.0, 4.0), Modality.CT)))
    assert facts["lung_volume.right"] == pytest.approx(mask[0] * 64e-6, rel=0.05)
    assert facts["lung_volume.left"] == pytest.approx(mask[1] * 64e-6, rel=0.05)
    assert mirrored["lung_volume.left"] == pytest.approx(facts["lung_volume.right"], rel=0.03)
    assert mirrored["lung_volume.right"] == pytest.approx(facts["lung_volume.left"], rel=0.03)


def two_lungs() -> tuple[tuple[int, int], np.ndarray]:
    """A cylinder of soft tissue with a large ellipsoid of lung on the right and a smaller one on the left."""
    z, y, x = np.ogrid[-30:30, -34:34, -48:48]
    values = np.full((60, 68, 96), -1000.0, np.float32)
    values[np.broadcast_to((y / 30) ** 2 + (x / 44) ** 2 < 1, values.shape)] = 40.0
    right = (z / 26) ** 2 + (y / 22) ** 2 + ((x + 22) / 16) ** 2 < 1
    left = (z / 26) ** 2 + (y / 20) ** 2 + ((x - 24) / 13) ** 2 < 1
    values[right | left] = -850.0
    return (int(right.sum()), int(left.sum())), values


def test_volumes_of_two_modalities_are_no_study() -> None:
    one = Volume(np.zeros((3, 3, 3), np.float32), (1.0, 1.0, 1.0), Modality.CT)
    with pytest.raises(MixedStudy):
        facts_of((one, replace(one, modality=Modality.MR)))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.0, 1.0, 1.0), (1.0, float("nan"), 1.0)])
def test_a_volume_without_a_usable_spacing_is_refused(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(UnusableVolume):
        Volume(np.zeros((2, 2, 2), np.float32), spacing, Modality.CT)


def test_labels_have_the_shape_of_the_volume() -> None:
    values = np.zeros((2, 2, 2), np.float32)
    with pytest.raises(UnusableVolume):
        LabelledVolume(
            values, (1.0, 1.0, 1.0), Modality.CT, labels=np.zeros((2, 2, 3), np.uint8), names=("background",)
        )


def mr_study() -> tuple[Volume, Volume, Volume]:
    """A pelvis-like cylinder with a ball at the left that is bright on DWI b800 and dark on ADC."""
    rng = np.random.default_rng(1)
    z, y, x = np.ogrid[-12:12, -40:40, -50:50]
    body = np.broadcast_to((y / 34) ** 2 + (x / 44) ** 2 < 1, (24, 80, 100))
    ball = (z * 3.0) ** 2 + (y * 2.0 - 20) ** 2 + (x * 2.0 - 30) ** 2 < 12.0**2
    spacing = (3.0, 2.0, 2.0)

    def volume(usual: float, inside: float, sequence: str) -> Volume:
        values = np.where(ball, inside, np.where(body, usual, 0.0)) + rng.normal(0, 4.0, body.shape)
        return Volume(np.abs(values).astype(np.float32), spacing, Modality.MR, sequence)

    return volume(200, 160, "T2"), volume(100, 300, "DWI b800"), volume(1500, 700, "ADC")


def test_diffusion_is_read_across_the_sequences_of_a_study() -> None:
    facts = facts_of(mr_study())
    values, places = by_id(facts), {fact.id: fact.place for fact in facts}
    assert values["diffusion_volume"] == pytest.approx(7.24, rel=0.15)  # a ball of 12 mm
    assert places["diffusion_volume"].startswith("left") and "back" in places["diffusion_volume"]
    assert values["diffusion_ratio"] == pytest.approx(0.47, abs=0.1)
    assert {fact.of for fact in facts} == {"T2", "DWI b800", "ADC", ""}
    for seed in range(40):
        assert check(write(facts, seed), facts) == ()


def test_without_a_dark_adc_diffusion_is_not_restricted() -> None:
    _, dwi, adc = mr_study()
    even = replace(adc, values=np.where(adc.values > 300, np.float32(1500), adc.values))
    assert by_id(facts_of((dwi, even)))["diffusion_volume"] == 0.0


def cells(stretch: tuple[float, float, float], count: int, side: int = 72) -> tuple[np.ndarray, float]:
    """Voronoi cells with dark walls, stretched along the axes; the image and the share of walls."""
    rng = np.random.default_rng(3)
    seeds = rng.uniform(0, side, (count, 3)) / stretch
    voxels = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3) / stretch
    distance, _ = cKDTree(seeds).query(voxels, k=2)
    wall = (distance[:, 1] - distance[:, 0] < 2.4).reshape(side, side, side)
    values = np.where(wall, 60.0, 160.0) + rng.normal(0.0, 8.0, wall.shape)
    return values.astype(np.float32), float(wall.mean())


@pytest.mark.parametrize("count", [40, 120])
def test_cells_of_known_size_are_measured(count: int) -> None:
    values, wall = cells((1.0, 1.0, 1.0), count)
    facts = by_id(facts_of(Volume(values, (1e-5,) * 3, Modality.EM)))
    assert facts["membrane_share"] == pytest.approx(100.0 * wall, rel=0.15)
    volume_um3 = (72 * 0.01) ** 3
    assert facts["object_density"] * volume_um3 == pytest.approx(count, rel=0.5)
    diameter_nm = (6.0 / np.pi * (1.0 - wall) * volume_um3 / count) ** (1 / 3) * 1000.0
    assert facts["object_diameter"] == pytest.approx(diameter_nm, rel=0.3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_direction_of_stretched_cells_is_found(axis: int) -> None:
    stretch = tuple(4.0 if other == axis else 1.0 for other in range(3))
    facts = facts_of(Volume(cells(stretch, 60)[0], (1e-5,) * 3, Modality.EM))  # type: ignore[arg-type]
    round_facts = facts_of(Volume(cells((1.0, 1.0, 1.0), 60)[0], (1e-5,) * 3, Modality.EM))
    words = {fact.id: fact.value for fact in facts}
    assert words["orientation"] == "zyx"[axis]
    assert float(words["orientation_strength"]) > 2.0 * by_id(round_facts)["orientation_strength"]
