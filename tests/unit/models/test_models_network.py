"""The network's parts, and that its exported graphs compute the same: untrained and small, so that it is quick."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.msvlm.graphs import (  # noqa: E402
    PARITY,
    as_numpy,
    report_decoder_export,
    slice_encoder_export,
    study_reader_export,
    write_graph,
)
from models.msvlm.losses import BalancedPatchLoss, masked_embedding_loss  # noqa: E402
from models.msvlm.network import load_network, new_network, save_network  # noqa: E402
from models.msvlm.preprocess import body_centre_px, hounsfield_units  # noqa: E402
from models.msvlm.preset import POOLS, PRESETS, REGION_POOLS, UnknownPreset, load_preset  # noqa: E402
from models.msvlm.runtime import session  # noqa: E402
from models.msvlm.slice_token import SMALLEST_AREA, patch_place, pool_patch_logits  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def network():
    small = new_network(load_preset("tiny"))
    for part in small.encoder.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0.0, 0.2)
            part.running_var.uniform_(0.5, 2.0)
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
        hu = hounsfield_units(inputs["stored"], inputs["slope"], inputs["intercept"])
        centre = graph.run(["field_centre_px"], as_numpy(inputs))[0]
        assert np.allclose(centre, body_centre_px(hu).numpy(), atol=1e-4)


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


def test_pooling_knows_left_from_right():
    logits = torch.full((1, 1, 12, 12), -6.0)
    logits[..., 9] = 4.0
    top = pool_patch_logits(logits)[0, 0, 0::REGION_POOLS]
    assert top.tolist() == [4.0, -6.0, 4.0]


def test_pooling_counts_and_measures():
    logits = torch.full((1, 1, 12, 12), -12.0)
    logits[0, 0, 2, 2] = logits[0, 0, 2, 3] = 9.0  # one of two patches
    logits[0, 0, 9, 9] = logits[0, 0, 4, 9] = 9.0  # two of one each
    logits[0, 0, 2, 3] = 8.0
    area, peaks = pool_patch_logits(logits)[0, 0].view(3, REGION_POOLS)[:, -2:].T
    assert (area.exp() - SMALLEST_AREA).tolist() == pytest.approx([4.0, 2.0, 2.0], abs=0.01)
    assert peaks.tolist() == pytest.approx([3.0, 1.0, 2.0], abs=0.01)


def test_a_place_is_where_the_patches_are_strongest():
    logits = torch.full((1, 2, 10, 14), -9.0)
    logits[0, 0, 0, 13] = logits[0, 1, 9, 0] = 12.0
    row, column = patch_place(logits)[0].T
    assert row.tolist() == pytest.approx([-0.9, 0.9], abs=0.01)
    assert column.tolist() == pytest.approx([13 / 14, -13 / 14], abs=0.01)
    assert patch_place(torch.zeros(1, 1, 10, 14)).abs().max() < 1e-6


def test_a_token_is_class_pools_and_places(network):
    shape = network.preset.network
    encoded = network.encoder(torch.randn(2, *shape.field_px) * 300.0)
    assert encoded.token.shape == (2, shape.token_width)
    assert encoded.patch_logits.shape == (2, shape.findings, *shape.patch_grid)
    per_finding = encoded.token[:, shape.encoder_width :].unflatten(1, (shape.findings, -1))
    assert torch.equal(per_finding[..., :POOLS], pool_patch_logits(encoded.patch_logits))
    assert torch.equal(per_finding[..., POOLS:], patch_place(encoded.patch_logits))
    assert torch.allclose(encoded.slice_logits, network.encoder.slice_head(encoded.token))


def test_without_pools_a_token_is_the_class_alone():
    preset = load_preset("tiny")
    shape = preset.network.model_copy(update={"patch_pools": False})
    encoder = new_network(preset.model_copy(update={"network": shape})).encoder.eval()
    assert encoder(torch.zeros(1, *shape.field_px)).token.shape == (1, shape.encoder_width) == (1, shape.token_width)


def test_masked_embedding_loss_counts_hidden_slices_only():
    true = torch.zeros(1, 4, 3)
    guess = torch.tensor([0.0, 2.0, 5.0, 0.0])[None, :, None].expand(1, 4, 3)
    hidden = torch.tensor([[False, True, False, False]])
    assert masked_embedding_loss(guess, true, hidden).item() == pytest.approx(2.0)
    assert masked_embedding_loss(guess, true, torch.zeros_like(hidden)).item() == 0.0


def test_a_small_finding_weighs_as_much_as_a_large_one():
    share = torch.zeros(1, 2, 16, 16)
    share[0, 0, :8], share[0, 1, 0, 0] = 1.0, 1.0
    logits = torch.zeros_like(share, requires_grad=True)
    loss = BalancedPatchLoss(2)
    loss.mass.copy_(share.sum((0, 2, 3)))
    loss(logits, share, torch.ones(1, 2, dtype=torch.bool)).backward()
    positive = (logits.grad * share).sum((0, 2, 3))
    assert positive[0].item() == pytest.approx(positive[1].item(), rel=0.2)


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


@pytest.mark.parametrize("name", sorted(path.name for path in PRESETS.iterdir() if path.is_dir()))
def test_every_preset_is_valid_and_its_network_can_be_built(name):
    preset = load_preset(name)
    with torch.device("meta"):
        encoder = new_network(preset).encoder
        encoded = encoder(torch.zeros(1, *preset.network.field_px))
    assert encoded.token.shape == (1, preset.network.token_width)
    assert encoded.patch_logits.shape[2:] == preset.network.patch_grid
    assert preset.encoder.batch % preset.processes == 0
