"""A bundle of three graphs so small that one can say by hand what they must give.

Token of a slice: (mean HU / 1000, HU of the first pixel / 1000, spacing between rows, between columns).
The field's centre is that of the image.
Logit of finding f: the largest token[f] of the slices that are there; slice weight: sigmoid(token[f]); attention:
softmax of token[f] over the slices that are there. Attribute logits: a table, the same for every study.
Visual tokens: the logits, repeated. Decoder: a sentence is fixed by its tag, whatever else its prompt says.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import OrderedSeries
from pacs_agent.inference import Bundle, load_bundle
from pacs_agent.inference.attributes import Attributes, prompt, prompt_words
from pacs_agent.inference.signature import SIGNATURE, sign

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

MakeSeries = Callable[..., OrderedSeries]

KEYS = ("nodule", "effusion")
F, D, G, Q, K = 2, 4, 2, 2, 2
LAYERS, HEADS, WIDTH = 1, 2, 3
OPSET = 18

ATTRIBUTES = (
    "side:right",
    "side:left",
    *(f"lobe:{lobe} lobe" for lobe in ("right upper", "right middle", "right lower", "left upper", "left lower")),
    *(f"grade:{grade}" for grade in range(3)),
    *(f"count:{count}" for count in ("one", "few", "many")),
)
ATTRIBUTE_LOGITS = np.linspace(-1, 1, F * len(ATTRIBUTES), dtype=np.float32).reshape(F, -1)
PRECISIONS = ("fp32", "int8", "fp16")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Nobody trusts it but the tests."""

SENTENCES = {
    "<present:nodule>": "there is a nodule .",
    "<absent:nodule>": "no nodule .",
    "<impression:nodule>": "nodule .",
    "<present:effusion>": "there is an effusion , small .",
    "<absent:effusion>": "no effusion .",
    "<impression:effusion>": "effusion .",
}


def tensor(name: str, value: Any, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.array(value, dtype), name)


