import copy
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.datasets.fields import FieldStudy, StudyFacts, record_type  # noqa: E402
from models.gtgm.pretrain.losses import CORRELATION_SHARE, cross_correlation_loss  # noqa: E402
from models.gtgm.sequence import variants as variants_module  # noqa: E402
from models.gtgm.sequence.effect import Schedule, reported, trained_reader  # noqa: E402
from models.gtgm.sequence.settings import SequenceSettings  # noqa: E402
from models.gtgm.sequence.stage import train_sequence  # noqa: E402
from models.gtgm.sequence.term import SequenceTerm, sequence_features  # noqa: E402
from models.gtgm.sequence.variants import (  # noqa: E402
    UnreportedStudy,
    field_volume,
    unreported_study,
    with_moved_windows,
)
from models.gtgm.sequence.views import two_views, view, without_report  # noqa: E402
from models.msvlm.encoder import new_encoder  # noqa: E402
from models.msvlm.network import new_network  # noqa: E402
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.reader import StudyReader  # noqa: E402
from models.msvlm.stage_reader import start_from_encoder  # noqa: E402
from models.msvlm.studies import pad  # noqa: E402

pytestmark = pytest.mark.train

PRESET = load_preset("tiny")
SMALL = {"text_channels": 8, "text_heads": 2, "text_layers": 1, "embedding_width": 8, "queue": 6, "batch": 4}


def settings(**changes):
    return SequenceSettings(**{**SMALL, "steps": 3, "queue_warm_up_steps": 1, "rate": 1e-3, **changes})


def studies(count=8, length=12):
    """Studies whose tokens and text tell the same number."""
    generator = torch.Generator().manual_seed(0)
    width = PRESET.network.token_width
    found = []
    for number in range(count):
        base = torch.randn(length, width, generator=generator) + 0.5 * number
        moved = base + 0.05 * torch.randn(length, width, generator=generator)
        found.append(
            UnreportedStudy((base, moved), torch.arange(length) * 4.0, ((f"Volume {100 * number + 50} mL.",),))
        )
    return found


@pytest.fixture
def reader():
    torch.manual_seed(0)
    reader = StudyReader(PRESET.network)
    start_from_encoder(reader, new_encoder(PRESET.network), [without_report(study) for study in studies()])
    return reader


def test_a_view_drops_slices_moves_z_and_takes_one_variant():
    study, std = studies(1)[0], torch.ones(PRESET.network.token_width)
    seen, lengths = set(), set()
    for seed in range(30):
        one = view(study, std, torch.Generator().manual_seed(seed))
        lengths.add(len(one.tokens))
        assert len(one.tokens) == len(one.z_mm) == len(one.slices) and not one.known.any()
        assert (one.z_mm[1:] > one.z_mm[:-1]).all()
        for number, variant in enumerate(study.variants):
            if (one.tokens[0] == variant).all(1).any():
                seen.add(number)
    assert seen == {0, 1} and len(lengths) > 2


def test_views_depend_on_the_seed_alone():
    std = torch.ones(PRESET.network.token_width)
    one, again = (two_views(studies(), [1, 5], std, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one.first.tokens, again.first.tokens) and torch.equal(one.second.z_mm, again.second.z_mm)
    assert one.numbers.tolist() == [1, 5]


@pytest.mark.parametrize("loss", ["both", "contrastive", "correlation"])
def test_the_term_moves_relation_and_zformer_but_not_the_findings(reader, loss):
    before = {name: value.clone() for name, value in reader.state_dict().items()}
    losses = train_sequence(settings(loss=loss), reader, studies(), seed=1)
    assert np.isfinite(losses).all()
    moved = {name.split(".")[0] for name, value in reader.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"relation", "zformer"}


def test_the_stage_is_repeatable(reader):
    other = copy.deepcopy(reader)
    assert train_sequence(settings(), reader, studies(), 1) == train_sequence(settings(), other, studies(), 1)


def test_correlation_alone_is_the_loss_of_the_two_views(reader):
    term = SequenceTerm(reader.eval(), settings(loss="correlation")).eval()
    views = two_views(studies(), [0, 1, 2, 3], torch.ones(PRESET.network.token_width), torch.Generator().manual_seed(0))
    loss = term(views.first, views.second, ("",) * 4, views.numbers)
    expected = CORRELATION_SHARE * cross_correlation_loss(*map(term.embed_studies, (views.first, views.second)))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_padding_changes_no_study(reader):
    reader.eval()
    short, long = without_report(studies(1, 6)[0]), without_report(studies(1, 12)[0])
    alone, _ = sequence_features(reader, pad([short]))
    beside, spans = sequence_features(reader, pad([short, long]))
    assert torch.allclose(alone[0], beside[0, :6], atol=1e-4)
    assert (torch.softmax(spans, 1)[0, 6:] == 0.0).all()


def test_too_few_studies_for_a_batch_are_refused(reader):
    with pytest.raises(ValueError, match="smaller batch"):
        train_sequence(settings(), reader, studies(3), 1)


def field_study(length=5):
    records = np.zeros(length, record_type(PRESET.network, patches=False))
    records["hu"] = np.random.default_rng(0).integers(-1000, 400, records["hu"].shape)
    records["z_mm"] = np.arange(length)[::-1] * 5.0
    return FieldStudy(records, StudyFacts("p", "s", "x", {}, frozenset()))


def test_the_field_becomes_a_volume_from_feet_to_head():
    study = field_study()
    volume = field_volume(study, 1.4)
    assert volume.spacing_mm == (5.0, 1.4, 1.4)
    assert np.array_equal(volume.values[0], study.slices["hu"][-1].astype(np.float32))
    assert volume.patient == volume.study == volume.source == ""


def test_window_variants_give_other_tokens_of_the_same_slices(monkeypatch):
    monkeypatch.setattr(variants_module, "writings_of", lambda volume, seed: (("A text.",),))
    torch.manual_seed(0)
    encoder = new_encoder(PRESET.network).eval()
    moved = with_moved_windows(encoder, seed=1)
    assert (moved.windows.low < moved.windows.high).all()
    assert not torch.equal(moved.windows.low, encoder.windows.low)
    study = unreported_study([encoder, moved], field_study(), 1.4, seed=0)
    one, other = study.variants
    assert one.shape == other.shape == (5, PRESET.network.token_width)
    assert not torch.allclose(one, other, atol=1e-3)


def test_reported_studies_have_labels_but_no_places():
    whole = [without_report(study) for study in studies(40)]
    few = reported(whole, 0.5, seed=1)
    assert len(few) == 20 and not any(study.located.any() for study in few)
    assert len(reported(whole, 0.01, seed=1)) == 12


def test_every_arm_trains_a_reader():
    @dataclass
    class Small:
        network: object = field(default_factory=lambda: new_network(PRESET))
        training: list = field(default_factory=lambda: labelled(24))
        validation: list = field(default_factory=lambda: labelled(12))

    material, schedule = Small(), Schedule(masked_steps=2, sequence_steps=2, finding_steps=2, batch=4)
    for arm in schedule.arms():
        reader = trained_reader(arm, schedule, material, studies(), seed=1)
        assert all(torch.isfinite(p).all() for p in reader.parameters())


def labelled(count):
    known = torch.ones(PRESET.network.findings, dtype=torch.bool)
    return [
        replace(without_report(study), known=known, labels=(torch.arange(PRESET.network.findings) % 2 == n % 2).float())
        for n, study in enumerate(studies(count))
    ]
