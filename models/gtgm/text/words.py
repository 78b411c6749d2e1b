"""Words that a text may use for facts: terms that name a kind, words for sizes, for what is absent, for places."""

from dataclasses import dataclass

from models.gtgm.facts import Fact, Kind

INFINITE = float("inf")


@dataclass(frozen=True)
class Grade:
    """Words for values below `limit` that no earlier grade of the kind covers. The first word is the usual one."""

    limit: float
    words: tuple[str, ...]


GRADES: dict[Kind, tuple[Grade, ...]] = {
    Kind.SLICE_DISTANCE: (
        Grade(1.6, ("thin", "finely spaced")),
        Grade(3.6, ("standard", "medium")),
        Grade(INFINITE, ("thick", "widely spaced")),
    ),
    Kind.FAT_SHARE: (
        Grade(15.0, ("lean", "slender")),
        Grade(30.0, ("average", "ordinary")),
        Grade(INFINITE, ("ample", "abundant")),
    ),
    Kind.LUNG_VOLUME: (
        Grade(3.0, ("small", "low")),
        Grade(5.5, ("normal", "usual")),
        Grade(INFINITE, ("large", "high")),
    ),
    Kind.LUNG_DENSITY: (
        Grade(-840.0, ("airy", "lucent")),
        Grade(-740.0, ("regular", "unremarkable")),
        Grade(INFINITE, ("dense", "opaque")),
    ),
    Kind.BELOW_950: (
        Grade(1.0, ("negligible", "minimal")),
        Grade(5.0, ("slight", "mild")),
        Grade(15.0, ("moderate", "distinct")),
        Grade(INFINITE, ("severe", "extensive")),
    ),
    Kind.HAZE_SHARE: (
        Grade(8.0, ("little", "scant")),
        Grade(20.0, ("some", "partial")),
        Grade(INFINITE, ("widespread", "diffuse")),
    ),
    Kind.DENSE_SHARE: (
        Grade(4.0, ("few", "sparse")),
        Grade(10.0, ("several", "scattered")),
        Grade(INFINITE, ("many", "numerous")),
    ),
    Kind.DARK_DIAMETER: (
        Grade(15.0, ("small",)),
        Grade(35.0, ("medium-sized",)),
        Grade(INFINITE, ("large", "big")),
    ),
    Kind.BRIGHT_DIAMETER: (
        Grade(8.0, ("small", "tiny")),
        Grade(15.0, ("medium-sized", "intermediate")),
        Grade(30.0, ("large", "sizeable")),
        Grade(INFINITE, ("mass-like", "very large")),
    ),
    Kind.FLUID_VOLUME: (
        Grade(150.0, ("small", "slight")),
        Grade(500.0, ("moderate", "medium-sized")),
        Grade(INFINITE, ("large", "extensive")),
    ),
    Kind.HEART_RATIO: (
        Grade(0.5, ("normal", "slim")),
        Grade(0.58, ("borderline", "upper-normal")),
        Grade(INFINITE, ("broad", "wide")),
    ),
    Kind.CALCIUM_VOLUME: (
        Grade(0.2, ("slight", "mild")),
        Grade(1.0, ("moderate", "distinct")),
        Grade(INFINITE, ("heavy", "extensive")),
    ),
    Kind.VARIATION: (
        Grade(40.0, ("even", "uniform")),
        Grade(90.0, ("mixed", "varied")),
        Grade(INFINITE, ("uneven", "heterogeneous")),
    ),
    Kind.BRIGHT_TAIL: (
        Grade(1.8, ("faint", "weak")),
        Grade(3.0, ("clear", "marked")),
        Grade(INFINITE, ("strong", "intense")),
    ),
    Kind.DIFFUSION_RATIO: (
        Grade(0.5, ("strongly", "markedly")),
        Grade(INFINITE, ("moderately", "mildly")),
    ),
    Kind.MEMBRANE_SHARE: (
        Grade(20.0, ("sparse", "thinly spread")),
        Grade(35.0, ("moderate", "intermediate")),
        Grade(INFINITE, ("dense", "closely packed")),
    ),
    Kind.OBJECT_DIAMETER: (
        Grade(120.0, ("fine", "small")),
        Grade(350.0, ("medium", "mid-sized")),
        Grade(INFINITE, ("coarse", "large")),
    ),
    Kind.OBJECT_ELONGATION: (
        Grade(2.0, ("compact", "roundish")),
        Grade(3.5, ("oblong", "oval")),
        Grade(INFINITE, ("elongated", "thread-like")),
    ),
    Kind.ORIENTATION_STRENGTH: (
        Grade(0.2, ("hardly", "barely")),
        Grade(0.45, ("somewhat", "partly")),
        Grade(INFINITE, ("strongly", "clearly")),
    ),
    Kind.DENSE_BODIES: (
        Grade(1.0, ("rare", "isolated")),
        Grade(5.0, ("occasional", "scattered")),
        Grade(INFINITE, ("frequent", "abundant")),
    ),
}
"""Words for sizes, by limits in the fact's unit."""

