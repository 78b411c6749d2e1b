"""Every kind of encoder under a segmenter: starts from a checkpoint, and its graph says what the network says."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.gtgm.export import GRAPH, segmenter_export  # noqa: E402
from models.gtgm.finetune.heads import from_checkpoint, load_segmenter, new_segmenter, save_segmenter  # noqa: E402
from models.gtgm.finetune.phantoms import NAMES  # noqa: E402
from models.gtgm.networks import EncoderShape, new_encoder, save_encoder  # noqa: E402
from models.msvlm.graphs import write_graph  # noqa: E402
from models.msvlm.runtime import session  # noqa: E402

pytestmark = pytest.mark.train
SHAPES = {
    "res_unet": EncoderShape(channels=(4, 8), blocks=(1, 1)),
    "swin_unetr": EncoderShape(
        kind="swin_unetr", channels=(12, 24, 48, 96, 192), blocks=(1, 1, 1, 1), heads=(1, 2, 2, 2), window_voxels=2
    ),
    "unetr": EncoderShape(
        kind="unetr", channels=(4, 4, 8, 8, 16), blocks=(1, 1, 1, 1), heads=(2,), position_voxels=(32, 32, 32)
    ),
}
PATCHES = {"res_unet": (16, 16, 16), "swin_unetr": (32, 32, 32), "unetr": (16, 48, 32)}
"""UNETR's is of another size than the one for which it learned places."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["res_unet", "unetr"])  # Swin UNETR's graph passes too, and takes minutes to write
def test_the_graph_says_what_the_network_says(tmp_path: Path, kind: str):
    torch.manual_seed(0)
    network = new_segmenter(SHAPES[kind], len(NAMES)).eval()
    export = segmenter_export(network, PATCHES[kind])
    graph = session(write_graph(export, tmp_path), 1)
    assert (tmp_path / GRAPH).is_file()
    for count in (1, 3):
        patch = torch.empty(count, 1, *PATCHES[kind]).uniform_(-1000.0, 600.0)
        with torch.no_grad():
            (expected,) = export.module(patch)
            shares = network.probabilities(patch)
        (found,) = graph.run(None, {"patch": patch.numpy()})
        assert np.abs(found - expected.numpy()).max() < 1e-5
        assert np.abs(found[:, 0] - shares[:, 0].numpy()).max() < 1e-4


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_a_segmenter_starts_from_a_checkpoint_and_survives_its_file(tmp_path: Path, kind: str):
    encoder = new_encoder(SHAPES[kind])
    save_encoder(encoder, {}, tmp_path / "encoder.pt")
    network = from_checkpoint(tmp_path / "encoder.pt", SHAPES[kind], 2).eval()
    for name, value in encoder.state_dict().items():
        assert torch.equal(network.encoder.state_dict()[name], value)
    save_segmenter(network, {}, tmp_path / "segmenter.pt")
    again, _ = load_segmenter(tmp_path / "segmenter.pt")
    values = torch.empty(1, 1, network.stride, network.stride, network.stride).uniform_(-1000.0, 600.0)
    with torch.no_grad():
        assert torch.equal(again(values), network(values))
