"""The manifest of a model bundle that segments: what it accepts, outlines and consists of.

Graph of a bundle of task "segment" (n patches of d × h × w voxels, C structures):

segmenter.onnx   patch f32 [n, 1, d, h, w] (HU or intensities on the grid; window and scaling are inside the graph)
                 → probabilities f32 [n, 1 + C, d, h, w] (sum to 1 over the classes; class 0 is background)

Only n is dynamic. The grid lies along the series' own axes, slices by rows by columns, in the layout that
`imaging.read_slices` gives: for axial slices towards the head, to posterior, to the left. `imaging.regrid` puts a
series on it and brings the answer back; `inference.segment` moves the patch over it.

`self_test/self_test.npz`: `patch` f32 [n, 1, d, h, w] of phantoms, `labels` u8 [n, d, h, w] their truth (0 background,
1..C), and `dice` f32 [C]: what this model reached there at its release, NaN for a structure that the truth lacks.
`manifest.sig` beside the manifest signs its bytes, as for a bundle of task "report".
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.inference.manifest import DocumentFile, GraphFile
from pacs_agent.inference.reading import Code
from pacs_agent.inference.segment import Windows, slab_bytes
from pacs_agent.inference.segmented import Kind, Structure

Positive = Annotated[float, Field(gt=0, le=100)]
Voxels = Annotated[int, Field(ge=1, le=1024)]
Level = Annotated[int, Field(ge=0, le=255)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
MAX_STRUCTURES = 100
MOST_SLAB_BYTES = 4 << 30
"""Of a layer of patches; 100 structures in patches of 128 over a trunk of 400 × 280 mm at 1.5 mm take 3.4 GB."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SegmenterGrid(_Frozen):
    """The grid on which the network works, each triple along slices, rows and columns."""

    spacing_mm: tuple[Positive, Positive, Positive]
    patch: tuple[Voxels, Voxels, Voxels]
    overlap: float = Field(default=0.5, ge=0, lt=1)
    """Share of the patch by which neighbouring patches overlap, at least."""

    @property
    def windows(self) -> Windows:
        """How the network is moved over a volume."""
        return Windows(self.patch, self.overlap)


class StructureEntry(_Frozen):
    """A structure, in the order of the graph's classes from 1."""

    key: Key
    name: str
    category: Code
    type: Code
    colour: tuple[Level, Level, Level]
    kind: Kind
    """An organ is one region, or one for each side; each connected part of a lesion is a region of its own."""
    smallest_ml: float = Field(default=0.0, ge=0)
    """A connected part smaller than this is left out."""
    laterality: bool = False
    """Whether an organ is split into its right and its left side."""
    finding: Key | None = None
    """Key of the report's finding that it measures, for example "pleural_effusion"."""

    def structure(self) -> Structure:
        """What is said of it with each region."""
        return Structure(self.key, self.name, self.category, self.type, self.colour, self.kind, self.finding)


class SegmenterGraphs(_Frozen):
    """The graph of a segmenter."""

    segmenter: GraphFile


class SegmenterManifest(_Frozen):
    """`manifest.json` of a bundle of task "segment"."""

    schema_version: Literal[1]
    task: Literal["segment"]
    name: str
    version: str
    manufacturer: str
    device_uid: Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
    intended_use: str
    training_data: str
    demo: bool
    accepts: AcceptedInput
    grid: SegmenterGrid
    structures: Annotated[tuple[StructureEntry, ...], Field(min_length=1, max_length=MAX_STRUCTURES)]
    graphs: SegmenterGraphs
    self_test: GraphFile
    """Lies in the folder `self_test`."""
    documents: tuple[DocumentFile, ...] = ()
    """Every other file of the bundle."""

    @model_validator(mode="after")
    def _keys_differ(self) -> "SegmenterManifest":
        keys = [one.key for one in self.structures]
        if len(set(keys)) != len(keys):
            raise ValueError(f"two structures have the same key, of {', '.join(keys)}")
        return self

    @model_validator(mode="after")
    def _fits_into_memory(self) -> "SegmenterManifest":
        if objection := self.objection(self.grid.patch):
            raise ValueError(objection)
        return self

    @property
    def classes(self) -> int:
        """Of the graph: the structures, and background before them."""
        return 1 + len(self.structures)

    def objection(self, shape: tuple[int, int, int]) -> str:
        """Why a part of a volume of this shape on the grid cannot be segmented; empty when it can."""
        needed = slab_bytes(shape, self.classes, self.grid.windows)
        if needed <= MOST_SLAB_BYTES:
            return ""
        of = f"{self.classes} classes in patches of {_shown(self.grid.patch)} over {_shown(shape)} voxels"
        most = f"need {needed / 1e9:.1f} GB of memory at once, {MOST_SLAB_BYTES / 1e9:.1f} are the most"
        return f"{of} {most}: export the model with a coarser grid, smaller patches or fewer structures"


def _shown(shape: tuple[int, int, int]) -> str:
    return " × ".join(map(str, shape))
