"""Where held-out studies come from: phantoms of seeds no training has used, and the same at other slice distances."""

from dataclasses import dataclass

from models.datasets.implants import ImplantSource, implants
from models.datasets.phantoms import split_seeds
from models.datasets.study import LabelledStudy
from models.msvlm.preset import Preset
from models.phantoms.plan import draw_case
from models.phantoms.thorax import generate

CONTRAST = "contrast"
FIRST_IMPLANT = 4_000_000


@dataclass(frozen=True)
class HeldOutPhantoms:
    """Phantoms of the test split; `thickness_mm` None: as each seed draws it."""

    seeds: range
    size_px: int
    thickness_mm: float | None = None

    @property
    def name(self) -> str:
        """Name of the collection."""
        return "phantoms" if self.thickness_mm is None else f"phantoms-{self.thickness_mm:g}mm"

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which a phantom depends."""
        return ("phantoms", "evaluation/sources.py")

    def __len__(self) -> int:
        return len(self.seeds)

    def study(self, index: int) -> LabelledStudy:
        """The phantom of a seed."""
        seed, mm = self.seeds[index], self.thickness_mm
        slices = None if mm is None else slices_at(seed, mm)
        return generate(seed, slices, self.size_px, thickness_mm=mm).study()

    def traits(self, index: int) -> frozenset[str]:
        """Contrast, and the kinds of what looks like a finding and is none."""
        case = draw_case(self.seeds[index])
        distractors = {type(lesion).__name__.lower() for lesion in case.lesions if lesion.finding is None}
        return frozenset(distractors | ({CONTRAST} if case.anatomy.contrast_hu > 0.0 else set()))


def slices_at(seed: int, distance_mm: float) -> int:
    """How many slices that far apart cover what the seed's scan covers."""
    ends = generate(seed, slices=2, size_px=32).z_mm
    return round(float(ends[-1] - ends[0]) / distance_mm) + 1


def held_out_phantoms(preset: Preset, count: int, thickness_mm: float | None = None) -> HeldOutPhantoms:
    """The first `count` phantoms of the test split of a preset."""
    seeds = split_seeds(preset.data, "test")
    return HeldOutPhantoms(range(seeds.start, seeds.start + count), preset.data.phantom_px, thickness_mm)


@dataclass(frozen=True)
class HeldOutImplants:
    """Lesions implanted into real CTs of patients that no training has seen."""

    source: ImplantSource

    @property
    def name(self) -> str:
        """Name of the collection."""
        name: str = self.source.name
        return name

    @property
    def code(self) -> tuple[str, ...]:
        """Source files on which a study depends."""
        return (*self.source.code, "evaluation/sources.py")

    def __len__(self) -> int:
        return len(self.source)

    def study(self, index: int) -> LabelledStudy:
        """A study, always the same for the same index."""
        return self.source.study(index)

    def traits(self, index: int) -> frozenset[str]:
        """Nothing more is known."""
        return frozenset()


def held_out_implants(count: int) -> HeldOutImplants:
    """That many implanted studies; none where the real CTs are absent."""
    return HeldOutImplants(implants("test", count, FIRST_IMPLANT))