def value(name: str, kind: int, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> Any:
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def slice_encoder() -> Any:
    node = helper.make_node
    nodes = [
        node("Cast", ["stored"], ["f"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["slope", "last_two"], ["s"]),
        node("Unsqueeze", ["intercept", "last_two"], ["i"]),
        node("Mul", ["f", "s"], ["fs"]),
        node("Add", ["fs", "i"], ["hu"]),
        node("Div", ["hu", "thousand"], ["khu"]),
        node("ReduceMean", ["khu", "last_two"], ["mean"], keepdims=0),
        node("Unsqueeze", ["mean", "one"], ["mean1"]),
        node("Slice", ["khu", "zeros", "ones", "last_two"], ["corner"]),
        node("Squeeze", ["corner", "two"], ["corner1"]),
        node("Concat", ["mean1", "corner1", "spacing_mm"], ["token"], axis=1),
        node("Unsqueeze", ["mean1", "last_two_of_four"], ["m4"]),
        node("Shape", ["mean"], ["n"]),
        node("Concat", ["n", "grid"], ["shape"], axis=0),
        node("Expand", ["m4", "shape"], ["patch_grid"]),
        node("Shape", ["stored"], ["size"], start=1),
        node("Cast", ["size"], ["size_f"], to=TensorProto.FLOAT),
        node("Sub", ["size_f", "one_f"], ["last_px"]),
        node("Mul", ["last_px", "half"], ["centre"]),
        node("Concat", ["n", "two"], ["n2"], axis=0),
        node("Expand", ["centre", "n2"], ["field_centre_px"]),
    ]
    constants = [
        tensor("last_two", [1, 2], np.int64),
        tensor("last_two_of_four", [2, 3], np.int64),
        tensor("one", [1], np.int64),
        tensor("two", [2], np.int64),
        tensor("zeros", [0, 0], np.int64),
        tensor("ones", [1, 1], np.int64),
        tensor("grid", [F, G, G], np.int64),
        tensor("thousand", 1000.0),
        tensor("one_f", 1.0),
        tensor("half", 0.5),
    ]
    inputs = [
        value("stored", TensorProto.INT16, ["n", "rows", "columns"]),
        value("slope", TensorProto.FLOAT, ["n"]),
        value("intercept", TensorProto.FLOAT, ["n"]),
        value("spacing_mm", TensorProto.FLOAT, ["n", 2]),
    ]
    outputs = [
        value("token", TensorProto.FLOAT, ["n", D]),
        value("patch_grid", TensorProto.FLOAT, ["n", F, G, G]),
        value("field_centre_px", TensorProto.FLOAT, ["n", 2]),
    ]
    return model("slice_encoder", nodes, inputs, outputs, constants)


def study_reader(attribute_logits: Any = ATTRIBUTE_LOGITS) -> Any:
    node = helper.make_node
    nodes = [
        node("Slice", ["tokens", "zero", "findings", "last"], ["per_slice"]),
        node("Transpose", ["per_slice"], ["by_finding"], perm=[0, 2, 1]),
        node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["m", "middle"], ["m3"]),
        node("Sub", ["m3", "one"], ["away"]),
        node("Mul", ["away", "far"], ["far_away"]),
        node("Add", ["by_finding", "far_away"], ["there"]),
        node("ReduceMax", ["there", "last"], ["finding_logits"], keepdims=0),
        node("Sigmoid", ["by_finding"], ["w"]),
        node("Mul", ["w", "m3"], ["slice_weights"]),
        node("Softmax", ["there"], ["slice_attention"], axis=2),
        node("Shape", ["finding_logits"], ["b"], end=1),
        node("Concat", ["b", "table_size"], ["attributes_size"], axis=0),
        node("Expand", ["attribute_table", "attributes_size"], ["attribute_logits"]),
        node("Unsqueeze", ["finding_logits", "middle"], ["l3"]),
        node("Concat", ["l3", "l3"], ["visual_tokens"], axis=1),
    ]
    constants = [
        tensor("zero", [0], np.int64),
        tensor("findings", [F], np.int64),
        tensor("last", [2], np.int64),
        tensor("middle", [1], np.int64),
        tensor("one", 1.0),
        tensor("far", 1e6),
        tensor("attribute_table", attribute_logits),
        tensor("table_size", np.shape(attribute_logits), np.int64),
    ]
    ids = [value(name, TensorProto.INT64, ["b", "L"]) for name in ("plane", "sequence", "phase")]
    inputs = [
        value("tokens", TensorProto.FLOAT, ["b", "L", D]),
        value("z_mm", TensorProto.FLOAT, ["b", "L"]),
        *ids,
        value("mask", TensorProto.BOOL, ["b", "L"]),
    ]
    outputs = [
        value("finding_logits", TensorProto.FLOAT, ["b", F]),
        value("slice_weights", TensorProto.FLOAT, ["b", F, "L"]),
        value("slice_attention", TensorProto.FLOAT, ["b", F, "L"]),
        value("attribute_logits", TensorProto.FLOAT, ["b", F, np.shape(attribute_logits)[1]]),
        value("visual_tokens", TensorProto.FLOAT, ["b", Q, K]),
    ]
    return model("study_reader", nodes, inputs, outputs, constants)


def vocabulary(sentences: dict[str, str]) -> tuple[list[str], list[tuple[int, int]]]:
    """Words, and which follows which; a word that occurs in two sentences has two numbers."""
    words, follows = ["<pad>", "<end>", *sentences, *prompt_words()], []
    for first, text in sentences.items():
        last = words.index(first)
        for word in text.split():
            words.append(word)
            follows.append((last, len(words) - 1))
            last = len(words) - 1
        follows.append((last, 1))
    return words, follows


def tokenizer(sentences: dict[str, str]) -> dict[str, Any]:
    words, _ = vocabulary(sentences)
    return {
        "format": 1,
        "words": words,
        "tags": {word: number for number, word in enumerate(words) if ":" in word},
        "end": 1,
        "pad": 0,
        "no_space_before": [".", ","],
    }


def report_decoder(sentences: dict[str, str]) -> Any:
    """After the last word of the prompt comes the first word of its tag's sentence; the cache remembers the tag."""
    words, follows = vocabulary(sentences)
    after_tag = np.zeros((len(words), len(words)), np.float32)
    after_word = np.zeros_like(after_tag)
    for before, after in follows:
        (after_tag if words[before] in sentences else after_word)[before, after] = 5.0
    node = helper.make_node
    nodes = [
        node(
            "Cast",
            [
                "word",
            ],
            ["number"],
            to=TensorProto.FLOAT,
        ),
        node("Unsqueeze", ["number", "cache_axes"], ["number5"]),
        node("Shape", ["past_keys"], ["whole"]),
        node("ScatterElements", ["whole", "three", "one"], ["step"]),
        node("Expand", ["number5", "step"], ["new"]),
        node("Concat", ["past_keys", "new"], ["keys"], axis=3),
        node("Concat", ["past_values", "new"], ["values"], axis=3),
        node("Slice", ["keys", "zeros", "ones", "all_but_batch"], ["first"]),
        node("Reshape", ["first", "flat"], ["first_flat"]),
        node("Cast", ["first_flat"], ["tag"], to=TensorProto.INT64),
        node("Gather", ["after_tag", "tag"], ["by_tag"]),
        node("Gather", ["is_prompt", "word"], ["in_prompt"]),
        node("Mul", ["by_tag", "in_prompt"], ["begin"]),
        node("Gather", ["after_word", "word"], ["by_word"]),
        node("Squeeze", ["by_word", "one"], ["go_on"]),
        node("Add", ["begin", "go_on"], ["logits"]),
    ]
    constants = [
        tensor("after_tag", after_tag),
        tensor("after_word", after_word),
        tensor("is_prompt", [float(":" in word) for word in words]),
        tensor("one", [1], np.int64),
        tensor("three", [3], np.int64),
        tensor("flat", [-1], np.int64),
        tensor("cache_axes", [0, 2, 3], np.int64),
        tensor("all_but_batch", [0, 2, 3, 4], np.int64),
        tensor("zeros", [0, 0, 0, 0], np.int64),
        tensor("ones", [1, 1, 1, 1], np.int64),
    ]
    past, present = [LAYERS, "b", HEADS, "t", WIDTH], [LAYERS, "b", HEADS, "t1", WIDTH]
    inputs = [
        value("word", TensorProto.INT64, ["b", 1]),
        value("visual_tokens", TensorProto.FLOAT, ["b", Q, K]),
        value("past_keys", TensorProto.FLOAT, past),
        value("past_values", TensorProto.FLOAT, past),
    ]
    outputs = [
        value("logits", TensorProto.FLOAT, ["b", len(words)]),
        value("keys", TensorProto.FLOAT, present),
        value("values", TensorProto.FLOAT, present),
    ]
    return model("report_decoder", nodes, inputs, outputs, constants)


def write_bundle(
    folder: Path,
    sentences: dict[str, str] | None = None,
    attribute_logits: Any = ATTRIBUTE_LOGITS,
    **changes: Any,
) -> Path:
    """The bundle in a new folder, signed; `changes` are made to its manifest."""
    sentences = SENTENCES if sentences is None else sentences
    (folder / "self_test").mkdir(parents=True)
    (folder / "slice_encoder.onnx").write_bytes(slice_encoder().SerializeToString())
    (folder / "study_reader.onnx").write_bytes(study_reader(attribute_logits).SerializeToString())
    (folder / "report_decoder.onnx").write_bytes(report_decoder(sentences).SerializeToString())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(sentences)))
    write_self_test(folder)
    write_grounding(folder)
    write_manifest(folder, **changes)
    return folder