PER_SIDE_LUNG_SHARE = 0.5
"""A single lung is graded as half of both."""

TERMS: dict[Kind, str] = {
    Kind.SLICES: r"slice|section|image",
    Kind.SLICE_DISTANCE: r"slice|section|spac|apart",
    Kind.PIXEL: r"pixel|in-plane",
    Kind.COVERAGE: r"cover|span|extent|reach",
    Kind.PLANE: r"plane|slice|acqui|section|series|image|stack|orient",
    Kind.SEQUENCE: r"sequence|weighted|imag|series",
    Kind.BODY_VOLUME: r"body|patient|tissue",
    Kind.BODY_WIDTH: r"body|trunk|wide|width|across",
    Kind.FAT_SHARE: r"fat|adipose|build",
    Kind.BONE_SHARE: r"bone|skelet",
    Kind.CONTRAST: r"contrast|enhance",
    Kind.LUNG_VOLUME: r"lung",
    Kind.LUNG_HEIGHT: r"height|tall|high|measure",
    Kind.LUNG_DENSITY: r"density|attenuation|densit",
    Kind.LUNG_SPREAD: r"spread|vary|vari|deviation",
    Kind.LUNG_GRADIENT: r"dependent|gradient",
    Kind.BELOW_950: r"-950 HU|emphysema|low-attenuation|air-filled",
    Kind.BELOW_910: r"-910 HU",
    Kind.DARK_LEVEL: r"emphysema|lucen|low-attenuation|dark",
    Kind.HAZE_SHARE: r"haz|ground-glass|veil",
    Kind.DENSE_SHARE: r"soft-tissue|vessel|solid",
    Kind.DARK_COUNT: r"air space|airspace|bulla|cavit|lucenc",
    Kind.DARK_DIAMETER: r"air space|airspace|bulla|cavit|lucenc|largest",
    Kind.BRIGHT_COUNT: r"nodul|foc|round",
    Kind.BRIGHT_DIAMETER: r"nodul|foc|round|largest|next",
    Kind.BRIGHT_DENSITY: r"densit|attenuation",
    Kind.FLUID_VOLUME: r"fluid|effusion",
    Kind.FLUID_DEPTH: r"deep|depth|thick",
    Kind.FLUID_DENSITY: r"densit|attenuation",
    Kind.HEART_DENSITY: r"heart|cardiac",
    Kind.HEART_RATIO: r"heart|cardiac|cardiothoracic",
    Kind.CALCIUM_VOLUME: r"calci",
    Kind.CALCIUM_COUNT: r"calci",
    Kind.METAL_VOLUME: r"metal",
    Kind.TISSUE_SHARE: r"tissue|signal|field",
    Kind.VARIATION: r"signal|intensit|spread|quartile",
    Kind.BRIGHT_TAIL: r"bright|signal",
    Kind.BRIGHT_AREAS: r"bright|hyperintens|high signal",
    Kind.BRIGHT_AREA_VOLUME: r"bright|hyperintens|high signal|largest",
    Kind.DARK_AREAS: r"dark|hypointens|low signal",
    Kind.DARK_AREA_VOLUME: r"dark|hypointens|low signal|largest",
    Kind.DIFFUSION_VOLUME: r"diffusion",
    Kind.DIFFUSION_RATIO: r"ADC|diffusion",
    Kind.VOXEL: r"voxel|step|sampl",
    Kind.FIELD: r"field|block|volume|cover",
    Kind.MEMBRANE_SHARE: r"membrane",
    Kind.MEMBRANE_CONTRAST: r"membrane|contrast",
    Kind.OBJECT_DENSITY: r"object|profile|cell|compartment",
    Kind.OBJECT_DIAMETER: r"object|profile|cell|compartment",
    Kind.LARGEST_OBJECT: r"largest|biggest",
    Kind.OBJECT_ELONGATION: r"shape|long|elongat|aspect",
    Kind.ORIENTATION: r"along|axis|direct",
    Kind.ORIENTATION_STRENGTH: r"orient|anisotrop|align|direct",
    Kind.DENSE_BODIES: r"dense|dark|bodies",
}
"""What a sentence that states a fact of a kind must contain."""

