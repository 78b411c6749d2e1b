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
report_decoder.onnx  as of a bundle of task "report", from a prompt of one word, `<KEY:LEVEL>`

These are other graphs than those of a bundle of task "report", which keeps its own; the task tells them apart.
`manifest.sig` beside the manifest signs its bytes, as for a bundle of task "report".
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.imaging.series import Plane
from pacs_agent.inference.manifest import DocumentFile, GraphFile
from pacs_agent.inference.reading import Code
from pacs_agent.inference.staging.acquired import SEQUENCES, ContrastId, CtId
from pacs_agent.inference.staging.scale import Window
from pacs_agent.inference.staging.words import prompt_word

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
MOST_LEVELS = 4


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepEntry(_Frozen):
    """A step between levels: its probability is sigmoid(scale × logit + bias), given the step before."""

    scale: float
    bias: float


class ItemEntry(_Frozen):
    """An item, its levels from the lowest, the steps between them, and how it is told as a finding."""

    key: Key
    name: str
    code: Code
    site: Code
    levels: Annotated[tuple[str, ...], Field(min_length=2, max_length=MOST_LEVELS)]
    steps: tuple[StepEntry, ...]
    structure: str
    """Of those that are marked, the one that the item rests on: its place in a slice is where this is strongest."""
    lowest_is_absence: bool = True
    """Whether the lowest level says that there is nothing, as `free` does; T1 is a finding all the same."""
    of: Key | None = None
    """Key of the item without which it means nothing; None where it stands alone."""
    operating_point: float = Field(default=0.5, gt=0, lt=1)
    """From this probability of any level above its absence on it is present."""
    uncertain_from: float = Field(default=0.35, gt=0, lt=1)
    """From here to the operating point it is uncertain."""
    prompt_key: Key | None = None
    """What it is called in the decoder's prompts; None where that is its key."""
    concern: int = Field(default=0, ge=0, le=3)
    """How soon it wants attention. 0: no matter."""
    sentences: tuple[tuple[str, ...], ...] = ()
    """For each level what may be said of it, slots for numbers as `<number>`: another sentence gives way."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """For each level the word from which its sentence is decoded."""
        return tuple(prompt_word(self.prompt_key or self.key, level) for level in self.levels)

    @model_validator(mode="after")
    def _one_step_between_levels(self) -> "ItemEntry":
        if len(self.steps) != len(self.levels) - 1:
            raise ValueError(f"{self.key} has {len(self.levels)} levels and {len(self.steps)} steps between them")
        if len(self.sentences) not in (0, len(self.levels)):
            raise ValueError(f"{self.key} has {len(self.levels)} levels and sentences for {len(self.sentences)}")
        return self


class WantedSeries(_Frozen):
    """A series that the model learned to read: what is wanted by plane and weighting."""

    name: str
    """For people, such as `T2 axial` or `CT axial after contrast`."""
    planes: tuple[Plane, ...]
    sequences: tuple[str, ...]
    """Names of `SEQUENCES`."""
    contrasts: tuple[str, ...] = ()
    """Names of `ContrastId`; none: any."""
    required: bool = False
    """Without it the study is not read."""

    @model_validator(mode="after")
    def _known_sequences(self) -> "WantedSeries":
        if unknown := set(self.sequences) - set(SEQUENCES):
            raise ValueError(f"{self.name}: no weighting is called {', '.join(sorted(unknown))}")
        if unknown := set(self.contrasts) - set(ContrastId.__members__):
            raise ValueError(f"{self.name}: no contrast is called {', '.join(sorted(unknown))}")
        return self


class MarginEntry(_Frozen):
    """A shortest distance between two structures in the plane of axial slices: `margin.py`."""

    item: Key
    name: str
    code: Code
    tumour: str
    within: str
    fascia: str
    involved_mm: float = 1.0
    """Up to here the item's upper level is said, beyond it the lower: no sentence has a number that says otherwise."""


class LengthEntry(_Frozen):
    """The longest extent of a structure: `length.py`."""

    item: Key
    name: str
    code: Code
    structure: str


class StagingManifest(_Frozen):
    """`manifest.json` of a bundle of task "staging"."""

    schema_version: Literal[2] = 2
    """2: codes, structures of items, self-test, what it accepts. A bundle of 1 must be exported again."""
    task: Literal["staging"] = "staging"
    name: str
    version: str
    manufacturer: str
    device_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
    intended_use: str
    training_data: str
    demo: bool
    accepts: AcceptedInput
    """Of each stack; those that it does not fit are left out."""
    window_hu: Window | None = None
    """Of a model that accepts CT the HU at 0 and at 1 of the range of its slices; series of MR tell their own."""
    series: tuple[WantedSeries, ...] = ()
    pixel_mm: float = Field(gt=0)
    field_px: tuple[int, int]
    """Rows and columns of the field about the middle of each image."""
    token_width: int
    patch_grid: tuple[int, int]
    structures: tuple[str, ...]
    items: Annotated[tuple[ItemEntry, ...], Field(min_length=1)]
    margin: MarginEntry | None = None
    length: LengthEntry | None = None
    planes: tuple[str, ...]
    sequences: tuple[str, ...]
    contrasts: tuple[str, ...]
    phases: int
    max_words: int
    slice_encoder: GraphFile
    study_reader: GraphFile
    report_decoder: GraphFile
    tokenizer: GraphFile
    self_test: GraphFile
    """Lies in the folder `self_test`."""
    documents: tuple[DocumentFile, ...] = ()
    """Every other file of the bundle."""

    @model_validator(mode="after")
    def _names_what_it_has(self) -> "StagingManifest":
        keys = [item.key for item in self.items]
        if len(set(keys)) != len(keys):
            raise ValueError(f"two items have the same key, of {', '.join(keys)}")
        if unknown := sorted(set(self._structures_named()) - set(self.structures)):
            raise ValueError(f"no structure is marked that is called {', '.join(unknown)}")
        if unknown := sorted(set(self._items_named()) - set(keys)):
            raise ValueError(f"there is no item {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _knows_ct_where_it_accepts_it(self) -> "StagingManifest":
        if "CT" not in self.accepts.modalities:
            return self
        if self.window_hu is None or self.window_hu[0] >= self.window_hu[1]:
            raise ValueError(f"it accepts CT and its window_hu is {self.window_hu}: give HU at 0 and at 1 of the range")
        if self.sequences[CtId.CT :] != (CtId.CT.name,):
            raise ValueError(f"it accepts CT, which is not number {CtId.CT:d} of its sequences")
        return self

    def item(self, key: str) -> ItemEntry:
        """One item. Raises KeyError."""
        return {item.key: item for item in self.items}[key]

    @property
    def patch_mm(self) -> float:
        """Side of a patch."""
        return self.pixel_mm * self.field_px[0] / self.patch_grid[0]

    def _structures_named(self) -> Iterator[str]:
        yield from (item.structure for item in self.items)
        if self.margin:
            yield from (self.margin.tumour, self.margin.within, self.margin.fascia)
        if self.length:
            yield self.length.structure

    def _items_named(self) -> Iterator[str]:
        yield from (item.of for item in self.items if item.of)
        yield from (entry.item for entry in (self.margin, self.length) if entry)
