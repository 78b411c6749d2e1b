"""A bundle is what its manifest says, or it does not load."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_bundle
from tiny_bundle import add_variant, load, onnx, settings_of, sign_manifest, write_bundle, write_manifest

from pacs_agent.config import InferenceSettings
from pacs_agent.inference import BundleRefused, installed_bundles, load_any, self_test, self_test_of
from tests import shipped


def refusal(folder: Path) -> BundleRefused:
    with pytest.raises(BundleRefused) as caught:
        load(folder)
    return caught.value


def test_identity_and_labels(bundle_folder: Path) -> None:
    bundle = load(bundle_folder)
    identity = bundle.identity()
    assert (identity.name, identity.version, identity.device_uid) == ("tiny", "1.0", "2.25.1")
    assert [label.key for label in bundle.labels] == ["nodule", "effusion"]
    assert bundle.accepts.modalities == ("CT",)


def test_the_digest_follows_every_file(bundle_folder: Path) -> None:
    before = load(bundle_folder).digest
    write_manifest(bundle_folder, version="1.1")
    assert load(bundle_folder).digest != before


FILES = [
    "slice_encoder.onnx",
    "study_reader.onnx",
    "report_decoder.onnx",
    "tokenizer.json",
    "self_test/self_test.npz",
    "self_test/grounding.npz",
]


@pytest.mark.parametrize("file", FILES)
def test_one_altered_byte(bundle_folder: Path, file: str) -> None:
    path = bundle_folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    error = refusal(bundle_folder)
    assert path.name in str(error)
    assert "altered" in str(error)
    assert "copy the whole bundle again" in str(error)


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_a_missing_file(bundle_folder: Path, file: str) -> None:
    (bundle_folder / file).unlink()
    assert Path(file).name in refusal(bundle_folder).file
    assert "is missing" in refusal(bundle_folder).fault


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_a_link_out_of_the_folder(bundle_folder: Path, file: str) -> None:
    path = bundle_folder / file
    outside = path.rename(bundle_folder.parent / "outside")
    path.symlink_to(outside)
    assert "link out of the bundle" in refusal(bundle_folder).fault


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/passwd", "a/b.onnx", "..", ""])
def test_a_path_in_the_manifest(bundle_folder: Path, name: str) -> None:
    manifest = json.loads((bundle_folder / "manifest.json").read_text())
    manifest["graphs"]["slice_encoder"]["file"] = name
    (bundle_folder / "manifest.json").write_text(json.dumps(manifest))
    sign_manifest(bundle_folder)
    assert "graphs.slice_encoder.file" in refusal(bundle_folder).fault


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 3}', b" " * (2 << 20)]
)
def test_a_manifest_that_is_none(bundle_folder: Path, content: bytes) -> None:
    (bundle_folder / "manifest.json").write_bytes(content)
    sign_manifest(bundle_folder)
    assert "manifest.json" in refusal(bundle_folder).file


@pytest.mark.parametrize(
    "changes",
    [{"extra": 1}, {"task": "summarise"}, {"token_width": "wide"}, {"device_uid": "1.2/3"}, {"findings": None}],
)
def test_a_manifest_with_wrong_fields(bundle_folder: Path, changes: dict) -> None:
    write_manifest(bundle_folder, **changes)
    assert next(iter(changes)) in refusal(bundle_folder).fault


def test_tensors_in_other_files(bundle_folder: Path) -> None:
    model = tiny_bundle.study_reader()
    model.graph.initializer.append(external_tensor("../../secret"))
    (bundle_folder / "study_reader.onnx").write_bytes(model.SerializeToString())
    write_manifest(bundle_folder)
    assert "external data" in refusal(bundle_folder).fault


def external_tensor(location: str) -> object:
    tensor = onnx.TensorProto(name="far", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def test_bytes_that_are_no_graph(bundle_folder: Path) -> None:
    (bundle_folder / "study_reader.onnx").write_bytes(b"\x0f not a graph")
    write_manifest(bundle_folder)
    assert "no ONNX graph" in refusal(bundle_folder).fault


def spoil(key: str, value: object) -> Callable[[dict], None]:
    return lambda tokenizer: tokenizer.update({key: value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (spoil("format", 2), "format"),
        (spoil("end", 4000), "end is number 4000"),
        (spoil("words", "abc"), "words"),
        (lambda tokenizer: tokenizer["tags"].pop("<absent:effusion>"), "<absent:effusion>"),
    ],
)
def test_a_tokenizer_that_does_not_fit(bundle_folder: Path, change: Callable[[dict], None], says: str) -> None:
    path = bundle_folder / "tokenizer.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    write_manifest(bundle_folder)
    assert says in refusal(bundle_folder).fault


def test_a_document_is_checked_like_a_graph(bundle_folder: Path) -> None:
    (bundle_folder / "plots").mkdir()
    card, plot = bundle_folder / "MODEL_CARD.md", bundle_folder / "plots" / "roc.png"
    card.write_text("# Card")
    plot.write_bytes(b"PNG")
    named = [
        {**tiny_bundle.digest_of(path), "file": path.relative_to(bundle_folder).as_posix()} for path in (card, plot)
    ]
    write_manifest(bundle_folder, documents=named)
    assert load(bundle_folder).unnamed_files() == []
    plot.write_bytes(b"GIF")
    assert refusal(bundle_folder).file == "plots/roc.png"


@pytest.mark.parametrize("name", ["../card.md", "/etc/passwd", "a/b/c.md", "a/../b.md", ".hidden", "plots/"])
def test_a_document_elsewhere(bundle_folder: Path, name: str) -> None:
    write_manifest(bundle_folder, documents=[{"file": name, "sha256": "0" * 64}])
    assert "documents.0.file" in refusal(bundle_folder).fault


def test_a_file_that_the_manifest_does_not_name(bundle_folder: Path) -> None:
    (bundle_folder / "plots").mkdir()
    (bundle_folder / "plots" / "new.png").write_bytes(b"PNG")
    assert load(bundle_folder).unnamed_files() == ["plots/new.png"]


def test_a_variant_is_checked_like_the_encoder(bundle_folder: Path) -> None:
    add_variant(bundle_folder, "int8")
    bundle = load(bundle_folder)
    assert bundle.slice_encoder("int8").file == "slice_encoder.int8.onnx"
    with pytest.raises(BundleRefused, match="names no slice encoder in fp16; set "):
        bundle.slice_encoder("fp16")
    (bundle_folder / "slice_encoder.int8.onnx").write_bytes(b"")
    assert "altered" in refusal(bundle_folder).fault


def test_installed_bundles_says_which_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a-good")
    write_bundle(tmp_path / "b-bad")
    (tmp_path / "b-bad" / "tokenizer.json").write_text("{}")
    (tmp_path / "no-bundle").mkdir()
    installed = installed_bundles(settings_of(tmp_path / "a-good"))
    assert [bundle.folder.name for bundle in installed.bundles] == ["a-good"]
    assert [error.file for error in installed.refused] == ["b-bad/tokenizer.json"]
    assert installed_bundles(InferenceSettings(bundles_dir=tmp_path / "nowhere")).bundles == ()


def test_a_refusal_survives_the_workflows_tables(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("folder", shipped.every(), ids=lambda folder: folder.name)
def test_every_shipped_bundle_passes_its_own_test(folder: Path) -> None:
    report = self_test_of(load_any(folder), InferenceSettings(provider="cpu"))
    assert report.faults == ()
    assert report.passed


def test_self_test_by_hand(bundle_folder: Path) -> None:
    report = self_test(load(bundle_folder), InferenceSettings(provider="cpu"))
    assert report.faults == ()
    assert report.bundle == "tiny 1.0"
    assert report.provider == "cpu"


def test_self_test_finds_another_model(bundle_folder: Path) -> None:
    sentences = tiny_bundle.SENTENCES | {"<absent:effusion>": "an effusion ."}
    (bundle_folder / "report_decoder.onnx").write_bytes(tiny_bundle.report_decoder(sentences).SerializeToString())
    (bundle_folder / "tokenizer.json").write_text(json.dumps(tiny_bundle.tokenizer(sentences)))
    write_manifest(bundle_folder, findings=[tiny_bundle.entry("nodule", bias=0.1), tiny_bundle.entry("effusion")])
    report = self_test(load(bundle_folder), InferenceSettings(provider="cpu"))
    assert not report.passed
    assert [fault.split()[0] for fault in report.faults] == ["probabilities", "<absent:effusion>"]


def test_a_self_test_that_is_none(bundle_folder: Path) -> None:
    (bundle_folder / "self_test" / "self_test.npz").write_bytes(b"PK nothing")
    write_manifest(bundle_folder)
    with pytest.raises(BundleRefused, match="is no self-test"):
        self_test(load(bundle_folder), InferenceSettings(provider="cpu"))
