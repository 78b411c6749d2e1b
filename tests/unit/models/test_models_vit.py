"""The vision transformer of the published size, made tiny: its checkpoints, its positions, its outputs."""

import pytest

torch = pytest.importorskip("torch")
from models.msvlm.encoder import SliceEncoderGraph, new_encoder  # noqa: E402
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.vit import CheckpointUnfit, load_checkpoint  # noqa: E402

pytestmark = pytest.mark.train
TINY = {"field_px": (64, 96), "encoder_width": 32, "encoder_heads": 2, "encoder_blocks": 2}


@pytest.fixture(scope="module")
def shape():
    return load_preset("published").network.model_copy(update=TINY)


def checkpoint(width=32, blocks=2, side=5, channels=3):
    """A random state dict with the names of DINO's and timm's ViT, trained on a square image."""
    names = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + side * side, width),
        "patch_embed.proj.weight": (width, channels, 16, 16),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for number in range(blocks):
        for name, size in (("attn.qkv", 3 * width), ("attn.proj", width), ("mlp.fc1", 4 * width), ("mlp.fc2", width)):
            inside = 4 * width if name == "mlp.fc2" else width
            names[f"blocks.{number}.{name}.weight"] = (size, inside)
            names[f"blocks.{number}.{name}.bias"] = (size,)
        for name in ("norm1", "norm2"):
            names[f"blocks.{number}.{name}.weight"] = names[f"blocks.{number}.{name}.bias"] = (width,)
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(size, generator=generator) for name, size in names.items()}


def saved(tmp_path, state):
    torch.save(state, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"teacher": {f"module.backbone.{k}": v for k, v in s.items()}}]
)
def test_checkpoints_of_timm_and_dino_are_read(shape, tmp_path, wrap):
    state = checkpoint()
    extra = {"head.weight": torch.zeros(3, 32), "head.bias": torch.zeros(3)}
    encoder = new_encoder(shape)
    load_checkpoint(encoder, saved(tmp_path, wrap(state | extra)))
    assert torch.equal(encoder.vit.blocks[1].mlp.fc1.weight, state["blocks.1.mlp.fc1.weight"])
    assert torch.equal(encoder.vit.pos_embed[:, 0], state["pos_embed"][:, 0])
    assert encoder.vit.pos_embed.shape == (1, 1 + 4 * 6, 32)


def test_positions_keep_their_order_when_the_grid_changes(shape, tmp_path):
    state = checkpoint(side=8)
    state["pos_embed"][0, 1:, 0] = torch.arange(8.0).repeat(8)
    state["pos_embed"][0, 1:, 1] = torch.arange(8.0).repeat_interleave(8)
    encoder = new_encoder(shape)
    load_checkpoint(encoder, saved(tmp_path, state))
    grid = encoder.vit.pos_embed[0, 1:].detach().reshape(4, 6, 32)
    assert (grid[:, 1:, 0] > grid[:, :-1, 0]).all() and (grid[1:, :, 1] > grid[:-1, :, 1]).all()


def test_one_channel_is_spread_over_the_windows(shape, tmp_path):
    state = checkpoint(channels=1)
    encoder = new_encoder(shape)
    load_checkpoint(encoder, saved(tmp_path, state))
    weight = encoder.vit.patch_embed.proj.weight
    assert torch.allclose(weight.sum(1), state["patch_embed.proj.weight"].sum(1), atol=1e-5)


def test_a_checkpoint_that_does_not_fit_says_why(shape, tmp_path):
    state = checkpoint()
    del state["blocks.1.attn.qkv.weight"]
    state["blocks.0.ls1.gamma"] = torch.ones(32)
    state["norm.weight"] = torch.ones(48)
    with pytest.raises(CheckpointUnfit) as refused:
        load_checkpoint(new_encoder(shape), saved(tmp_path, state))
    text = str(refused.value)
    assert "missing: blocks.1.attn.qkv.weight" in text
    assert "not understood: blocks.0.ls1.gamma" in text and "of another shape: norm.weight" in text


def test_only_a_vision_transformer_takes_such_a_checkpoint(tmp_path):
    with pytest.raises(CheckpointUnfit, match="missing: vit"):
        load_checkpoint(new_encoder(load_preset("tiny").network), saved(tmp_path, checkpoint()))


def test_tokens_and_patches_have_the_shapes_of_the_preset(shape):
    graph = SliceEncoderGraph(new_encoder(shape).eval(), shape)
    with torch.no_grad():
        token, patches, centre = graph(
            torch.zeros(2, 70, 90, dtype=torch.int16), torch.ones(2), torch.zeros(2), torch.ones(2, 2)
        )
    assert token.shape == (2, shape.token_width) and patches.shape == (2, 18, 4, 6) and centre.shape == (2, 2)


def test_views_of_other_sizes_can_be_read(shape):
    assert new_encoder(shape).class_features(torch.zeros(3, 32, 48)).shape == (3, 32)
