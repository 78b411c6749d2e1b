import pytest

torch = pytest.importorskip("torch")

from models.gtgm.finetune.heads import new_segmenter  # noqa: E402
from models.gtgm.networks import (  # noqa: E402
    EncoderShape,
    embedding_width,
    load_encoder,
    new_encoder,
    save_encoder,
)

pytestmark = pytest.mark.train

RES = EncoderShape(channels=(4, 6, 8), blocks=(1, 2, 1))
SWIN = EncoderShape(
    kind="swin_unetr", channels=(12, 24, 48, 96, 192), blocks=(1, 1, 1, 1), heads=(1, 2, 2, 4), window_voxels=4
)
UNETR = EncoderShape(
    kind="unetr", channels=(4, 6, 8, 12, 24), blocks=(2, 1, 1, 1), heads=(2,), position_voxels=(32, 32, 32)
)
KINDS = [(RES, 16), (SWIN, 32), (UNETR, 32)]


@pytest.mark.parametrize(("shape", "side"), KINDS)
def test_features_have_the_said_channels_and_strides(shape, side):
    encoder = new_encoder(shape)
    found = encoder.features(torch.randn(1, 3, side, side, side))
    assert [f.shape[1] for f in found] == list(shape.channels)
    assert [side // f.shape[2] for f in found] == list(encoder.strides)


@pytest.mark.parametrize(("shape", "side"), KINDS)
def test_the_embedding_has_the_said_width_and_a_gradient_everywhere(shape, side):
    encoder = new_encoder(shape)
    embedding = encoder.embed(torch.randn(2, 3, side, side, side))
    assert embedding.shape == (2, embedding_width(shape))
    embedding.square().sum().backward()
    missing = {name for name, p in encoder.named_parameters() if p.grad is None}
    # MONAI's blocks carry a norm for a cross attention that they do not have; UNETR's convolutions come after tokens.
    assert not {name for name in missing if "cross_attn" not in name and not name.startswith(("of_input", "of_tokens"))}


@pytest.mark.parametrize(("shape", "side"), KINDS)
def test_the_features_have_a_gradient_everywhere(shape, side):
    encoder = new_encoder(shape)
    sum(f.square().sum() for f in encoder.features(torch.randn(2, 3, side, side, side))).backward()
    assert all(p.grad is not None for name, p in encoder.named_parameters() if "cross_attn" not in name)


def test_the_embedding_tells_how_dense_a_volume_is():
    torch.manual_seed(0)
    encoder = new_encoder(RES)
    thin, dense = (encoder.embed(torch.full((1, 3, 16, 16, 16), level)) for level in (-0.5, 0.5))
    assert (thin - dense).norm() > 0.1 * thin.norm()


def test_the_demo_encoder_has_one_to_two_million_parameters():
    count = sum(p.numel() for p in new_encoder(EncoderShape()).parameters())
    assert 1e6 < count < 2e6


@pytest.mark.parametrize(("kind", "side"), KINDS)
def test_an_encoder_survives_its_file(tmp_path, kind, side):
    encoder = new_encoder(kind).eval()
    save_encoder(encoder, {"preset": "tiny", "steps": 2}, tmp_path / "encoder.pt")
    shape, state, trained = load_encoder(tmp_path / "encoder.pt")
    again = new_encoder(shape).eval()
    again.load_state_dict(state)
    x = torch.randn(1, 3, side, side, side)
    assert torch.equal(again.embed(x), encoder.embed(x))
    assert trained == {"preset": "tiny", "steps": 2}


def test_swin_weights_fit_monais_segmentation_network():
    from monai.networks.nets import SwinUNETR

    whole = SwinUNETR(
        in_channels=3, out_channels=2, feature_size=12, depths=SWIN.blocks, num_heads=SWIN.heads, window_size=4
    )
    whole.swinViT.load_state_dict(new_encoder(SWIN).swin.state_dict())


def test_unetr_with_monais_depths_is_monais_unetr():
    from monai.networks import nets

    shape = UNETR.model_copy(update={"channels": (4, 8, 16, 32, 24), "blocks": (4, 3, 3, 2)})
    torch.manual_seed(0)
    theirs = nets.UNETR(3, 5, 32, 4, 24, 96, 2, norm_name=("group", {"num_groups": 4})).eval()
    ours = new_segmenter(shape, 5).eval()
    ours.encoder.vit.load_state_dict(theirs.vit.state_dict())
    pairs = [(ours.encoder.of_input, theirs.encoder1), (ours.last, theirs.out.conv.conv)]
    pairs += zip(ours.encoder.of_tokens, (theirs.encoder2, theirs.encoder3, theirs.encoder4), strict=True)
    pairs += zip(ours.decoder.up, (theirs.decoder2, theirs.decoder3, theirs.decoder4, theirs.decoder5), strict=True)
    for module, their in pairs:
        module.load_state_dict(their.state_dict())
    values = torch.empty(1, 1, 32, 32, 32).uniform_(-1000.0, 800.0)
    with torch.no_grad():
        assert torch.allclose(ours(values), theirs(ours.scaled(values)), atol=1e-5)


def test_unetr_takes_crops_of_other_sizes_than_it_learned_places_for():
    encoder = new_encoder(UNETR)
    assert encoder.features(torch.randn(1, 3, 16, 48, 32))[-1].shape == (1, 24, 1, 3, 2)
    with torch.no_grad():
        encoder.vit.patch_embedding.position_embeddings.fill_(0.5)
    assert torch.allclose(encoder._positions(torch.empty(1, 3, 64, 16, 48)), torch.tensor(0.5))


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": (4, 8), "blocks": (1,)},
        {"kind": "swin_unetr", "channels": (12, 24), "blocks": (1, 1, 1, 1)},
        {"kind": "swin_unetr", "channels": (12, 24, 48, 96, 192), "blocks": (1, 1)},
        {"kind": "swin_unetr", "channels": (12, 24, 48, 96, 192), "blocks": (1, 1, 1, 1), "heads": (5, 5, 5, 5)},
        {"kind": "unetr", "channels": (4, 8), "blocks": (1, 1, 1, 1), "heads": (2,)},
        {"kind": "unetr", "channels": (4, 8, 8, 8, 12), "blocks": (1, 0, 1, 1), "heads": (2,)},
        {"kind": "unetr", "channels": (4, 8, 8, 8, 12), "blocks": (1, 1, 1, 1)},
        {"kind": "unetr", "channels": (4, 8, 8, 8, 12), "blocks": (1, 1, 1, 1), "heads": (5,)},
        {"kind": "unetr", "channels": (4,) * 5, "blocks": (1,) * 4, "heads": (2,), "position_voxels": (32, 40, 32)},
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match=r"give|five|divide"):
        new_encoder(EncoderShape(**wrong))
