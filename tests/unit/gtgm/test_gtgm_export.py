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
from models.gtgm.steady_norm import SteadyGroupNorm  # noqa: E402
from models.gtgm.structures import (  # noqa: E402
    STRUCTURES,
    UnknownStructure,
    background_of,
    merged,
    shares_of,
    structures_without,
)
from models.msvlm.runtime import session  # noqa: E402
from models.msvlm.sign import sign_bundle, trust  # noqa: E402
from pacs_agent.inference.bundle import SegmenterBundle, load_any  # noqa: E402
from pacs_agent.inference.refusal import BundleRefused  # noqa: E402

pytestmark = pytest.mark.train
PATCH = (16, 16, 16)
WITHOUT = ("nodule_or_mass",)


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
    return written(kept, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def bundle_without(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose network knows nodules and which outlines none."""
    return written(kept, tmp_path_factory.mktemp("without"), WITHOUT)


def written(kept: Path, folder: Path, without: tuple[str, ...] = ()) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(selftest, "SHOWN", dict.fromkeys(selftest.SHOWN, 1))
        return export.write_bundle(kept, folder, 1, folder / "cache", PATCH, without)


@pytest.mark.parametrize("without", [(), WITHOUT])
def test_the_graph_says_what_the_network_says_for_any_number_of_patches(
    kept: Path, without: tuple[str, ...], request: pytest.FixtureRequest
):
    folder = request.getfixturevalue("bundle_without" if without else "bundle")
    network, _ = load_segmenter(kept)
    structures = structures_without(without)
    graph = session(folder / export.GRAPH, 1)
    for count in (1, 3):
        patch = torch.empty(count, 1, *PATCH).uniform_(-1000.0, 600.0)
        with torch.no_grad():
            shares = network.probabilities(patch)
        of_all = (background_of(structures), *(one.classes for one in structures))
        expected = torch.stack([shares[:, list(of)].sum(1) for of in of_all], 1).numpy()
        (found,) = graph.run(None, {"patch": patch.numpy()})
        assert np.abs(found - expected).max() < 1e-5
        assert np.abs(found.sum(1) - 1.0).max() < 1e-5


def test_what_is_left_out_is_in_no_part_of_the_bundle_but_the_card_that_says_so(bundle_without: Path):
    manifest = json.loads((bundle_without / "manifest.json").read_text())
    assert [one["key"] for one in manifest["structures"]] == ["lung", "heart", "pleural_effusion"]
    with np.load(bundle_without / "self_test" / "self_test.npz") as kept:
        assert kept["dice"].shape == (3,)
        assert set(np.unique(kept["labels"])) <= {0, 1, 2, 3}
    figures = json.loads((bundle_without / "evaluation.json").read_text())
    assert set(figures["structures"]) == {"lung", "heart", "pleural_effusion"}
    assert set(figures["left_out"]) == {"nodule_or_mass"}
    card = (bundle_without / "MODEL_CARD.md").read_text()
    assert "Outlines in axial chest CT: lung, heart, pleural effusion." in card
    assert "**no nodule or mass**" in card
    assert "background" in card


def test_what_is_left_out_is_background():
    without = structures_without(WITHOUT)
    assert merged(np.arange(6, dtype=np.uint8), without).tolist() == [0, 1, 1, 2, 3, 0]
    assert background_of(without) == (0, 5)
    without = structures_without(("heart", "lung", *WITHOUT))
    assert merged(np.array([0, 1, 2, 3, 4, 5, 255], np.uint8), without).tolist() == [0, 0, 0, 0, 1, 0, 255]
    shares = np.eye(6, dtype=np.float16)
    assert shares_of(shares, without).argmax(0).tolist() == [0, 0, 0, 0, 1, 0]


def test_a_structure_nobody_knows_and_a_bundle_of_nothing_are_refused():
    with pytest.raises(UnknownStructure, match="no structure spleen; there are lung"):
        structures_without(("spleen",))
    with pytest.raises(UnknownStructure, match="every"):
        structures_without([one.entry.key for one in STRUCTURES])


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
    assert list(figures["structures"]) == [one.entry.key for one in STRUCTURES]
    lesions = [key for key, one in figures["structures"].items() if "lesions" in one]
    assert lesions == ["pleural_effusion", "nodule_or_mass"]
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "Left out" not in card
    assert "Not for clinical use" in card
    assert "random" in card
    (bundle / LABEL_EFFICIENCY).write_text("| arm | Dice |")
    write_card(bundle, load_segmenter_preset("tiny"), figures)
    assert "| arm | Dice |" in (bundle / "MODEL_CARD.md").read_text()


def test_labels_of_the_network_become_those_of_the_graph():
    every = [label for one in STRUCTURES for label in one.classes]
    assert sorted(every) == list(range(1, len(NAMES)))
    assert merged(np.arange(6, dtype=np.uint8), STRUCTURES).tolist() == [0, 1, 1, 2, 3, 4]


def test_the_graphs_normalisation_is_that_of_the_network_also_far_from_zero():
    norm = torch.nn.GroupNorm(2, 4)
    torch.nn.init.normal_(norm.weight)
    values = torch.randn(2, 4, 5, 6, 7) + 3.0
    assert torch.allclose(SteadyGroupNorm(norm)(values), norm(values), atol=1e-5)
