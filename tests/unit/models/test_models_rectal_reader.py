"""The reader over all series of a study: any subset is read, and places are what they are in the patient."""

import pytest

torch = pytest.importorskip("torch")
import numpy as np  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from models.msvlm.rectal.items import SCALES, STEPS  # noqa: E402
from models.msvlm.rectal.margin import measured_margin_mm  # noqa: E402
from models.msvlm.rectal.network import load_network, new_series_network, save_network  # noqa: E402
from models.msvlm.rectal.phantoms import load, on_field, save  # noqa: E402
from models.msvlm.rectal.places import gap_mm, origin_mm, patient_points, study_places  # noqa: E402
from models.msvlm.rectal.preset import PRESETS, load_series_preset  # noqa: E402
from models.msvlm.rectal.structures import FASCIA, NAMES, TUMOUR, WITHIN  # noqa: E402
from models.msvlm.rectal.studies import (  # noqa: E402
    NothingToRead,
    encode_study,
    load_studies,
    pad,
    save_studies,
    some_series,
)
from models.phantoms.pelvis import PROTOCOL, generate_pelvis  # noqa: E402

pytestmark = pytest.mark.train
KEYS = tuple(sequence.key for sequence in PROTOCOL)
AXIAL, SAGITTAL, CORONAL = (1.0, 0, 0, 0, 1, 0), (0.0, 1, 0, 0, 0, -1), (1.0, 0, 0, 0, 0, -1)


@pytest.fixture(scope="module")
def network():
    network = new_series_network(load_series_preset(PRESETS / "rectal-mr-tiny")).eval()
    for parameter in (network.reader.last.weight, *(table.weight for table in network.reader.tables)):
        torch.nn.init.normal_(parameter, std=0.5)
    return network


@pytest.fixture(scope="module")
def phantom():
    return generate_pelvis(9, t_stage=3, fineness=0.25, voxel_mm=3.0)


@pytest.fixture(scope="module")
def study(network, phantom):
    shape = network.preset.network
    return encode_study(network.encoder, shape, on_field(phantom, shape))


def read(network, *studies, keep=None):
    with torch.no_grad():
        return network.reader(*pad(studies, keep).inputs)


def test_all_series_become_one_sequence(study, phantom, network):
    assert study.present == KEYS
    assert len(study.tokens) == sum(len(series.pixels) for series in phantom.series)
    steps, attention, visual = read(network, study)
    assert steps.shape == (1, STEPS) and attention.shape == (1, len(SCALES), len(study.tokens))
    assert attention.sum(2).numpy() == pytest.approx(1.0, abs=1e-5)
    assert visual.shape[1] == network.preset.network.visual_tokens


@settings(deadline=None, max_examples=40)
@given(st.sets(st.sampled_from(KEYS), min_size=1))
def test_every_subset_of_the_series_is_read(network, study, keys):
    for output in read(network, study, keep=[study.of_series(keys)]):
        assert torch.isfinite(output).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.floats(0.0, 0.99), st.floats(0.0, 0.99))
def test_dropout_never_leaves_nothing_and_drops_whole_series(study, seed, series_dropout, slice_dropout):
    kept = some_series(study, series_dropout, slice_dropout, np.random.default_rng(seed))
    assert 0 < len(kept) <= len(study.tokens) and len(kept.unique()) == len(kept)
    whole = some_series(study, series_dropout, 0.0, np.random.default_rng(seed))
    assert torch.equal(whole, study.of_series([KEYS[place] for place in study.series[whole].unique()]))


def test_a_study_without_the_series_says_so(study):
    with pytest.raises(NothingToRead, match="has none of the series \\['flair'\\]"):
        study.of_series(["flair"])
    with pytest.raises(NothingToRead, match="no slice of pelvis-9 is left"):
        pad([study], [torch.arange(0)])


def test_the_order_of_series_and_slices_does_not_matter(network, study):
    mixed = torch.randperm(len(study.tokens), generator=torch.Generator().manual_seed(1))
    assert torch.allclose(read(network, study)[0], read(network, study, keep=[mixed])[0], atol=1e-4)


def test_padding_does_not_matter(network, study):
    short = study.of_series(["t2_axial"])
    alone = read(network, study, keep=[short])
    beside = read(network, study, study, keep=[short, torch.arange(len(study.tokens))])
    for one, other in zip(alone, beside, strict=True):
        assert torch.allclose(one[0], other[0][..., : one.shape[-1]], atol=1e-4)
    assert beside[1][0, :, len(short) :].abs().max() == 0.0


@pytest.mark.parametrize("place", range(3, 8))
def test_every_fact_of_a_series_reaches_the_reader(network, study, place):
    inputs = pad([study]).inputs
    changed = list(inputs)
    changed[place] = inputs[place] + 1
    with torch.no_grad():
        before, after = network.reader(*inputs)[0], network.reader(*changed)[0]
    assert (before - after).abs().max() > 1e-4


def test_where_the_scanner_has_its_zero_does_not_matter(network, study):
    inputs = pad([study]).inputs
    moved = inputs._replace(centre_mm=inputs.centre_mm + torch.tensor([30.0, -80.0, 500.0]))
    with torch.no_grad():
        assert torch.allclose(network.reader(*inputs)[0], network.reader(*moved)[0], atol=1e-3)