def write_self_test(folder: Path) -> None:
    """Two slices of 2 × 2 pixels and what the graphs above give for them, worked out by hand."""
    weights = np.array([[1.0, 1.0], [1.0, 4.0]])
    numbers = {
        "token_sums": np.array([7.0, 10.0]),
        "grid_sums": np.array([8.0, 8.0]),
        "field_centre_px": np.full((2, 2), 0.5),
        "finding_logits": np.array([1.0, 4.0]),
        "probabilities": 1 / (1 + np.exp(-np.array([1.0, 4.0]))),
        "slice_weights": 1 / (1 + np.exp(-weights)),
        "slice_attention": np.exp(weights) / np.exp(weights).sum(axis=1, keepdims=True),
        "attribute_logits": ATTRIBUTE_LOGITS,
    }
    np.savez(
        folder / "self_test" / "self_test.npz",
        stored=np.array([[[1000, 1000], [1000, 1000]], [[4000, 0], [0, 0]]], np.int16),
        slope=1.0,
        intercept=0.0,
        spacing_mm=np.array([2.0, 3.0], np.float32),
        z_mm=np.array([0.0, 5.0], np.float32),
        prompts=np.array([prompt(tag, Attributes()) for tag in ("<present:nodule>", "<absent:effusion>")]),
        sentences=np.array(["There is a nodule.", "No effusion."]),
        **{f"{precision}.{name}": value for precision in PRECISIONS for name, value in numbers.items()},
    )


