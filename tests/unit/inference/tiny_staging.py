"""A bundle of task "staging" of three graphs so small that one can say by hand what they must give.

A patch is a pixel, and marks the structure whose stored value it has: logit 6, else -2. Token of a slice: thousandths
of its pixels that mark each structure. Logit of a step: the most of its item's structure on any slice less five, or
what `steps` says. Attention: softmax of the tokens. Decoder: a sentence is fixed by its prompt.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from pydicom import Dataset

from pacs_agent.inference import StagingBundle, load_any
from pacs_agent.inference.staging.words import written
from pacs_agent.results.uids import derived_uid
from tests.unit.imaging.imaging_slices import AXIAL
from tests.unit.imaging.mr_acquisitions import T2_TSE, mr_slice
from tests.unit.inference.tiny_bundle import (
    digest_of,
    keys_of,
    model,
    report_decoder,
    sign_manifest,
    tensor,
    tokenizer,
    value,
)

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
SIDE_PX, PIXEL_MM, GAP_MM = 16, 5.0, 5.0
CODES = {"tumour": 1000, "within the fascia": 300, "fascia": 600, "node": 800}
STRUCTURES = tuple(CODES)
S = len(STRUCTURES)
ITEMS: dict[str, dict[str, Any]] = {
    "tumour": {"levels": ("absent", "present"), "structure": "tumour", "concern": 3},
    "t_stage": {"levels": ("T1", "T2", "T3", "T4"), "structure": "tumour", "of": "tumour", "lowest_is_absence": False},
    "crm": {"levels": ("clear", "involved"), "structure": "fascia", "of": "tumour", "concern": 2},
    "sphincter": {"levels": ("free", "internal", "external"), "structure": "tumour", "of": "tumour"},
    "nodes": {"levels": ("not suspicious", "suspicious"), "structure": "node", "concern": 2},
}
PROMPT_KEYS = {"sphincter": "anal_sphincter"}
"""Of an item of which prompts were learned by another key."""
STEPS = {"t_stage": (3.0, 2.0, -3.0), "crm": (-3.0,), "sphincter": (-0.2, 1.0)}
"""Logits of the steps that no slice decides."""
SENTENCES = {
    "<tumour:absent>": "no rectal tumour is seen .",
    "<tumour:present>": "there is a tumour of the rectum .",
    "<t_stage:T1>": "confined to the submucosa .",
    "<t_stage:T2>": "confined to the rectal wall .",
    "<t_stage:T3>": "it is confined to the rectal wall .",
    "<t_stage:T4>": "it invades other organs .",
    "<crm:clear>": "the fascia is clear , distance <number> mm .",
    "<crm:involved>": "the fascia is involved , distance <number> mm .",
    "<anal_sphincter:free>": "the sphincter is free .",
    "<anal_sphincter:internal>": "the internal sphincter is involved .",
    "<anal_sphincter:external>": "the external sphincter is involved .",
    "<nodes:not suspicious>": "no suspicious nodes .",
    "<nodes:suspicious>": "suspicious nodes .",
}
UNLICENSED = "<t_stage:T3>"
"""What the decoder says after it is what it says of T2."""


def slice_encoder() -> Any:
    node = helper.make_node
    nodes = [
        node("Cast", ["stored"], ["f"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["f", "one"], ["f4"]),
        node("Sub", ["f4", "codes"], ["off"]),
        node("Abs", ["off"], ["away"]),
        node("Less", ["away", "half"], ["is"]),
        node("Cast", ["is"], ["marked"], to=TensorProto.FLOAT),
        node("Mul", ["marked", "eight"], ["scaled"]),
        node("Sub", ["scaled", "two"], ["patch_grid"]),
        node("ReduceMean", ["marked", "last_two"], ["share"], keepdims=0),
        node("Mul", ["share", "thousand"], ["token"]),
    ]
    constants = [
        tensor("one", [1], np.int64),
        tensor("codes", np.reshape(list(CODES.values()), (1, S, 1, 1))),
        tensor("half", 0.5),
        tensor("eight", 8.0),
        tensor("two", 2.0),
        tensor("last_two", [2, 3], np.int64),
        tensor("thousand", 1000.0),
    ]
    inputs = [
        value("stored", TensorProto.INT16, ["n", "rows", "columns"]),
        value("low", TensorProto.FLOAT, ["n"]),
        value("high", TensorProto.FLOAT, ["n"]),
        value("spacing_mm", TensorProto.FLOAT, ["n", 2]),
    ]
    outputs = [
        value("token", TensorProto.FLOAT, ["n", S]),
        value("patch_grid", TensorProto.FLOAT, ["n", S, "gr", "gc"]),
    ]
    return model("slice_encoder", nodes, inputs, outputs, constants)


def study_reader(steps: Mapping[str, Sequence[float]]) -> Any:
    weights, bias = [], []
    for key, item in ITEMS.items():
        for step in range(len(item["levels"]) - 1):
            seen = key not in steps
            weights.append([float(seen and name == item["structure"]) for name in STRUCTURES])
            bias.append(-5.0 if seen else steps[key][step])
    node = helper.make_node
    nodes = [
        node("Transpose", ["tokens"], ["by_structure"], perm=[0, 2, 1]),
        node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["m", "middle"], ["m3"]),
        node("Sub", ["m3", "one"], ["away"]),
        node("Mul", ["away", "far"], ["far_away"]),
        node("Add", ["by_structure", "far_away"], ["there"]),
        node("ReduceMax", ["there", "last"], ["most"], keepdims=0),
        node("MatMul", ["most", "weights"], ["weighed"]),
        node("Add", ["weighed", "bias"], ["step_logits"]),
        node("Softmax", ["there"], ["attention"], axis=2),
        node("Gather", ["attention", "structure_of_item"], ["slice_attention"], axis=1),
        node("Slice", ["step_logits", "from", "to", "middle"], ["two_steps"]),
        node("Unsqueeze", ["two_steps", "middle"], ["s3"]),
        node("Concat", ["s3", "s3"], ["visual_tokens"], axis=1),
    ]
    constants = [
        tensor("one", 1.0),
        tensor("far", 1e6),
        tensor("middle", [1], np.int64),
        tensor("last", [2], np.int64),
        tensor("from", [0], np.int64),
        tensor("to", [2], np.int64),
        tensor("weights", np.transpose(weights)),
        tensor("bias", bias),
        tensor("structure_of_item", [STRUCTURES.index(item["structure"]) for item in ITEMS.values()], np.int64),
    ]
    ids = [value(name, TensorProto.INT64, ["b", "L"]) for name in ("plane", "sequence", "contrast", "phase")]
    inputs = [
        value("tokens", TensorProto.FLOAT, ["b", "L", S]),
        value("centre_mm", TensorProto.FLOAT, ["b", "L", 3]),
        value("orientation", TensorProto.FLOAT, ["b", "L", 6]),
        *ids,
        value("b_value", TensorProto.FLOAT, ["b", "L"]),
        value("mask", TensorProto.BOOL, ["b", "L"]),
    ]
    outputs = [
        value("step_logits", TensorProto.FLOAT, ["b", len(bias)]),
        value("slice_attention", TensorProto.FLOAT, ["b", len(ITEMS), "L"]),
        value("visual_tokens", TensorProto.FLOAT, ["b", 2, 2]),
    ]
    return model("study_reader", nodes, inputs, outputs, constants)


def words() -> dict[str, Any]:
    known = tokenizer(SENTENCES)["words"]
    return {"format": 1, "words": known, "end": "<end>", "pad": "<pad>", "slot": "<number>"}


def write_staging_bundle(folder: Path, steps: Mapping[str, Sequence[float]] | None = None, **changes: Any) -> Path:
    """The bundle in a new folder, signed; `steps` in place of some of STEPS, `changes` are made to its manifest."""
    (folder / "self_test").mkdir(parents=True)
    (folder / "slice_encoder.onnx").write_bytes(slice_encoder().SerializeToString())
    (folder / "study_reader.onnx").write_bytes(study_reader(STEPS | dict(steps or {})).SerializeToString())
    (folder / "report_decoder.onnx").write_bytes(report_decoder(SENTENCES).SerializeToString())
    (folder / "tokenizer.json").write_text(json.dumps(words()))
    write_self_test(folder)
    write_manifest(folder, **changes)
    return folder


def write_self_test(folder: Path) -> None:
    """An axial slice with a tumour of eight pixels and one without, and what the graphs above give for them."""
    stored = np.zeros((2, SIDE_PX, SIDE_PX), np.int16)
    stored[0, :2, :4] = CODES["tumour"]
    grids, tokens = np.full((2, S, SIDE_PX, SIDE_PX), -2.0), np.zeros((2, S), np.float32)
    grids[0, 0, :2, :4], tokens[0, 0] = 6.0, 8000 / SIDE_PX**2
    given = {
        "centre_mm": np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 5.0]], np.float32),
        "orientation": np.tile(np.array(AXIAL, np.float32), (2, 1)),
        **{name: np.zeros(2, np.int64) for name in ("plane", "sequence", "contrast", "phase")},
        "b_value": np.zeros(2, np.float32),
    }
    reader = onnxruntime.InferenceSession(folder / "study_reader.onnx", providers=["CPUExecutionProvider"])
    placed = {name: array[None] for name, array in given.items()}
    read = reader.run(
        ["step_logits", "slice_attention"], {"tokens": tokens[None], "mask": np.ones((1, 2), np.bool_), **placed}
    )
    np.savez(
        folder / "self_test" / "self_test.npz",
        stored=stored,
        low=np.zeros(2, np.float32),
        high=np.ones(2, np.float32),
        spacing_mm=np.array([PIXEL_MM, PIXEL_MM], np.float32),
        **given,
        token_sums=tokens.sum(axis=1),
        grid_sums=grids.sum(axis=(1, 2, 3)),
        step_logits=read[0][0],
        slice_attention=read[1][0],
        prompts=np.array(["<tumour:present>", "<nodes:not suspicious>"]),
        sentences=np.array(["There is a tumour of the rectum.", "No suspicious nodes."]),
    )


def write_manifest(folder: Path, **changes: Any) -> None:
    """The manifest with the digests of the files as they are now."""
    code = {"value": "1", "scheme": "99TEST", "meaning": "of a test"}
    measured = {"name": "Distance", "code": code}
    manifest = {
        "schema_version": 2,
        "task": "staging",
        "name": "tiny-staging",
        "version": "1.0",
        "manufacturer": "Tests",
        "device_uid": "2.25.7",
        "intended_use": "tests",
        "training_data": "none",
        "demo": True,
        "accepts": {
            "modalities": ["MR"],
            "body_parts": ["PELVIS"],
            "planes": ["axial", "sagittal", "coronal", "oblique"],
            "min_slices": 2,
            "max_slices": 100,
            "min_thickness_mm": 0.5,
            "max_thickness_mm": 12,
            "min_coverage_mm": 0,
        },
        "series": [{"name": "T2 axial", "planes": ["axial"], "sequences": ["T2"]}],
        "pixel_mm": PIXEL_MM,
        "field_px": [SIDE_PX, SIDE_PX],
        "token_width": S,
        "patch_grid": [SIDE_PX, SIDE_PX],
        "structures": STRUCTURES,
        "items": [_item(key) for key in ITEMS],
        "margin": measured
        | {"item": "crm", "tumour": "tumour", "within": "within the fascia", "fascia": "fascia", "involved_mm": 1.0},
        "length": measured | {"item": "tumour", "name": "Tumour length", "structure": "tumour"},
        "planes": ["axial", "sagittal", "coronal", "oblique"],
        "sequences": ["NOT_GIVEN", "T1", "T2"],
        "contrasts": ["NOT_GIVEN"],
        "phases": 16,
        "max_words": 40,
        **{name: digest_of(folder / f"{name}.onnx") for name in ("slice_encoder", "study_reader", "report_decoder")},
        "tokenizer": digest_of(folder / "tokenizer.json"),
        "self_test": digest_of(folder / "self_test" / "self_test.npz"),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    sign_manifest(folder)


def _item(key: str) -> dict[str, Any]:
    item, code = ITEMS[key], {"value": key.upper(), "scheme": "99TEST", "meaning": f"The {key}"}
    prompts = [f"<{PROMPT_KEYS.get(key, key)}:{level}>" for level in item["levels"]]
    said = [[] if prompt == UNLICENSED else [written(SENTENCES[prompt].split())] for prompt in prompts]
    steps = [{"scale": 1.0, "bias": 0.0}] * (len(prompts) - 1)
    name = {"t_stage": "T stage", "crm": "Margin"}.get(key, f"The {key}")
    entry = {"key": key, "name": name, "code": code, "site": code, "steps": steps, "sentences": said}
    return {**entry, "prompt_key": PROMPT_KEYS.get(key), **item}


def load(folder: Path) -> StagingBundle:
    """The bundle, by those who trust the tests' key."""
    bundle = load_any(folder, keys_of(folder))
    assert isinstance(bundle, StagingBundle)
    return bundle


