import pytest

torch = pytest.importorskip("torch")

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


@pytest.mark.parametrize(("shape", "side"), [(RES, 16), (SWIN, 32)])
def test_features_have_the_said_channels_and_strides(shape, side):
    encoder = new_encoder(shape)
    found = encoder.features(torch.randn(1, 3, side, side, side))
    assert [f.shape[1] for f in found] == list(shape.channels)
    assert [side // f.shape[2] for f in found] == list(encoder.strides)


@pytest.mark.parametrize(("shape", "side"), [(RES, 16), (SWIN, 32)])
def test_the_embedding_has_the_said_width_and_a_gradient_everywhere(shape, side):
    encoder = new_encoder(shape)
    embedding = encoder.embed(torch.randn(2, 3, side, side, side))
    assert embedding.shape == (2, embedding_width(shape))
    embedding.square().sum().backward()
    missing = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert not missing


def test_the_embedding_tells_how_dense_a_volume_is():
    torch.manual_seed(0)
    encoder = new_encoder(RES)
    thin, dense = (encoder.embed(torch.full((1, 3, 16, 16, 16), level)) for level in (-0.5, 0.5))
    assert (thin - dense).norm() > 0.1 * thin.norm()


def test_the_demo_encoder_has_one_to_two_million_parameters():
    count = sum(p.numel() for p in new_encoder(EncoderShape()).parameters())
    assert 1e6 < count < 2e6


def test_an_encoder_survives_its_file(tmp_path):
    encoder = new_encoder(RES)
    save_encoder(encoder, {"preset": "tiny", "steps": 2}, tmp_path / "encoder.pt")
    shape, state, trained = load_encoder(tmp_path / "encoder.pt")
    again = new_encoder(shape)
    again.load_state_dict(state)
    x = torch.randn(1, 3, 8, 8, 8)
    assert torch.equal(again.embed(x), encoder.embed(x))
    assert trained == {"preset": "tiny", "steps": 2}


def test_swin_weights_fit_monais_segmentation_network():
    from monai.networks.nets import SwinUNETR

    whole = SwinUNETR(
        in_channels=3, out_channels=2, feature_size=12, depths=SWIN.blocks, num_heads=SWIN.heads, window_size=4
    )
    whole.swinViT.load_state_dict(new_encoder(SWIN).swin.state_dict())


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": (4, 8), "blocks": (1,)},
        {"kind": "swin_unetr", "channels": (12, 24), "blocks": (1, 1, 1, 1)},
        {"kind": "swin_unetr", "channels": (12, 24, 48, 96, 192), "blocks": (1, 1)},
        {"kind": "swin_unetr", "channels": (12, 24, 48, 96, 192), "blocks": (1, 1, 1, 1), "heads": (5, 5, 5, 5)},
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match=r"give|five|divide"):
        new_encoder(EncoderShape(**wrong))
