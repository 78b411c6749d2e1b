import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from models.datasets.fields import FieldStudy, StudyFacts, record_type  # noqa: E402
from models.datasets.phantoms import PhantomSource  # noqa: E402
from models.gtgm.pretrain.losses import CORRELATION_SHARE, cross_correlation_loss  # noqa: E402
from models.gtgm.sequence import measured  # noqa: E402
from models.gtgm.sequence.effect import ARMS, CHOOSING, Schedule, reported  # noqa: E402
from models.gtgm.sequence.measured import Said, account, markdown, rows_of  # noqa: E402
from models.gtgm.sequence.measurement import Measurement, publish  # noqa: E402
from models.gtgm.sequence.settings import SequenceSettings  # noqa: E402
from models.gtgm.sequence.stage import train_sequence  # noqa: E402
from models.gtgm.sequence.term import SequenceTerm, sequence_features  # noqa: E402
from models.gtgm.sequence.tokens import TokenMaker, TokenStudy, field_volume, of_class  # noqa: E402
from models.gtgm.sequence.variants import (  # noqa: E402
    WINDOW_JITTER,
    UnreportedStudy,
    WindowsMissing,
    windows_of,
    write_moved,
)
from models.gtgm.sequence.views import two_views, view, without_report  # noqa: E402
from models.msvlm.encoder import new_encoder  # noqa: E402
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.reader import StudyReader  # noqa: E402
from models.msvlm.runtime import read_manifest  # noqa: E402
from models.msvlm.stage_reader import start_from_encoder  # noqa: E402
from models.msvlm.studies import pad  # noqa: E402

pytestmark = pytest.mark.train

PRESET = load_preset("tiny")
FINDINGS = PRESET.network.findings
BUNDLE = Path(__file__).parents[3] / "models" / "bundles" / "msvlm-thorax-demo-0.3.1"
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


def test_moved_windows_are_near_those_of_the_bundle_and_nothing_else_moves(tmp_path):
    graph = BUNDLE / "slice_encoder.onnx"
    own, moved = onnx.load(graph), onnx.load(write_moved(graph, tmp_path / "moved.onnx", seed=1))
    (low, width), (other_low, other_width) = (windows_of(one.graph) for one in (own, moved))
    stored = np.array(read_manifest(BUNDLE).windows_hu, np.float32)
    assert np.array_equal(np.stack([low, low + width], -1).squeeze(), stored)
    for edge, other in ((low, other_low), (low + width, other_low + other_width)):
        assert (np.abs(other - edge) <= WINDOW_JITTER * width + 1e-3).all() and (other != edge).all()
    changed = [
        a.name for a, b in zip(own.graph.initializer, moved.graph.initializer, strict=True) if a.raw_data != b.raw_data
    ]
    assert len(changed) == 2


def test_a_graph_without_windows_is_refused():
    with pytest.raises(WindowsMissing, match="no windows"):
        windows_of(onnx.load(BUNDLE / "study_reader.onnx").graph)


@pytest.mark.slow
def test_a_phantom_becomes_tokens_of_two_variants_with_texts_and_labels(tmp_path):
    network = load_preset("cpu-demo").network
    source, maker = PhantomSource("small", range(7, 8), 48), TokenMaker(BUNDLE, network)
    (made,) = maker.studies(source, tmp_path)
    own, moved = made.unreported.variants
    assert own.shape == moved.shape == (len(made.unreported.z_mm), network.token_width)
    assert not torch.allclose(own, moved, atol=1e-2)
    assert len(made.unreported.writings) > 1 and all(made.unreported.writings)
    truth = source.study(0)
    assert made.reported.known.all() and made.reported.labels.tolist() == [float(v) for v in truth.labels.values()]
    assert len(own) == (len(truth.hu) + 1) // 2 and not made.reported.located.any()
    (path,) = maker.folder(source, tmp_path).glob("*.npz")
    written = path.stat().st_mtime_ns
    (again,) = maker.studies(source, tmp_path)
    assert path.stat().st_mtime_ns == written and torch.equal(again.unreported.variants[1], moved)


def token_studies(count):
    known = torch.ones(FINDINGS, dtype=torch.bool)
    return [
        TokenStudy(
            study,
            replace(without_report(study), known=known, labels=(torch.arange(FINDINGS) % 2 == number % 2).float()),
        )
        for number, study in enumerate(studies(count))
    ]


def test_a_share_of_the_studies_has_a_report_without_places():
    few = reported(token_studies(40), 0.5, seed=1)
    assert len(few) == 20 and not any(study.located.any() for study in few)
    assert len(reported(token_studies(40), 0.01, seed=1)) == 12 and len(few[::CHOOSING]) == 7


def test_class_tokens_are_the_first_numbers_of_every_variant():
    (study,) = token_studies(1)
    short = of_class(study, 3)
    assert torch.equal(short.reported.tokens, study.reported.tokens[:, :3])
    assert [tokens.shape[1] for tokens in short.unreported.variants] == [3, 3]


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(measured, "DRAWS", 20)


def measurement(out):
    schedule = Schedule(0.5, *(2, 4) * 3)
    blank = torch.zeros(PRESET.network.token_width)
    return Measurement("whole", PRESET, schedule, token_studies(24), token_studies(6), blank, out, "made from")


@pytest.mark.slow
def test_every_arm_is_measured_once(tmp_path, few_draws):
    one = measurement(tmp_path)
    one.measure(seed=1)
    paths = sorted(one.folder.glob("*.npz"))
    assert len(paths) == len(ARMS)
    written = [path.stat().st_mtime_ns for path in paths]
    one.measure(seed=1)
    assert [path.stat().st_mtime_ns for path in paths] == written
    text = publish([one], [1], "a bundle", tmp_path)
    assert all(f"| {arm.name} |" in text for arm in ARMS) and (tmp_path / "sequence.md").read_text() == text
    kept = json.loads((tmp_path / "sequence.json").read_text())
    assert kept["studies"] == 24 and set(kept["tokens"]["whole"]) == {arm.key for arm in ARMS}


@pytest.mark.slow
def test_class_tokens_are_read_by_a_reader_of_their_width(tmp_path):
    one = Measurement.of_kind("class", measurement(tmp_path))
    one.measure(seed=1)
    assert one.folder != measurement(tmp_path).folder and len(list(one.folder.glob("class-*.npz"))) == len(ARMS)


def test_rows_say_gain_and_controls_of_the_same_readers(few_draws):
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 3)) < 0.5).astype(float)
    good, chance = Said(labels, np.zeros((40, 3))), Said(rng.random((40, 3)), np.zeros((40, 3)))
    rows = rows_of(labels, {"masked": {0: chance, 1: chance}, "both": {0: good, 1: good}, "text": {}})
    assert rows["both"]["macro_auroc"]["value"] == 1.0 and rows["both"]["blanked"]["value"] == 0.5
    assert rows["both"]["labels_of_another"]["value"] < 0.7
    assert rows["both"]["gain"]["value"] == pytest.approx(1.0 - rows["masked"]["macro_auroc"]["value"], abs=1e-4)
    assert "are ahead" in account(rows) and "text alone" not in markdown(rows)


@pytest.mark.parametrize(
    ("low", "high", "words"), [(-0.1, 0.1, "No gain"), (-0.2, -0.1, "are behind"), (0.1, 0.2, "are ahead")]
)
def test_the_account_is_plain(low, high, words):
    gain = {"value": (low + high) / 2, "low": low, "high": high, "n": 9}
    assert words in account({"both": {"gain": gain}})
    assert account({}) == "Not measured yet."