def pelvis(sagittal: bool = True, tumour: bool = True) -> list[Dataset]:
    """Axial T2 of six slices with a tumour on two of them, 15 mm from the fascia to the left; sagittal T2 of three."""
    datasets = _series(AXIAL, [_axial(tumour and index in (2, 3)) for index in range(6)], 3, "t2_tse_tra")
    if sagittal:
        datasets += _series(SAGITTAL, [_sagittal(tumour and index == 1) for index in range(3)], 2, "t2_tse_sag")
    return datasets


def pelvis_of_day(date: str, **shown: bool) -> list[Dataset]:
    """`pelvis` as a study of a woman on a day, from which its UIDs follow."""
    datasets = pelvis(**shown)
    for each in datasets:
        each.StudyInstanceUID = derived_uid(date)
        each.SeriesInstanceUID = derived_uid(f"{date} {each.SeriesNumber}")
        each.SOPInstanceUID = derived_uid(f"{date} {each.SeriesNumber} {each.InstanceNumber}")
        each.file_meta.MediaStorageSOPInstanceUID = each.SOPInstanceUID
        each.PatientBirthDate, each.PatientSex, each.StudyDate, each.StudyTime = "19520317", "F", date, "101112"
    return datasets


def _axial(tumour: bool) -> NDArray[np.int16]:
    pixels = _background()
    pixels[2:14, 2:13] = CODES["fascia"]
    pixels[3:13, 3:12] = CODES["within the fascia"]
    if tumour:
        pixels[7:9, 7:9] = CODES["tumour"]
    return pixels


