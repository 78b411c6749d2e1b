"""The manifest of a bundle that reads several series of a study, and what its graphs take and give.

n slices, b studies or sentences, L slices of a study over all its series, d token width, S structures, gr × gc patch
grid, C steps, I items, Q visual tokens of width k, V words, t past words, e layers, m heads of width a:

slice_encoder.onnx   stored int16 [n, rows, columns], low f32 [n], high f32 [n] (stored values at 0 and 1 of the range
                     of the slice's series, `scale.py`), spacing_mm f32 [n, 2]
                     → token f32 [n, d], patch_grid f32 [n, S, gr, gc] (logits over the field about the image's middle)
study_reader.onnx    tokens f32 [b, L, d], centre_mm f32 [b, L, 3] (middle of the image in patient coordinates),
                     orientation f32 [b, L, 6] (ImageOrientationPatient), plane, sequence, contrast, phase i64 [b, L]
                     (`acquired.py`), b_value f32 [b, L] in s/mm², mask bool [b, L] (true = a slice is there)
                     → step_logits f32 [b, C], slice_attention f32 [b, I, L] (sums to 1 over slices),
                       visual_tokens f32 [b, Q, k]
report_decoder.onnx  as of a bundle of task "report", from a prompt of one word

These are other graphs than those of a bundle of task "report", which keeps its own; the task tells them apart.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepEntry(_Frozen):
    """A step between levels: its probability is sigmoid(scale × logit + bias), given the step before."""

    scale: float
    bias: float


class ItemEntry(_Frozen):
    """An item, its levels from the lowest, and the steps between them."""

    key: str
    name: str
    levels: tuple[str, ...]
    steps: tuple[StepEntry, ...]


class BundleFile(_Frozen):
    """A file of the bundle and its digest."""

    file: str
    sha256: Sha256


class StagingManifest(_Frozen):
    """`manifest.json` of a bundle of task "staging"."""

    schema_version: Literal[1] = 1
    task: Literal["staging"] = "staging"
    name: str
    version: str
    manufacturer: str
    intended_use: str
    training_data: str
    demo: bool
    modality: Literal["MR"] = "MR"
    body_parts: tuple[str, ...] = ("PELVIS", "RECTUM")
    pixel_mm: float
    field_px: tuple[int, int]
    """Rows and columns of the field about the middle of each image."""
    token_width: int
    patch_grid: tuple[int, int]
    structures: tuple[str, ...]
    items: tuple[ItemEntry, ...]
    planes: tuple[str, ...]
    sequences: tuple[str, ...]
    contrasts: tuple[str, ...]
    phases: int
    max_words: int
    slice_encoder: BundleFile
    study_reader: BundleFile
    report_decoder: BundleFile
    tokenizer: BundleFile
