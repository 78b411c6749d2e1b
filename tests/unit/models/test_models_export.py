"""A network becomes a bundle: the same bytes each time, in three precisions, signed only when it reads the image."""

import json
import logging
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch")
import onnx  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402

from models.msvlm import export, graphs, sign  # noqa: E402
from models.msvlm.network import new_network  # noqa: E402
from models.msvlm.preset import PLACES, POOLS, REGION_POOLS, load_preset  # noqa: E402
from models.msvlm.quantise import Calibration, calibration_slices  # noqa: E402
from models.msvlm.runtime import BundleRuntime, read_manifest  # noqa: E402
from models.msvlm.selftest import self_test_series  # noqa: E402
from pacs_agent.config import InferenceSettings  # noqa: E402
from pacs_agent.inference import BundleRefused, load_bundle, self_test, verify  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(1200)]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module", autouse=True)
def _quiet_exporter():
    """The exporter's debug lines cost more than the export when they are captured."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def network():
    """Untrained, seconds to export."""
    return new_network(load_preset("tiny")).eval()


@pytest.fixture(scope="session")
def written(network, tmp_path_factory) -> Path:
    return export.write_bundle(
        network, tmp_path_factory.mktemp("bundles"), Calibration((self_test_series(),), "itself")
    )


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, with what an evaluation leaves there."""
    copy = shutil.copytree(written, tmp_path / written.name)
    losses = {"macro_auroc_loss": 0.001, "worst_auroc_loss": 0.004}
    (copy / "evaluation.json").write_text(json.dumps({"variants": {"int8": losses}}))
    (copy / "plots").mkdir()
    (copy / "plots" / "roc.png").write_bytes(b"PNG")
    return copy


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    sign.trust(KEY, "tests", tmp_path / "keys")
    return tmp_path / "keys"


def test_the_same_network_gives_the_same_bytes(network, written, tmp_path):
    for one in (graphs.slice_encoder_export(network), graphs.report_decoder_export(network)):
        assert graphs.write_graph(one, tmp_path).read_bytes() == (written / one.file).read_bytes(), one.file


def test_a_graph_that_computes_something_else_is_not_shipped(network, written, tmp_path):
    one = graphs.report_decoder_export(network)
    other = onnx.load(written / one.file)
    weight = next(tensor for tensor in other.graph.initializer if tensor.name.endswith("to_words.weight"))
    changed = onnx.numpy_helper.to_array(weight) * 1.1
    weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
    onnx.save(other, tmp_path / one.file)
    with pytest.raises(graphs.GraphDiffers, match=r"report_decoder.onnx: output logits differs"):
        graphs.check_parity(one, tmp_path / one.file)


def split_off_peaks(tokens):
    """Numbers of tokens [L, d] that are no counts of peaks, and those that are."""
    width = load_preset("tiny").network.encoder_width
    numbers = tokens[:, width:].reshape(len(tokens), -1, POOLS + PLACES)
    is_count = np.arange(POOLS + PLACES) % REGION_POOLS == REGION_POOLS - 1
    is_count[POOLS:] = False
    others = np.concatenate([tokens[:, :width], numbers[..., ~is_count].reshape(len(tokens), -1)], axis=1)
    return others, numbers[..., is_count]


def test_precisions_say_nearly_the_same_of_the_same_slices(written):
    series = self_test_series()
    full, half, small = (BundleRuntime.open(written, 1, one).encode(series) for one in ("fp32", "fp16", "int8"))
    for lower, near, peaks_near in ((half, 0.02, 0.5), (small, 0.5, 2.0)):
        # Of two patches that are nearly equal, rounding decides which is the peak: counts move in steps.
        apart, peaks_apart = split_off_peaks(np.abs(lower.tokens - full.tokens))
        assert apart.max() < near
        assert peaks_apart.max() < peaks_near
        np.testing.assert_array_equal(lower.centres_px, full.centres_px)
        assert not np.array_equal(lower.tokens, full.tokens)


