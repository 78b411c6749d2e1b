"""The pelvic anatomy and its truth: measured again here, by other means, on the masks."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from models.phantoms.pelvis import NodeTruth, PelvisAnatomy, Sex, Sphincter, Tissue, grow_pelvis
from models.phantoms.pelvis.person import draw_person

STAGES = (1, 2, 3, 4)
DISEASE = (Tissue.TUMOUR, Tissue.EMVI, Tissue.NODE, Tissue.SUSPICIOUS_NODE)


@pytest.fixture(scope="module", params=(3, 4))
def grown(request) -> PelvisAnatomy:
    return grow_pelvis(40 + request.param, t_stage=request.param)


def points_mm(anatomy: PelvisAnatomy, *tissues: Tissue) -> np.ndarray:
    """x, y, z of the voxels of some tissues."""
    found = np.argwhere(anatomy.volume.mask(*tissues))[:, ::-1]
    return np.asarray(found * anatomy.volume.voxel_mm + np.asarray(anatomy.volume.origin_mm))


def along_line(anatomy: PelvisAnatomy, points: np.ndarray) -> np.ndarray:
    """Length along the rectum of the line's point that is nearest to each point."""
    tube = anatomy.tube
    _, nearest = cKDTree(np.stack([tube.x, tube.y, tube.z], 1)).query(points)
    return np.asarray(tube.length)[nearest]


def check_stage(anatomy: PelvisAnatomy, planned: int) -> None:
    tumour = anatomy.truth.tumour
    assert tumour is not None
    assert tumour.t_stage == planned, tumour
    assert (tumour.extramural_mm > 0.0) == (planned >= 3)
    assert bool(tumour.invaded or tumour.peritoneal) == (planned == 4)


def check_margin(anatomy: PelvisAnatomy) -> None:
    """The distance of fascia and tumour between voxels, which lies half a voxel within the tumour's."""
    tumour = anatomy.truth.tumour
    assert tumour is not None
    if tumour.fascia_points_mm is None:
        return
    own = anatomy.volume.mask(Tissue.TUMOUR)
    about = tuple(slice(max(int(hit.min()) - 30, 0), int(hit.max()) + 31) for hit in np.nonzero(own))
    near = anatomy.volume.mask(Tissue.MESORECTAL_FASCIA)[about]
    distance = distance_transform_edt(~near, sampling=anatomy.volume.voxel_mm)
    assert tumour.fascia_mm == pytest.approx(distance[own[about]].min() - 0.5, abs=1.4)
    ends = np.asarray(tumour.fascia_points_mm)
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(tumour.fascia_mm, abs=0.01)


def check_extent(anatomy: PelvisAnatomy) -> None:
    tumour = anatomy.truth.tumour
    assert tumour is not None
    lengths = along_line(anatomy, points_mm(anatomy, Tissue.TUMOUR))
    assert tumour.height_mm == pytest.approx(lengths.min(), abs=6.0)
    assert tumour.length_mm == pytest.approx(np.ptp(lengths), abs=9.0)


def test_the_truth_has_the_stage_that_was_asked_for(grown: PelvisAnatomy):
    assert grown.truth.tumour is not None
    check_stage(grown, grown.truth.tumour.t_stage)
    assert grown.truth.seed - 40 == grown.truth.tumour.t_stage


def test_the_margin_is_found_again_on_the_masks(grown: PelvisAnatomy):
    check_margin(grown)


def test_height_and_length_are_found_again_along_the_line(grown: PelvisAnatomy):
    check_extent(grown)


def test_every_mask_of_disease_is_in_the_truth(grown: PelvisAnatomy):
    truth = grown.truth
    assert truth.tumour is not None
    assert grown.volume.mask(Tissue.EMVI).any() == (truth.tumour.emvi is not None)
    assert grown.volume.mask(Tissue.SUSPICIOUS_NODE).any() == (truth.suspicious_nodes > 0)
    for node in truth.nodes:
        x, y, z = (np.asarray(node.centre_mm) - grown.volume.origin_mm) / grown.volume.voxel_mm
        there = Tissue(int(grown.volume.labels[round(z), round(y), round(x)]))
        assert there == (Tissue.SUSPICIOUS_NODE if node.suspicious else Tissue.NODE)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_many_seeds_keep_their_plan_and_their_measures(stage: int):
    for seed in range(500, 506):
        anatomy = grow_pelvis(seed, t_stage=stage)
        check_stage(anatomy, stage)
        check_margin(anatomy)
        check_extent(anatomy)


