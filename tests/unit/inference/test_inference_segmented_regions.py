import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_agent.imaging.regrid import even_lattice, grid_over, onto_grid
from pacs_agent.inference import segmented_regions
from pacs_agent.inference.reading import Code
from pacs_agent.inference.segmented_regions import Midline, regions_of
from pacs_agent.inference.segmenter_manifest import StructureEntry

CODE = Code(value="1", scheme="99X", meaning="x")
SOURCE = even_lattice((30, 60, 80), (2.0, 1.0, 1.0))
GRID = grid_over(SOURCE, (2.0, 2.0, 2.0))
MIDDLE = Midline(2, True, 19.5)


def entry(key: str, **changes: object) -> StructureEntry:
    facts = {"name": key, "category": CODE, "type": CODE, "colour": (1, 2, 3), "kind": "organ"}
    return StructureEntry.model_validate({"key": key, **facts, **changes})


def ball(centre: tuple[float, float, float], radius_mm: float):
    z, y, x = np.meshgrid(*SOURCE.axes, indexing="ij")
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius_mm**2


def found(masks, *entries, midline=MIDDLE):
    on_grid = [onto_grid(mask, SOURCE, GRID) for mask in masks]
    background = 1 - sum(on_grid)
    return regions_of(np.stack([background, *on_grid]).astype(np.float16), SOURCE, GRID, entries, midline)


def volume_of(region) -> int:
    return int(region.crop.sum())


def test_a_paired_organ_has_two_sides_the_right_first() -> None:
    right, left = ball((30, 30, 20), 15), ball((30, 30, 60), 12)
    first, second = found([right | left], entry("lung", laterality=True))
    assert (first.side, first.number, second.side, second.number) == ("right", 1, "left", 2)
    assert volume_of(first) == pytest.approx(right.sum(), rel=0.03)
    assert (first.mask(SOURCE.shape) & right).sum() > 0.97 * right.sum()
    assert not (first.mask(SOURCE.shape) & second.mask(SOURCE.shape)).any()


def test_where_left_is_follows_the_axis() -> None:
    only = ball((30, 30, 20), 15)
    assert [one.side for one in found([only], entry("lung", laterality=True))] == ["right"]
    turned = found([only], entry("lung", laterality=True), midline=Midline(2, False, 19.5))
    assert [one.side for one in turned] == ["left"]


def test_lungs_that_touch_are_parted_where_they_are_thin() -> None:
    """The bridge lies off the midline: the midline alone would cut a lung."""
    right, left = ball((30, 30, 18), 15), ball((30, 30, 52), 19.0)
    both = right | left
    both[14:16, 29:31, 30:40] = True
    first, second = found([both], entry("lung", laterality=True), midline=Midline(2, True, 21.0))
    assert (first.mask(SOURCE.shape) & right).sum() > 0.97 * right.sum()
    assert (second.mask(SOURCE.shape) & left).sum() > 0.97 * left.sum()


def test_one_mass_across_the_middle_is_cut_at_the_midline() -> None:
    first, second = found([ball((30, 30, 39.5), 18)], entry("lung", laterality=True))
    assert volume_of(first) == pytest.approx(volume_of(second), rel=0.1)


def test_lesions_come_one_by_one_the_largest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    balls = [ball((12, 15, 15), 6), ball((44, 40, 60), 9), ball((44, 15, 20), 4)]
    lesion = entry("nodule", kind="lesion", laterality=True)
    regions = found([sum(balls) > 0], lesion)
    assert [(one.number, one.side) for one in regions] == [(1, "left"), (2, "right"), (3, "right")]
    assert [volume_of(one) for one in regions] == pytest.approx(
        [b.sum() for b in (balls[1], balls[0], balls[2])], rel=0.2
    )
    assert len(found([sum(balls) > 0], entry("nodule", kind="lesion", smallest_ml=0.5))) == 2
    monkeypatch.setattr(segmented_regions, "MOST_LESIONS", 1)
    assert [one.number for one in found([sum(balls) > 0], lesion)] == [1]


def test_an_organ_is_one_region_without_its_crumbs() -> None:
    heart, crumb = ball((30, 30, 40), 15), ball((10, 8, 8), 3)
    (region,) = found([heart | crumb], entry("heart", smallest_ml=1.0))
    assert region.side == ""
    assert not (region.mask(SOURCE.shape) & crumb).any()


def test_structures_do_not_overlap_and_nothing_found_is_nothing() -> None:
    heart, nodule = ball((30, 30, 40), 15), ball((30, 30, 58), 5)
    regions = found([heart, nodule & ~heart], entry("heart"), entry("nodule", kind="lesion"))
    assert [one.structure.key for one in regions] == ["heart", "nodule"]
    assert not (regions[0].mask(SOURCE.shape) & regions[1].mask(SOURCE.shape)).any()
    assert found([np.zeros(SOURCE.shape), np.zeros(SOURCE.shape)], entry("heart"), entry("nodule")) == ()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_every_pixel_of_a_class_is_in_exactly_one_region_or_left_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = sum(ball(tuple(rng.uniform((5, 5, 5), (55, 55, 75))), rng.uniform(6, 11)) for _ in range(6)) > 0
    regions = found([mask], entry("nodule", kind="lesion", laterality=bool(seed % 2)))
    total = sum(one.mask(SOURCE.shape).astype(int) for one in regions)
    assert total.max() == 1
    assert total.sum() == pytest.approx(mask.sum(), rel=0.1)
