"""The study reader on made-up tokens: sampling, padding, ids, and that its stages learn what only neighbours tell."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from models.msvlm.augment import resliced, taken  # noqa: E402
from models.msvlm.losses import span_mask  # noqa: E402
from models.msvlm.preset import PLACES, POOLS, load_preset  # noqa: E402
from models.msvlm.reader import StudyReader  # noqa: E402
from models.msvlm.reading_loss import GROUPS, attribute_loss, finding_loss, group_slice, reading_loss  # noqa: E402
from models.msvlm.relation import log_span, neighbours, study_geometry  # noqa: E402
from models.msvlm.slice_token import SliceHead  # noqa: E402
from models.msvlm.stage_reader import held_loss, start_from_encoder, train_findings, train_masked  # noqa: E402
from models.msvlm.studies import EncodedStudy, pad  # noqa: E402
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS  # noqa: E402

pytestmark = pytest.mark.train
F, A = len(FINDINGS), len(ATTRIBUTE_NAMES)
STAGES = ("masked", "findings")
SMALL = {"encoder_width": 8, "reader_width": 16, "reader_heads": 2, "reader_blocks": 1, "visual_width": 16}


@pytest.fixture(scope="module")
def preset():
    whole = load_preset("cpu-demo")
    small = whole.model_copy(update={"network": whole.network.model_copy(update=SMALL)})
    stages = {
        name: getattr(small, name).model_copy(update={"steps": 30, "batch": 8}) for name in ("masked", "findings")
    }
    return small.model_copy(update=stages)


@pytest.fixture
def reader(preset):
    torch.manual_seed(0)
    fresh = StudyReader(preset.network)
    for parameter in fresh.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return fresh.eval()


def study_of(preset, seed, length=24, spacing_mm=4.0):
    """A study in which finding 0 is there where a bump ends, and not where the same bump wanders on."""
    generator = torch.Generator().manual_seed(seed)
    shape = preset.network
    tokens = 0.3 * torch.randn(length, shape.token_width, generator=generator)
    numbers = tokens[:, shape.encoder_width :].view(length, F, POOLS + PLACES)
    there = torch.rand(1, generator=generator).item() < 0.5
    half = 1 if there else 4
    centre = int(torch.randint(length // 3, length - length // 3, (1,), generator=generator))
    numbers[:, :, :POOLS] -= 4.0
    numbers[centre - half : centre + half + 1, 0, :POOLS] += 5.0
    labels, slices = torch.zeros(F), torch.zeros(length, F)
    if there:
        labels[0], slices[centre - 1 : centre + 2, 0] = 1.0, 1.0
    return EncodedStudy(
        tokens=tokens,
        z_mm=torch.arange(length) * spacing_mm,
        slices=slices,
        labels=labels,
        known=torch.ones(F, dtype=torch.bool),
        located=torch.ones(F, dtype=torch.bool),
        attributes=torch.zeros(F, A),
        attributes_known=torch.zeros(F, 4, dtype=torch.bool),
        sentences=(),
    )


def read(reader, *inputs):
    with torch.no_grad():
        return dict(zip(("findings", "weights", "attention", "attributes", "visual"), reader(*inputs), strict=True))


def inputs_of(preset, length, spacing_mm=4.0, seed=0):
    return pad([study_of(preset, seed, length, spacing_mm)]).inputs


def test_outputs_have_the_shapes_of_the_manifest(preset, reader):
    out = read(reader, *inputs_of(preset, 13))
    assert out["findings"].shape == (1, F) and out["attributes"].shape == (1, F, A)
    assert out["weights"].shape == out["attention"].shape == (1, F, 13)
    assert torch.allclose(out["attention"].sum(2), torch.ones(1, F), atol=1e-5)
    assert ((out["weights"] >= 0) & (out["weights"] <= 1)).all()
    assert out["visual"].shape == (1, preset.network.visual_tokens, preset.network.visual_width)


def test_padding_says_nothing(preset, reader):
    tokens, z, plane, sequence, phase, mask = inputs_of(preset, 11)
    grown = torch.nn.functional.pad
    plain = read(reader, tokens, z, plane, sequence, phase, mask)
    ids = [grown(value, (0, 4)) for value in (plane, sequence, phase)]
    more = read(reader, grown(tokens, (0, 0, 0, 4), value=5.0), grown(z, (0, 4), value=99.0), *ids, grown(mask, (0, 4)))
    for name in ("findings", "attributes", "visual"):
        assert torch.allclose(plain[name], more[name], atol=1e-4), name
    assert not more["weights"][..., 11:].any() and more["attention"][..., 11:].max() < 1e-6


def test_only_distances_in_z_matter(preset, reader):
    tokens, z, *rest = inputs_of(preset, 9)
    here, there = (read(reader, tokens, z + shift, *rest)["findings"] for shift in (0.0, -800.0))
    assert torch.allclose(here, there, atol=1e-3)


def test_the_order_of_the_slices_does_not_matter(preset, reader):
    inputs = inputs_of(preset, 12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    shuffled = [value[:, order] for value in inputs]
    first, second = read(reader, *inputs), read(reader, *shuffled)
    assert torch.allclose(first["findings"], second["findings"], atol=1e-4)
    assert torch.allclose(first["weights"][..., order], second["weights"], atol=1e-4)


def test_a_study_says_the_same_when_each_slice_is_there_twice(preset, reader):
    """Two reconstructions of the same slices, interleaved at half the distance: spans halve, nothing else changes."""
    tokens, z, *_ = inputs_of(preset, 40, spacing_mm=2.0)
    twice = tokens.repeat_interleave(2, 1), (z[..., None] + torch.tensor([-0.25, 0.25])).flatten(1)
    ids, mask = torch.zeros(1, 80, dtype=torch.long), torch.ones(1, 80, dtype=torch.bool)
    single = read(reader, tokens, z, ids[:, :40], ids[:, :40], ids[:, :40], mask[:, :40])
    double = read(reader, *twice, ids, ids, ids, mask)
    spread = single["findings"].std() + 0.1
    assert ((single["findings"] - double["findings"]).abs() < 0.15 * spread).all()


@given(spacing_mm=st.floats(0.6, 5.0), length=st.integers(20, 120))
@settings(max_examples=25, deadline=None)
def test_spans_add_up_to_the_length_of_the_scan(spacing_mm, length):
    z, ids = torch.arange(length)[None] * spacing_mm, torch.zeros(1, length, dtype=torch.long)
    geometry = study_geometry(z, ids, ids, ids, torch.ones(1, length, dtype=torch.bool))
    inner = geometry.span_mm[0, length // 4 : -length // 4]
    edges_mm = 16.0
    assert abs(float(geometry.span_mm.sum()) - spacing_mm * length) < edges_mm
    if spacing_mm * length > 60.0:
        assert torch.allclose(inner, torch.full_like(inner, spacing_mm), rtol=0.06)


def test_spans_count_each_series_for_itself():
    z, ids = torch.arange(30.0)[None] * 3.0, torch.zeros(1, 30, dtype=torch.long)
    mask, both = torch.ones(1, 60, dtype=torch.bool), torch.cat([ids, ids], 1)
    phase = torch.cat([ids, ids + 1], 1)
    alone = study_geometry(z, ids, ids, ids, mask[:, :30]).span_mm
    together = study_geometry(z.repeat(1, 2), both, both, phase, mask).span_mm
    assert torch.allclose(together, alone.repeat(1, 2), atol=1e-4)


def test_neighbours_are_found_by_distance_and_not_by_number():
    for spacing in (1.0, 2.0, 5.0):
        z, ids = torch.arange(60)[None] * spacing, torch.zeros(1, 60, dtype=torch.long)
        geometry = study_geometry(z, ids, ids, ids, torch.ones(1, 60, dtype=torch.bool))
        weights = neighbours(geometry, 10.0, 2.0)[0]
        middle = 20
        assert float(weights[middle] @ (z[0] - z[0, middle])) == pytest.approx(10.0, abs=0.3)
        assert float(weights[-1].sum()) < 0.05
        assert log_span(geometry).exp()[0, middle] == pytest.approx(spacing, rel=0.06)


def test_masked_slices_are_unseen_by_the_prediction(preset, reader):
    tokens, z, *_, mask = inputs_of(preset, 12)
    hidden = torch.zeros(1, 12, dtype=torch.bool)
    hidden[:, 4:8] = True
    changed = tokens.clone()
    changed[:, 4:8] += 7.0
    with torch.no_grad():
        first, second = (reader.predict_masked(t, z, hidden, mask)[0] for t in (tokens, changed))
    assert torch.equal(first, second)


def test_spans_hide_the_wanted_share_of_real_slices():
    mask = torch.zeros(2, 60, dtype=torch.bool)
    mask[0, :60], mask[1, :30] = True, True
    hidden = span_mask(mask, 0.3, torch.Generator().manual_seed(0))
    assert not (hidden & ~mask).any()
    assert (hidden.sum(1) >= 0.3 * mask.sum(1)).all() and (hidden.sum(1) <= 0.3 * mask.sum(1) + 8).all()


def test_what_is_not_known_does_not_count(preset, reader):
    batch = pad([study_of(preset, seed) for seed in range(3)])
    concluded = reader.facts(*batch.inputs).concluded
    wrong = {"labels": 1.0 - batch.labels, "known": torch.zeros_like(batch.known)}
    assert finding_loss(concluded.study, replace(batch, **wrong)).item() == 0.0
    nowhere = replace(batch, located=torch.zeros_like(batch.located), known=torch.zeros_like(batch.known))
    assert reading_loss(concluded, nowhere).item() == 0.0


def test_attributes_count_where_the_finding_is_there_and_they_are_known(preset):
    batch = pad([study_of(preset, seed) for seed in range(4)])
    labels, known = torch.zeros(4, F), torch.zeros(4, F, 4, dtype=torch.bool)
    labels[1, 2], known[1, 2, GROUPS.index("grade")] = 1.0, True
    targets = torch.zeros(4, F, A)
    targets[1, 2, group_slice("grade").start + 1] = 1.0
    batch = replace(batch, labels=labels, attributes=targets, attributes_known=known)
    right = torch.zeros(4, F, A)
    right[1, 2, group_slice("grade").start + 1] = 30.0
    assert attribute_loss(right, batch).item() < 1e-4
    assert attribute_loss(-right, batch).item() > 1.0
    elsewhere = torch.randn(4, F, A)
    elsewhere[1, 2] = right[1, 2]
    assert attribute_loss(elsewhere, batch).item() < 1e-4


@given(seed=st.integers(0, 10_000))
def test_a_study_sliced_anew_is_the_same_study(preset, seed):
    study = study_of(preset, 3, length=50, spacing_mm=3.0)
    other = resliced(study, torch.ones(preset.network.token_width), torch.Generator().manual_seed(seed))
    assert len(other.tokens) == len(other.z_mm) == len(other.slices) <= 160
    assert (other.z_mm[1:] > other.z_mm[:-1]).all()
    assert other.slices.max(0).values[0] == study.slices.max(0).values[0] or len(other.tokens) < len(study.tokens)
    assert torch.equal(other.labels, study.labels)
    low, high = float(study.z_mm.min()) * 1.1, float(study.z_mm.max()) * 1.1
    assert low <= float(other.z_mm.min()) and float(other.z_mm.max()) <= high + 1e-3


def start(preset, reader, studies):
    encoder = torch.nn.Module()
    encoder.slice_head = SliceHead(preset.network)
    start_from_encoder(reader, encoder, studies)
    return encoder


def test_the_reader_starts_from_the_encoders_slice_logits(preset):
    studies = [study_of(preset, seed) for seed in range(6)]
    reader = StudyReader(preset.network).eval()
    encoder = start(preset, reader, studies)
    batch = pad(studies)
    with torch.no_grad():
        slices = reader.facts(*batch.inputs).concluded.slices.transpose(1, 2)
    assert torch.allclose(slices, encoder.slice_head(batch.tokens), atol=1e-5)


def test_masked_embeddings_are_learned(preset):
    torch.manual_seed(1)
    studies = [study_of(preset, seed) for seed in range(8)]
    reader = StudyReader(preset.network)
    start(preset, reader, studies)
    losses = train_masked(preset, reader, studies)
    assert len(losses) == 30 and np.mean(losses[-5:]) < np.mean(losses[:5])


@pytest.mark.slow
def test_the_reader_learns_what_only_neighbours_tell(preset, tmp_path):
    """The same bump, short or long: no single slice tells which finding 0 is."""
    torch.manual_seed(1)
    studies = [study_of(preset, seed) for seed in range(60)]
    unseen = [study_of(preset, seed) for seed in range(100, 140)]
    reader = StudyReader(preset.network)
    start(preset, reader, studies)
    longer = preset.findings.model_copy(update={"steps": 100, "rate": 5e-3})
    before = held_loss(reader, unseen).findings
    best = train_findings(preset.model_copy(update={"findings": longer}), reader, studies, unseen, tmp_path)
    assert best <= before
    batch = pad(unseen)
    with torch.no_grad():
        logits = reader(*batch.inputs)[0][:, 0]
    positive, negative = logits[batch.labels[:, 0] > 0], logits[batch.labels[:, 0] == 0]
    assert (positive[:, None] > negative[None]).float().mean() > 0.95
    assert (tmp_path / "findings.png").is_file()


def test_the_kept_weights_are_never_worse_than_the_start(preset, reader):
    studies = [study_of(preset, seed) for seed in range(6)]
    before = held_loss(reader, studies).total
    wild = preset.findings.model_copy(update={"steps": 25, "rate": 1.0})
    assert train_findings(preset.model_copy(update={"findings": wild}), reader, studies, studies) <= before
    assert held_loss(reader, studies).total <= before + 1e-4


def test_taken_slices_keep_their_targets(preset):
    study = study_of(preset, 5)
    some = torch.tensor([1, 4, 9])
    assert torch.equal(taken(study, some).slices, study.slices[some])