def places(centres, orientations):
    mask = torch.ones(1, len(centres), dtype=torch.bool)
    return study_places(torch.tensor([centres]), torch.tensor([orientations]), mask)


def test_one_point_of_the_patient_is_one_point_on_all_planes():
    """15 mm to the left, 20 to the back and 10 to the head of the middle, as three planes through it show it."""
    centres = [(0.0, 0.0, 10.0), (15.0, 0.0, 0.0), (0.0, 20.0, 0.0), (-30.0, -40.0, -20.0), (30.0, 40.0, 20.0)]
    three = places(centres, [AXIAL, SAGITTAL, CORONAL, AXIAL, AXIAL])
    rows_columns = torch.tensor([[20.0, 15.0], [-10.0, 20.0], [-10.0, 15.0], [0.0, 0.0], [0.0, 0.0]]) / 80.0
    points = patient_points(three, rows_columns[None, :, None], (80.0, 80.0))[0, :3, 0]
    assert torch.allclose(points, torch.tensor([[15.0, 20.0, 10.0]]).expand(3, 3), atol=1e-4)


def test_parallel_slices_are_as_far_apart_as_they_lie_and_crossing_ones_meet():
    gap, alike = gap_mm(places([(0.0, 0, 0), (9.0, 9, 4), (0.0, 0, 0)], [AXIAL, AXIAL, SAGITTAL]))
    assert gap[0, 0, 1] == pytest.approx(4.0) and alike[0, 0].tolist() == [1.0, 1.0, 0.0]


def test_the_origin_is_that_of_real_slices():
    mask = torch.tensor([[True, True, False]])
    centre = torch.tensor([[[0.0, 0, -10], [4.0, 0, 30], [900.0, 900, 900]]])
    assert origin_mm(centre, mask)[0, 0].tolist() == [2.0, 0.0, 10.0]


def test_patches_show_what_the_labels_hold(phantom, network):
    shape = network.preset.network
    kept = on_field(phantom, shape, kept_slices=20)
    assert len(kept.slices.images) == len(kept.slices.patches) == 20
    assert kept.slices.patches.shape[1:] == (len(NAMES), *shape.patch_grid)
    shown = kept.slices.patches[:, TUMOUR].max(axis=(1, 2)) > 0
    assert 4 <= shown.sum() < 20


def test_studies_are_kept_as_they_are(phantom, network, study, tmp_path):
    kept = on_field(phantom, network.preset.network)
    save(kept, tmp_path / "9.npz")
    again = load(tmp_path / "9.npz")
    assert all(np.array_equal(a, b) for a, b in zip(kept.slices, again.slices, strict=True))
    assert (again.name, again.keys, again.margin_mm) == (kept.name, kept.keys, kept.margin_mm)
    save_studies([study], tmp_path / "tokens.pt")
    assert torch.equal(load_studies(tmp_path / "tokens.pt")[0].tokens, study.tokens)


def test_a_network_is_kept_with_its_calibration(network, study, tmp_path):
    save_network(network, tmp_path / "model.pt")
    again = load_network(tmp_path / "model.pt")
    assert again.points == network.points
    assert torch.equal(read(again, study)[0], read(network, study)[0])


def drawn_grid(shape, tumour_mm, fascia_mm):
    """A round tumour in the middle of a round mesorectum, as sure logits on patches."""
    rows, columns = shape.patch_grid
    step = shape.patch_mm
    y, x = np.mgrid[:rows, :columns]
    radius = np.hypot((y - (rows - 1) / 2) * step, (x - (columns - 1) / 2) * step)
    grid = np.full((1, len(NAMES), rows, columns), -6.0, np.float32)
    grid[0, TUMOUR] = (tumour_mm - radius) * 2.0
    grid[0, WITHIN] = (fascia_mm - radius) * 2.0
    grid[0, FASCIA] = 3.0 - np.abs(fascia_mm - radius)
    return grid


@pytest.mark.parametrize("margin_mm", [4.0, 10.0, 16.0])
def test_the_margin_is_measured_to_less_than_half_a_patch(margin_mm):
    shape = load_series_preset(PRESETS / "rectal-mr-demo").network
    measured = measured_margin_mm(drawn_grid(shape, 18.0, 18.0 + margin_mm), shape.patch_mm)
    assert measured == pytest.approx(margin_mm, abs=0.5 * shape.patch_mm)


def test_no_margin_is_measured_without_a_tumour():
    shape = load_series_preset(PRESETS / "rectal-mr-demo").network
    assert np.isnan(measured_margin_mm(drawn_grid(shape, -50.0, 40.0), shape.patch_mm))


@pytest.mark.parametrize("name", sorted(path.name for path in PRESETS.iterdir()))
def test_every_preset_is_valid_and_its_network_can_be_built(name):
    preset = load_series_preset(PRESETS / name)
    with torch.device("meta"):
        network = new_series_network(preset)
        marked = network.encoder(torch.zeros(1, *preset.network.field_px))
    assert marked.token.shape == (1, preset.network.token_width)
    assert marked.patch_logits.shape[2:] == preset.network.patch_grid
    assert preset.encoder.batch % preset.processes == 0