def test_the_pre_processing_stays_in_fp32(written):
    """HU and positions do not fit into fp16 or eight bits."""
    half = onnx.load(written / "slice_encoder.fp16.onnx").graph
    convolution = next(index for index, node in enumerate(half.node) if node.op_type == "Conv")
    sized = {name for node in half.node if node.op_type == "Shape" for name in node.input}
    casts = [node for node in half.node[:convolution] if node.op_type == "Cast" and node.output[0] not in sized]
    assert sum(node.attribute[0].i == onnx.TensorProto.FLOAT16 for node in casts) == 1
    small = onnx.load(written / "slice_encoder.int8.onnx").graph
    kinds = {name: node.op_type for node in small.node for name in node.output}
    products = [node for node in small.node if node.op_type == "MatMul"]
    quantised = [node for node in products if all(kinds.get(name) == "DequantizeLinear" for name in node.input)]
    weights = {tensor.name for tensor in small.initializer}
    assert quantised, "no layer is quantised"
    for node in quantised:
        dequantised = next(one for one in small.node if one.output[0] == node.input[1])
        assert dequantised.input[0] in weights, f"{node.name} multiplies computed values in eight bits"


def test_phantoms_with_every_finding_calibrate_where_no_real_ct_is(monkeypatch):
    monkeypatch.setattr("models.msvlm.quantise.cases_there", lambda: ())
    assert calibration_slices().made == "static, per channel, ranges from 72 slices of 6 phantoms and 0 real CTs"


def test_sealed_and_signed_it_loads_and_says_what_it_said(folder, keys):
    sign.seal(folder)
    sign.sign_bundle(folder, KEY)
    loaded = load_bundle(folder, keys)
    assert [document.file for document in loaded.manifest.documents] == ["evaluation.json", "plots/roc.png"]
    assert loaded.manifest.variants["int8"].worst_auroc_loss == 0.004
    assert loaded.manifest.variants["fp16"].worst_auroc_loss is None
    assert loaded.unnamed_files() == []
    for precision in ("fp32", "int8", "fp16"):
        report = self_test(loaded, InferenceSettings(provider="cpu", precision=precision))
        assert report.faults == (), precision


def test_an_untrained_network_does_not_read_the_image(folder, keys):
    sign.seal(folder)
    sign.sign_bundle(folder, KEY)
    assert "grounding fp32 on cpu" in verify(folder, InferenceSettings(provider="cpu", trusted_keys=keys)).faults
    with pytest.raises(sign.CannotSign, match="because it would not run"):
        sign.release(folder, KEY)
    assert not (folder / "manifest.sig").exists()


def test_a_changed_manifest_is_unsigned(folder, keys):
    sign.sign_bundle(folder, KEY)
    export.write_manifest(folder, read_manifest(folder))
    with pytest.raises(BundleRefused, match="nobody vouches"):
        load_bundle(folder, keys)


def test_too_large_a_bundle(folder):
    with (folder / "plots" / "huge.png").open("wb") as file:
        file.truncate(31 * 2**20)
    with pytest.raises(sign.CannotSign, match="at most 30 are released"):
        sign.release(folder, KEY)


@pytest.fixture
def passing(monkeypatch):
    monkeypatch.setattr(sign, "release", lambda folder, key: sign.sign_bundle(folder, key))


def test_a_new_key_stays_with_its_maker(folder, tmp_path, monkeypatch, passing):
    monkeypatch.setattr("click.get_app_dir", lambda _name: str(tmp_path / "home"))
    arguments = ["--bundle", str(folder), "--trusted-keys", str(tmp_path / "trusted")]
    done = CliRunner().invoke(sign.main, arguments)
    assert done.exit_code == 0, done.output
    (private,) = (tmp_path / "home" / "keys").iterdir()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert load_bundle(folder, tmp_path / "trusted").signer.name == folder.name
    again = CliRunner().invoke(sign.main, [*arguments, "--key", str(private)])
    assert again.exit_code == 0, again.output
    private.chmod(0o644)
    assert "can be read by others" in CliRunner().invoke(sign.main, [*arguments, "--key", str(private)]).output


def test_a_single_use_key_is_forgotten(folder, tmp_path, monkeypatch, passing):
    monkeypatch.setattr("click.get_app_dir", lambda _name: str(tmp_path / "home"))
    arguments = ["--bundle", str(folder), "--trusted-keys", str(tmp_path / "trusted"), "--single-use"]
    assert CliRunner().invoke(sign.main, arguments).exit_code == 0
    assert not (tmp_path / "home").exists()
    load_bundle(folder, tmp_path / "trusted")
