"""The network's parts, and that its exported graphs compute the same: untrained and small, so that it is quick."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.msvlm.calibrate import calibrate, platt  # noqa: E402
from models.msvlm.encoder import pool_patch_logits  # noqa: E402
from models.msvlm.export import (  # noqa: E402
    PARITY,
    as_numpy,
    report_decoder_export,
    slice_encoder_export,
    study_reader_export,
    write_graph,
)
from models.msvlm.losses import BalancedPatchLoss, masked_embedding_loss, span_mask  # noqa: E402
from models.msvlm.network import load_network, new_network, save_network  # noqa: E402
from models.msvlm.preset import UnknownPreset, load_preset  # noqa: E402
from models.msvlm.runtime import session  # noqa: E402

pytestmark = pytest.mark.train
SMALL = {
    "front_channels": (8, 8, 16),
    "field_px": 96,
    "encoder_width": 32,
    "encoder_blocks": 1,
    "reader_width": 32,
    "reader_blocks": 1,
    "visual_width": 32,
}


@pytest.fixture(scope="module")
def network():
    preset = load_preset("cpu-demo")
    small = new_network(preset.model_copy(update={"network": preset.network.model_copy(update=SMALL)}))
    for part in small.encoder.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0.0, 0.2)
            part.running_var.uniform_(0.5, 2.0)
    for layer in (small.reader.heads.refine, small.reader.heads.attend):
        torch.nn.init.normal_(layer.weight, std=0.2)
    return small.eval()


def exported(make, network, folder):
    export = make(network)
    write_graph(export, folder)
    return export, session(folder / export.file)


def assert_parity(export, graph, inputs):
    with torch.no_grad():
        expected = export.module(*inputs.values())
    for ours, theirs in zip(expected, graph.run(None, as_numpy(inputs)), strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours.numpy() - theirs).max() < PARITY


@pytest.mark.slow
def test_slice_encoder_graph_computes_the_network_for_any_size(network, tmp_path):
    export, graph = exported(slice_encoder_export, network, tmp_path)
    names = [(i.name, i.shape) for i in graph.get_inputs()]
    assert names[0] == ("stored", ["n", "rows", "columns"])
    for n, rows, columns in ((1, 128, 128), (4, 90, 131)):
        inputs = {
            "stored": torch.randint(-1000, 3000, (n, rows, columns), dtype=torch.int16),
            "slope": torch.rand(n) + 0.5,
            "intercept": torch.full((n,), -1024.0),
            "spacing_mm": torch.rand(n, 2) * 2.0 + 0.5,
        }
        assert_parity(export, graph, inputs)


@pytest.mark.slow
def test_study_reader_graph_computes_the_network_for_any_number_of_slices(network, tmp_path):
    export, graph = exported(study_reader_export, network, tmp_path)
    for b, length in ((1, 1), (3, 40)):
        inputs = {
            name: value[:1, :1].expand(b, length, *value.shape[2:]).clone() for name, value in export.example.items()
        }
        inputs["tokens"] = torch.randn(b, length, network.preset.network.token_width)
        inputs["z_mm"] = torch.arange(length).float().repeat(b, 1) * 3.0
        inputs["mask"][:, length // 2 + 1 :] = False
        assert_parity(export, graph, inputs)


@pytest.mark.slow
def test_report_decoder_graph_starts_from_an_empty_cache_and_equals_whole_sentences(network, tmp_path):
    _, graph = exported(report_decoder_export, network, tmp_path)
    shape = network.preset.network
    words = torch.randint(len(network.tokenizer.words), (3, 6))
    visual = torch.randn(3, shape.visual_tokens, shape.visual_width)
    past = np.zeros((shape.decoder_blocks, 3, shape.decoder_heads, 0, shape.visual_width // shape.decoder_heads), "f")
    keys, values = past, past
    with torch.no_grad():
        whole = network.decoder(words, visual).numpy()
    for at in range(6):
        inputs = {"word": words[:, at : at + 1].numpy(), "visual_tokens": visual.numpy()}
        logits, keys, values = graph.run(None, {**inputs, "past_keys": keys, "past_values": values})
        assert keys.shape[3] == at + 1
        assert np.abs(logits - whole[:, at]).max() < PARITY


def test_padding_does_not_change_a_reading(network):
    tokens = torch.randn(1, 9, network.preset.network.token_width)
    z, ids, mask = (
        torch.arange(9.0)[None] * 4.0,
        torch.zeros(1, 9, dtype=torch.long),
        torch.ones(1, 9, dtype=torch.bool),
    )
    padded = torch.nn.functional.pad
    with torch.no_grad():
        plain = network.reader(tokens, z, ids, ids, ids, mask)
        more = network.reader(
            padded(tokens, (0, 0, 0, 5), value=3.0),
            padded(z, (0, 5), value=99.0),
            *[padded(ids, (0, 5))] * 3,
            padded(mask, (0, 5)),
        )
    assert torch.allclose(plain[0], more[0], atol=1e-4)
    assert torch.allclose(plain[2], more[2], atol=1e-4)
    assert not more[1][..., 9:].any()


def test_only_distances_in_z_matter(network):
    tokens, ids = torch.randn(1, 9, network.preset.network.token_width), torch.zeros(1, 9, dtype=torch.long)
    z, mask = torch.arange(9.0)[None] * 4.0, torch.ones(1, 9, dtype=torch.bool)
    with torch.no_grad():
        here, there = (network.reader(tokens, z + shift, ids, ids, ids, mask)[0] for shift in (0.0, -800.0))
    assert torch.allclose(here, there, atol=1e-3)


def test_pooling_knows_left_from_right():
    logits = torch.full((1, 1, 12, 12), -6.0)
    logits[..., 9] = 4.0
    top = pool_patch_logits(logits)[0, 0, 0::3]
    assert top.tolist() == [4.0, -6.0, 4.0]


def test_masked_embedding_loss_counts_hidden_slices_only():
    true = torch.zeros(1, 4, 3)
    guess = torch.tensor([0.0, 2.0, 5.0, 0.0])[None, :, None].expand(1, 4, 3)
    hidden = torch.tensor([[False, True, False, False]])
    assert masked_embedding_loss(guess, true, hidden).item() == pytest.approx(2.0)
    assert masked_embedding_loss(guess, true, torch.zeros_like(hidden)).item() == 0.0


def test_masked_slices_are_unseen_by_the_prediction(network):
    tokens = torch.randn(1, 8, network.preset.network.token_width)
    z, mask = torch.arange(8.0)[None], torch.ones(1, 8, dtype=torch.bool)
    hidden = torch.zeros(1, 8, dtype=torch.bool)
    hidden[:, 2:5] = True
    changed = tokens.clone()
    changed[:, 2:5] += 7.0
    with torch.no_grad():
        first, second = (network.reader.predict_masked(t, z, hidden, mask)[0] for t in (tokens, changed))
    assert torch.equal(first, second)


def test_spans_hide_the_wanted_share_of_real_slices():
    mask = torch.zeros(2, 60, dtype=torch.bool)
    mask[0, :60], mask[1, :30] = True, True
    hidden = span_mask(mask, 0.3, torch.Generator().manual_seed(0))
    assert not (hidden & ~mask).any()
    assert (hidden.sum(1) >= 0.3 * mask.sum(1)).all() and (hidden.sum(1) <= 0.3 * mask.sum(1) + 8).all()


def test_a_small_finding_weighs_as_much_as_a_large_one():
    share = torch.zeros(1, 2, 16, 16)
    share[0, 0, :8], share[0, 1, 0, 0] = 1.0, 1.0
    logits = torch.zeros_like(share, requires_grad=True)
    loss = BalancedPatchLoss(2)
    loss.mass.copy_(share.sum((0, 2, 3)))
    loss(logits, share).backward()
    positive = (logits.grad * share).sum((0, 2, 3))
    assert positive[0].item() == pytest.approx(positive[1].item(), rel=0.2)


def test_calibration_recovers_a_shifted_scale():
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 2.0, 4000)
    labels = (rng.random(4000) < 1.0 / (1.0 + np.exp(-(0.6 * logits - 1.0)))).astype(float)
    scale, bias = platt(logits, labels)
    assert scale == pytest.approx(0.6, abs=0.1) and bias == pytest.approx(-1.0, abs=0.15)
    (point,) = calibrate(logits[:, None], labels[:, None])
    assert 0.25 <= point.operating_point <= 0.75 and point.uncertain_from < point.operating_point


def test_a_saved_network_comes_back(network, tmp_path):
    save_network(network, tmp_path / "model.pt")
    again = load_network(tmp_path / "model.pt")
    assert again.preset == network.preset
    for name, part in network.parts().items():
        for key, value in part.state_dict().items():
            assert torch.equal(value, again.parts()[name].state_dict()[key]), key


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UnknownPreset, match="cpu-demo"):
        load_preset("gpu-farm")
