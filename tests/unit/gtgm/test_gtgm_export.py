"""The bundle of a segmenter: its graph says what the network says, and the agent takes it."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from models.gtgm import export, selftest  # noqa: E402
from models.gtgm.card import LABEL_EFFICIENCY, write_card  # noqa: E402
from models.gtgm.finetune.heads import load_segmenter, new_segmenter, save_segmenter  # noqa: E402
from models.gtgm.finetune.phantoms import NAMES  # noqa: E402
from models.gtgm.finetune.preset import load_segmenter_preset  # noqa: E402
from models.gtgm.selftest import merged  # noqa: E402
from models.gtgm.steady_norm import SteadyGroupNorm  # noqa: E402
from models.msvlm.runtime import session  # noqa: E402
from models.msvlm.sign import sign_bundle, trust  # noqa: E402
from pacs_agent.inference.bundle import SegmenterBundle, load_any  # noqa: E402
from pacs_agent.inference.refusal import BundleRefused  # noqa: E402

pytestmark = pytest.mark.train
PATCH = (16, 16, 16)
CLASSES = [classes for classes, _ in export.STRUCTURES]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tiny segmenter, as fine-tuning keeps it."""
    preset = load_segmenter_preset("tiny")
    torch.manual_seed(0)
    account = {"preset": preset.model_dump(mode="json"), "encoder": "random", "volumes": 2, "validation": {}}
    path = tmp_path_factory.mktemp("kept") / "segmenter.pt"
    save_segmenter(new_segmenter(preset.encoder, len(NAMES)), account, path)
    return path


@pytest.fixture(scope="module")
def bundle(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    patched = pytest.MonkeyPatch()
    patched.setattr(selftest, "SHOWN", dict.fromkeys(selftest.SHOWN, 1))
    written = export.write_bundle(kept, folder, 1, folder / "cache", PATCH)
    patched.undo()
    return written


def test_the_graph_says_what_the_network_says_for_any_number_of_patches(kept: Path, bundle: Path):
    network, _ = load_segmenter(kept)
    graph = session(bundle / export.GRAPH, 1)
    for count in (1, 3):
        patch = torch.empty(count, 1, *PATCH).uniform_(-1000.0, 600.0)
        with torch.no_grad():
            shares = network.probabilities(patch)
        expected = torch.stack([shares[:, list(of)].sum(1) for of in ((0,), *CLASSES)], 1).numpy()
        (found,) = graph.run(None, {"patch": patch.numpy()})
        assert np.abs(found - expected).max() < 1e-5


def test_the_agent_reads_the_sealed_and_signed_bundle(bundle: Path, tmp_path: Path):
    export.seal_segmenter(bundle)
    key = Ed25519PrivateKey.generate()
    sign_bundle(bundle, key)
    trust(key, "test", tmp_path)
    read = load_any(bundle, tmp_path)
    assert isinstance(read, SegmenterBundle)
    assert [one.key for one in read.manifest.structures] == ["lung", "heart", "pleural_effusion", "nodule_or_mass"]
    assert {one.file for one in read.manifest.documents} == {"MODEL_CARD.md", "evaluation.json"}
    assert read.manifest.demo
    assert not read.unnamed_files()
    (bundle / export.GRAPH).write_bytes(b"another")
    with pytest.raises(BundleRefused):
        load_any(bundle, tmp_path)


def test_figures_and_card_say_how_it_does_on_phantoms_it_has_not_seen(bundle: Path):
    figures = json.loads((bundle / "evaluation.json").read_text())
    assert set(figures["structures"]) == set(NAMES[1:])
    assert [name for name, one in figures["structures"].items() if "lesions" in one] == list(NAMES[-2:])
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "Not for clinical use" in card
    assert "random" in card
    (bundle / LABEL_EFFICIENCY).write_text("| arm | Dice |")
    write_card(bundle, load_segmenter_preset("tiny"), figures)
    assert "| arm | Dice |" in (bundle / "MODEL_CARD.md").read_text()


def test_labels_of_the_network_become_those_of_the_graph():
    every = [label for classes in CLASSES for label in classes]
    assert sorted(every) == list(range(1, len(NAMES)))
    assert merged(np.arange(6, dtype=np.uint8), CLASSES).tolist() == [0, 1, 1, 2, 3, 4]


def test_the_graphs_normalisation_is_that_of_the_network_also_far_from_zero():
    norm = torch.nn.GroupNorm(2, 4)
    torch.nn.init.normal_(norm.weight)
    values = torch.randn(2, 4, 5, 6, 7) + 3.0
    assert torch.allclose(SteadyGroupNorm(norm)(values), norm(values), atol=1e-5)
