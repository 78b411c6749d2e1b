"""A segmenter so small that one can say by hand what it must give: below -405 HU is lung, above 500 HU a nodule."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from tiny_bundle import digest_of, model, sign_manifest, tensor, value

from pacs_agent.inference.segmenter_self_test import dice_of
from pacs_agent.inference.signature import SIGNATURE

from onnx import TensorProto, helper  # isort: skip  (tiny_bundle skips the tests where onnx is not installed)

PATCH = (16, 16, 16)
SPACING_MM = (2.0, 2.0, 2.0)
LUNG_BELOW_HU, NODULE_ABOVE_HU, SOFT_HU = -405.0, 500.0, 25.0
SCT = {
    "anatomy": {"value": "123037004", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "abnormal": {"value": "49755003", "scheme": "SCT", "meaning": "Morphologically Abnormal Structure"},
    "lung": {"value": "39607008", "scheme": "SCT", "meaning": "Lung"},
    "nodule": {"value": "786838002", "scheme": "SCT", "meaning": "Nodule of lung"},
}


def graph() -> Any:
    node = helper.make_node
    nodes = [
        node("Sub", ["below", "patch"], ["down"]),
        node("Div", ["down", "soft"], ["lung_logit"]),
        node("Sigmoid", ["lung_logit"], ["lung"]),
        node("Sub", ["patch", "above"], ["up"]),
        node("Div", ["up", "soft"], ["nodule_logit"]),
        node("Sigmoid", ["nodule_logit"], ["nodule"]),
        node("Sub", ["one", "lung"], ["rest"]),
        node("Sub", ["rest", "nodule"], ["background"]),
        node("Concat", ["background", "lung", "nodule"], ["probabilities"], axis=1),
    ]
    numbers = {"below": LUNG_BELOW_HU, "above": NODULE_ABOVE_HU, "soft": SOFT_HU, "one": 1.0}
    inputs = [value("patch", TensorProto.FLOAT, ["n", 1, *PATCH])]
    outputs = [value("probabilities", TensorProto.FLOAT, ["n", 3, *PATCH])]
    return model("segmenter", nodes, inputs, outputs, [tensor(name, number) for name, number in numbers.items()])


def write_segmenter(folder: Path, **changes: Any) -> Path:
    """A signed bundle, whose key `keys_of` has."""
    (folder / "self_test").mkdir(parents=True)
    (folder / "segmenter.onnx").write_bytes(graph().SerializeToString())
    write_segmenter_self_test(folder)
    write_segmenter_manifest(folder, **changes)
    return folder


def write_segmenter_self_test(folder: Path, **changes: Any) -> None:
    patch = np.full((2, 1, *PATCH), 40, np.float32)
    patch[:, 0, 2:10, 2:14, 2:14] = -850
    patch[1, 0, 12:15, 4:8, 4:8] = 1000
    labels = np.select([patch[:, 0] < LUNG_BELOW_HU, patch[:, 0] > NODULE_ABOVE_HU], [1, 2]).astype(np.uint8)
    arrays = {"patch": patch, "labels": labels, "dice": dice_of(labels, labels, 2).astype(np.float32)}
    np.savez(folder / "self_test" / "self_test.npz", **(arrays | changes))


def write_segmenter_manifest(folder: Path, **changes: Any) -> None:
    """The manifest with the digests of the files as they are now."""
    manifest = {
        "schema_version": 1,
        "task": "segment",
        "name": "tiny-segmenter",
        "version": "1.0",
        "manufacturer": "Tests",
        "device_uid": "2.25.2",
        "intended_use": "tests",
        "training_data": "none",
        "demo": True,
        "accepts": {
            "modalities": ["CT"],
            "body_parts": ["CHEST"],
            "planes": ["axial"],
            "min_slices": 2,
            "max_slices": 1000,
            "min_thickness_mm": 0.5,
            "max_thickness_mm": 6,
            "min_coverage_mm": 1,
        },
        "grid": {"spacing_mm": SPACING_MM, "patch": PATCH, "overlap": 0.25},
        "structures": [
            {
                "key": "lung",
                "name": "Lung",
                "category": SCT["anatomy"],
                "type": SCT["lung"],
                "colour": [60, 120, 220],
                "kind": "organ",
                "smallest_ml": 1.0,
                "laterality": True,
            },
            {
                "key": "lung_nodule",
                "name": "Lung nodule",
                "category": SCT["abnormal"],
                "type": SCT["nodule"],
                "colour": [220, 60, 40],
                "kind": "lesion",
                "smallest_ml": 0.03,
                "laterality": True,
                "finding": "nodule",
            },
        ],
        "graphs": {"segmenter": digest_of(folder / "segmenter.onnx")},
        "self_test": digest_of(folder / "self_test" / "self_test.npz"),
    }
    (folder / SIGNATURE).unlink(missing_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    sign_manifest(folder)