THRESHOLDS: dict[Kind, tuple[str, ...]] = {
    Kind.BELOW_950: ("-950 HU",),
    Kind.BELOW_910: ("-910 HU",),
    Kind.HAZE_SHARE: ("-700 and -350 HU", "-700 to -350 HU"),
    Kind.DENSE_SHARE: ("-350 HU",),
}
"""Numbers that belong to the name of a kind, not to its value."""

VALUE_WORDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    Kind.PLANE: {
        "axial": ("axial", "transverse"),
        "coronal": ("coronal", "frontal"),
        "sagittal": ("sagittal",),
    },
    Kind.CONTRAST: {
        "present": ("contrast-enhanced", "contrast medium in the blood", "enhancement of the blood", "enhanced blood"),
        "absent": ("unenhanced", "non-contrast", "plain", "native"),
    },
    Kind.DARK_LEVEL: {
        "upper": ("upper", "apical"),
        "middle": ("middle", "mid"),
        "lower": ("lower", "basal"),
    },
    Kind.ORIENTATION: {axis: (f"{axis} axis", f"{axis} direction") for axis in ("z", "y", "x")},
}
"""Words for the values of kinds that have no number."""

NEGATIONS = ("no", "without", "free of", "none", "not", "absent", "lack", "never", "neither")
"""A value of 0 is stated by one of these."""

COUNT_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SIDE_WORDS: dict[str, tuple[str, ...]] = {
    "right": ("right",),
    "left": ("left",),
    "either side": ("right", "left"),
    "both sides": ("right", "left"),
    "bilateral": ("right", "left"),
    "bilaterally": ("right", "left"),
}
LEVEL_WORDS = {
    "upper": "upper",
    "apical": "upper",
    "middle": "middle",
    "mid": "middle",
    "lower": "lower",
    "basal": "lower",
}
DEPTH_WORDS = {"anterior": "front", "ventral": "front", "posterior": "back", "dorsal": "back"}


def grade_words(fact: Fact) -> tuple[str, ...]:
    """The words for the size of a fact; none for kinds without grades."""
    value = fact.value
    if fact.kind not in GRADES or isinstance(value, str):
        return ()
    if fact.kind == Kind.LUNG_VOLUME and fact.side:
        value = value / PER_SIDE_LUNG_SHARE
    return next(grade.words for grade in GRADES[fact.kind] if value < grade.limit)


def value_words(fact: Fact) -> tuple[str, ...]:
    """The words for a value that is no number."""
    if not isinstance(fact.value, str):
        return ()
    return VALUE_WORDS[fact.kind][fact.value] if fact.kind in VALUE_WORDS else (fact.value,)