def _sagittal(tumour: bool) -> NDArray[np.int16]:
    pixels = _background()
    if tumour:
        pixels[4:10, 7:9] = CODES["tumour"]
    return pixels


def _background() -> NDArray[np.int16]:
    return (np.arange(SIDE_PX**2, dtype=np.int16).reshape(SIDE_PX, SIDE_PX) % 97 + 1).astype(np.int16)


def _series(
    orientation: Sequence[float], images: Sequence[NDArray[np.int16]], number: int, description: str
) -> list[Dataset]:
    """Slices about the patient's zero, along their normal."""
    right, down = np.array(orientation[:3]), np.array(orientation[3:])
    half, normal = (SIDE_PX - 1) / 2 * PIXEL_MM, np.cross(right, down)
    first = -half * right - half * down - (len(images) - 1) / 2 * GAP_MM * normal
    return [
        mr_slice(
            first + index * GAP_MM * normal,
            orientation,
            pixels=pixels,
            PixelSpacing=[PIXEL_MM, PIXEL_MM],
            SeriesInstanceUID=f"1.2.826.0.1.3680043.8.498.80{number}",
            SeriesNumber=number,
            SeriesDescription=description,
            InstanceNumber=index + 1,
            **T2_TSE,
        )
        for index, pixels in enumerate(images)
    ]