def write_grounding(folder: Path, labels: Any = ((True, False), (False, True))) -> None:
    """Two studies of two slices: a nodule (a high mean), and an effusion (a high first pixel)."""
    nodule, effusion = np.full((4, 4), 2000, np.int16), np.zeros((4, 4), np.int16)
    nodule[0, 0], effusion[0, 0] = 0, 4000
    np.savez(
        folder / "self_test" / "grounding.npz",
        stored=np.array([[nodule, nodule], [effusion, effusion]]),
        slope=1.0,
        intercept=0.0,
        spacing_mm=np.ones((2, 2), np.float32),
        z_mm=np.array([[0.0, 5.0]] * 2, np.float32),
        labels=np.array(labels),
    )


def add_variant(folder: Path, precision: str, **figures: float) -> None:
    """Puts the same slice encoder under another name, as if it were of lower precision, and signs again."""
    encoder = slice_encoder()
    encoder.doc_string = precision
    path = folder / f"slice_encoder.{precision}.onnx"
    path.write_bytes(encoder.SerializeToString())
    manifest = json.loads((folder / "manifest.json").read_text())
    variants = manifest.get("variants", {}) | {precision: {**digest_of(path), "made": "a copy", **figures}}
    write_manifest(folder, variants=variants)


def write_manifest(folder: Path, **changes: Any) -> None:
    """The manifest with the digests of the files as they are now."""
    manifest = {
        "schema_version": 2,
        "task": "report",
        "name": "tiny",
        "version": "1.0",
        "manufacturer": "Tests",
        "device_uid": "2.25.1",
        "intended_use": "tests",
        "training_data": "none",
        "demo": True,
        "accepts": {
            "modalities": ["CT"],
            "body_parts": ["CHEST"],
            "planes": ["axial"],
            "min_slices": 2,
            "max_slices": 100,
            "min_thickness_mm": 0.5,
            "max_thickness_mm": 6,
            "min_coverage_mm": 1,
        },
        "windows_hu": [[-1000, 200]],
        "pixel_mm": 2,
        "field_px": [4, 4],
        "token_width": D,
        "patch_grid": [G, G],
        "findings": [entry(key) for key in KEYS],
        "attributes": ATTRIBUTES,
        "graphs": {
            name: digest_of(folder / f"{name}.onnx") for name in ("slice_encoder", "study_reader", "report_decoder")
        },
        "tokenizer": digest_of(folder / "tokenizer.json"),
        "self_test": digest_of(folder / "self_test" / "self_test.npz"),
        "grounding": {**digest_of(folder / "self_test" / "grounding.npz"), "margin": 0.5},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    sign_manifest(folder)


def sign_manifest(folder: Path, key: Ed25519PrivateKey = KEY) -> None:
    """Signs the manifest as it is now, and puts the tests' key where `keys_of` says."""
    signature = sign((folder / "manifest.json").read_bytes(), key)
    (folder / SIGNATURE).write_text(signature.model_dump_json())
    keys_of(folder).mkdir(exist_ok=True)
    (keys_of(folder) / "tests.pem").write_bytes(pem(KEY))


def pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def keys_of(folder: Path) -> Path:
    """The folder of trusted keys, beside the bundle."""
    return folder.parent / "keys"


def load(folder: Path) -> Bundle:
    """The bundle, by those who trust the tests' key."""
    return load_bundle(folder, keys_of(folder))


def settings_of(folder: Path, **changes: Any) -> InferenceSettings:
    """Settings of those who trust the tests' key."""
    here = {"provider": "cpu", "threads": 1, "bundles_dir": folder.parent, "trusted_keys": keys_of(folder)}
    return InferenceSettings(**(here | changes))


def entry(key: str, **changes: Any) -> dict[str, Any]:
    code = {"value": "1", "scheme": "99TEST", "meaning": key}
    points = {"operating_point": 0.7, "uncertain_from": 0.55}
    return {"key": key, "name": f"The {key}", "code": code, "site": code, **points, **changes}


def digest_of(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
