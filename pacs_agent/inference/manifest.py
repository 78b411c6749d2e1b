"""The manifest of a model bundle: what the model accepts, says and consists of.

Graphs of a bundle of task "report" and their inputs and outputs (n slices, b studies or sentences, L slices of a
study, d token width, F findings, gr × gc patch grid, A attributes, Q visual tokens of width k, V words, t past words,
e layers, m heads of width a):

slice_encoder.onnx   stored int16 [n, rows, columns], slope f32 [n], intercept f32 [n], spacing_mm f32 [n, 2]
                     → token f32 [n, d], patch_grid f32 [n, F, gr, gc] (logits over the field that the graph cropped),
                       field_centre_px f32 [n, 2] (row, column of the stored slice at which the field's centre lies)
study_reader.onnx    tokens f32 [b, L, d], z_mm f32 [b, L], plane i64 [b, L], sequence i64 [b, L], phase i64 [b, L],
                     mask bool [b, L] (true = a slice is there)
                     → finding_logits f32 [b, F], slice_weights f32 [b, F, L] in [0, 1],
                       slice_attention f32 [b, F, L] (sums to 1 over slices), attribute_logits f32 [b, F, A],
                       visual_tokens f32 [b, Q, k]
report_decoder.onnx  word i64 [b, 1], visual_tokens f32 [b, Q, k], past_keys f32 [e, b, m, t, a], past_values (same)
                     → logits f32 [b, V], keys f32 [e, b, m, t + 1, a], values (same)

A sentence is decoded from its prompt, four words given one after the other: its tag `<present:KEY>`, `<absent:KEY>`,
`<uncertain:KEY>` or `<impression:KEY>`, then place, grade and count as the reader's attribute heads say, `<none>` where
one does not apply. From there word by word until `<end>`; all sentences of a report are one batch. No tag, no sentence;
no attribute, no such word: what may be said is fixed by the scores, how it is said by the decoder.

The slice encoder, where nearly all time goes, may also lie there in int8 and fp16 (`variants`), with the inputs and
outputs of the fp32 one. `manifest.sig` beside the manifest signs its bytes (`signature.py`); the manifest names the
digest of every other file.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.inference.reading import Code, EvidenceMethod

__all__ = [
    "AcceptedInput",
    "FindingEntry",
    "GraphFile",
    "Graphs",
    "Grounding",
    "Manifest",
    "Precision",
    "ReducedPrecision",
    "Variant",
]

ReducedPrecision = Literal["int8", "fp16"]
Precision = Literal["fp32", "int8", "fp16"]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
_LOBE = r"(right (upper|middle|lower)|left (upper|lower)) lobe"
AttributeName = Annotated[str, Field(pattern=rf"^(side:(right|left)|lobe:{_LOBE}|grade:[012]|count:(one|few|many))$")]
DocumentName = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*/)?[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FindingEntry(_Frozen):
    """A finding and how its logit becomes a statement: p = sigmoid(scale × logit + bias)."""

    key: str
    name: str
    code: Code
    site: Code
    scale: float = 1.0
    bias: float = 0.0
    operating_point: float = Field(gt=0, lt=1)
    uncertain_from: float = Field(gt=0, lt=1)
    """Below: absent. From here to the operating point: uncertain. From the operating point: present."""
    applies: frozenset[Literal["side", "lobe", "grade", "count"]] = frozenset()
    """Which attributes are said of it."""
    grades: tuple[str, ...] = ()
    """The words for grade 0, 1 and 2, for the panel and for coded results."""
    points: dict[Literal["side", "lobe"], float] = {}
    """The logit from which a side or a lobe is said; 0 where it is not given."""
    concern: int = Field(default=0, ge=0, le=3)
    """How soon it wants attention; the impression names the highest first. 0: no matter."""

    @field_serializer("applies")
    def _in_order(self, applies: frozenset[str]) -> list[str]:
        """The same bytes in every process: the order of a set is not."""
        return sorted(applies)


class GraphFile(_Frozen):
    """A file of the bundle and its digest."""

    file: FileName
    sha256: Sha256


class DocumentFile(_Frozen):
    """A file for people or programs that no graph needs: card, figures, plots. At most one folder deep."""

    file: DocumentName
    sha256: Sha256


class Variant(GraphFile):
    """A slice encoder of lower precision, and what it was measured to cost in AUROC (negative: it gained)."""

    made: str
    """How it was made, for people."""
    macro_auroc_loss: float | None = None
    worst_auroc_loss: float | None = None
    """Loss of the finding that loses most. Both are None until an evaluation has measured them."""


class Grounding(GraphFile):
    """The grounding test: labelled studies, and by how much the right study must beat a wrong one and a blank one.

    The figure is the F1 of findings said present against the study's labels, over all studies and findings together.
    """

    margin: float = Field(gt=0, lt=1)


class Graphs(_Frozen):
    """The three graphs of a reading model."""

    slice_encoder: GraphFile
    study_reader: GraphFile
    report_decoder: GraphFile


class Manifest(_Frozen):
    """`manifest.json` of a bundle of task "report"."""

    schema_version: Literal[2]
    """2: rectangular field, attributes, precisions, grounding test, signature. A bundle of 1 must be exported again."""
    task: Literal["report"]
    name: str
    version: str
    manufacturer: str
    device_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
    intended_use: str
    training_data: str
    demo: bool
    accepts: AcceptedInput
    windows_hu: tuple[tuple[float, float], ...]
    pixel_mm: float
    field_px: tuple[int, int]
    """Rows and columns of the field about the body's centre."""
    token_width: int
    patch_grid: tuple[int, int]
    findings: tuple[FindingEntry, ...]
    attributes: tuple[AttributeName, ...] = ()
    """Names of the attribute axis: "side:right", "lobe:left lower lobe", "grade:0", "count:few"."""
    evidence_method: EvidenceMethod = EvidenceMethod.SLICE_WEIGHTS
    """How slice evidence is found: the method that the evaluation measured as best."""
    blank_token: tuple[float, ...] = ()
    """The token that stands for a slice without content when slices are left out; empty: they are masked."""
    graphs: Graphs
    variants: dict[ReducedPrecision, Variant] = {}
    """The slice encoder in other precisions."""
    tokenizer: GraphFile
    self_test: GraphFile
    """Lies in the folder `self_test`, as does the grounding test."""
    grounding: Grounding | None = None
    """A bundle without it can be read and shown, but not activated."""
    documents: tuple[DocumentFile, ...] = ()
    """Every other file of the bundle."""
    max_words: int = 40
    """Longest sentence in words."""

    @model_validator(mode="after")
    def _blank_token_is_a_token(self) -> "Manifest":
        if len(self.blank_token) not in (0, self.token_width):
            raise ValueError(f"blank_token has {len(self.blank_token)} numbers, a token has {self.token_width}")
        return self