def test_the_clock_face_is_that_of_the_axial_image():
    """The angles of the tumour's voxels about the line, measured in the plane across it at the tumour's middle."""
    anatomy = grow_pelvis(42, t_stage=2)
    tumour = anatomy.truth.tumour
    assert tumour is not None
    points = points_mm(anatomy, Tissue.TUMOUR)
    at = np.interp(points[:, 2], anatomy.tube.z, np.arange(len(anatomy.tube.z))).round().astype(int)
    dx, dy = points[:, 0] - anatomy.tube.x[at], points[:, 1] - anatomy.tube.y[at]
    middle = np.arctan2(dx.mean(), -dy.mean()) / (2.0 * np.pi) * 12.0 % 12.0
    told = (tumour.from_hour + 6.0 * tumour.circumference) % 12.0
    assert abs((middle - told + 6.0) % 12.0 - 6.0) < 1.2


def test_a_tumour_changes_nothing_but_its_own_voxels():
    healthy, ill = (grow_pelvis(9, tumour=there, voxel_mm=2.0) for there in (False, True))
    assert healthy.person == ill.person
    changed = healthy.volume.labels != ill.volume.labels
    assert changed.any()
    assert (healthy.volume.mask(*DISEASE) | ill.volume.mask(*DISEASE))[changed].all()


@pytest.mark.parametrize("sex", Sex)
def test_organs_follow_the_sex(sex: Sex):
    seed = next(n for n in itertools.count() if draw_person(np.random.default_rng((n, 10))).sex is sex)
    anatomy = grow_pelvis(seed, tumour=False, voxel_mm=3.0)
    assert anatomy.person.sex is sex
    assert anatomy.volume.mask(Tissue.PROSTATE_PERIPHERAL_ZONE).any() == (sex is Sex.MALE)
    assert anatomy.volume.mask(Tissue.MYOMETRIUM).any() == (sex is Sex.FEMALE)
    assert anatomy.truth.tumour is None


def test_the_layers_of_the_wall_lie_in_order():
    tube = grow_pelvis(3, tumour=False, voxel_mm=2.0).tube
    for inner, outer in ((tube.lumen, tube.submucosa), (tube.submucosa, tube.wall), (tube.wall, tube.envelope)):
        assert (inner < outer).all()


def test_places_and_points_of_the_tube_are_inverse():
    tube = grow_pelvis(3, tumour=False, voxel_mm=2.0).tube
    for length, angle, radius in ((20.0, 0.4, 6.0), (70.0, 2.0, 15.0), (120.0, -1.5, 20.0)):
        x, y, z = (np.array([v], np.float32) for v in tube.point(length, angle, radius))
        places = tube.places(x, y, z)
        assert places.length[0] == pytest.approx(length, abs=2.5)
        assert places.radius[0] == pytest.approx(radius, abs=1.0)


@pytest.mark.slow
def test_a_low_tumour_tells_its_sphincter():
    depths = {grow_pelvis(seed, t_stage=4, voxel_mm=2.0).truth.tumour.sphincter for seed in range(10)}
    assert Sphincter.NONE in depths and len(depths) > 1


@pytest.mark.parametrize(
    ("short_mm", "round_", "irregular", "mixed", "suspicious"),
    [
        (9.5, False, False, False, True),
        (6.0, True, True, False, True),
        (6.0, True, False, False, False),
        (4.0, True, True, False, False),
        (4.0, True, True, True, True),
    ],
)
def test_nodes_are_suspicious_by_the_rule(short_mm, round_, irregular, mixed, suspicious):
    assert NodeTruth((0.0, 0.0, 0.0), short_mm, round_, irregular, mixed).suspicious == suspicious


def test_an_unknown_stage_is_refused():
    with pytest.raises(ValueError, match="t_stage is 5"):
        grow_pelvis(1, t_stage=5)
