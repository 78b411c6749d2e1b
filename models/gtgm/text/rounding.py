"""How a measured value is rounded and written: one table of rules, used by the writer and by the check."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from models.gtgm.facts import Kind


@dataclass(frozen=True)
class Written:
    """One way to write a value: times `scale`, rounded half up to a multiple of a step, followed by a unit.

    `steps` are (limit, step): the step of the first limit that the scaled value does not reach in size.
    """

    units: tuple[str, ...]
    """Ways to write the unit; the first one is meant by the others."""
    steps: tuple[tuple[float, str], ...]
    scale: float = 1.0

    def number(self, value: float) -> str:
        """The rounded number without unit."""
        scaled = value * self.scale
        step = Decimal(next((step for limit, step in self.steps if abs(scaled) < limit), self.steps[-1][1]))
        rounded = (Decimal(repr(scaled)) / step).quantize(Decimal(1), ROUND_HALF_UP) * step
        return f"{rounded + 0:f}" if rounded else "0"


def _always(step: str) -> tuple[tuple[float, str], ...]:
    return ((float("inf"), step),)


_LITRES, _MILLILITRES = ("L", "litres", "liters"), ("mL", "ml", "millilitres")
_PERCENT, _MM, _HU, _NM = ("%", "percent"), ("mm", "millimetres"), ("HU", "Hounsfield units"), ("nm", "nanometres")
_PLAIN, _CUBIC = ("",), ("µm³", "cubic micrometres")
_BODY_LITRES = Written(_LITRES, ((10.0, "0.5"), (float("inf"), "1")))
_ONE_DECIMAL_LITRE = Written(_LITRES, _always("0.1"))
_AS_ML = Written(_MILLILITRES, _always("50"), scale=1000.0)
_FLUID_ML = Written(_MILLILITRES, ((100.0, "5"), (1000.0, "10"), (float("inf"), "50")))
_SMALL_ML = Written(_MILLILITRES, ((1.0, "0.1"), (10.0, "0.5"), (100.0, "1"), (float("inf"), "10")))
_SHARE = Written(_PERCENT, ((1.0, "0.1"), (10.0, "0.5"), (float("inf"), "1")))
_WHOLE_MM, _CM = Written(_MM, _always("1")), Written(("cm", "centimetres"), _always("0.1"), scale=0.1)
_FIVE_HU, _WHOLE_HU = Written(_HU, _always("5")), Written(_HU, _always("1"))
_COUNT = Written(_PLAIN, _always("1"))
_RATIO = Written(_PLAIN, _always("0.01"))
_TENTH = Written(_PLAIN, _always("0.1"))
_SHORT_NM = Written(_NM, ((10.0, "0.1"), (100.0, "1"), (float("inf"), "10")))

WRITTEN: dict[Kind, tuple[Written, ...]] = {
    Kind.SLICES: (_COUNT,),
    Kind.SLICE_DISTANCE: (Written(_MM, _always("0.1")),),
    Kind.PIXEL: (Written(_MM, _always("0.01")),),
    Kind.COVERAGE: (Written(_MM, _always("5")), Written(("cm", "centimetres"), _always("1"), scale=0.1)),
    Kind.BODY_VOLUME: (_BODY_LITRES,),
    Kind.BODY_WIDTH: (Written(_MM, _always("5")), Written(("cm", "centimetres"), _always("1"), scale=0.1)),
    Kind.FAT_SHARE: (_SHARE,),
    Kind.BONE_SHARE: (_SHARE,),
    Kind.LUNG_VOLUME: (_ONE_DECIMAL_LITRE, _AS_ML),
    Kind.LUNG_HEIGHT: (Written(_MM, _always("5")), Written(("cm", "centimetres"), _always("0.5"), scale=0.1)),
    Kind.LUNG_DENSITY: (_FIVE_HU, _WHOLE_HU),
    Kind.LUNG_SPREAD: (_FIVE_HU,),
    Kind.LUNG_GRADIENT: (_FIVE_HU,),
    Kind.BELOW_950: (_SHARE,),
    Kind.BELOW_910: (_SHARE,),
    Kind.HAZE_SHARE: (_SHARE,),
    Kind.DENSE_SHARE: (_SHARE,),
    Kind.DARK_COUNT: (_COUNT,),
    Kind.DARK_DIAMETER: (_WHOLE_MM, _CM),
    Kind.BRIGHT_COUNT: (_COUNT,),
    Kind.BRIGHT_DIAMETER: (_WHOLE_MM, _CM),
    Kind.BRIGHT_DENSITY: (_FIVE_HU,),
    Kind.FLUID_VOLUME: (_FLUID_ML,),
    Kind.FLUID_DEPTH: (_WHOLE_MM, _CM),
    Kind.FLUID_DENSITY: (_WHOLE_HU,),
    Kind.HEART_DENSITY: (_FIVE_HU,),
    Kind.HEART_RATIO: (_RATIO,),
    Kind.CALCIUM_VOLUME: (_SMALL_ML,),
    Kind.CALCIUM_COUNT: (_COUNT,),
    Kind.METAL_VOLUME: (_SMALL_ML,),
    Kind.TISSUE_SHARE: (_SHARE,),
    Kind.VARIATION: (_SHARE,),
    Kind.BRIGHT_TAIL: (_TENTH,),
    Kind.BRIGHT_AREAS: (_COUNT,),
    Kind.BRIGHT_AREA_VOLUME: (_SMALL_ML,),
    Kind.DARK_AREAS: (_COUNT,),
    Kind.DARK_AREA_VOLUME: (_SMALL_ML,),
    Kind.DIFFUSION_VOLUME: (_SMALL_ML,),
    Kind.DIFFUSION_RATIO: (_RATIO,),
    Kind.VOXEL: (_SHORT_NM,),
    Kind.FIELD: (Written(_CUBIC, ((10.0, "0.1"), (100.0, "1"), (float("inf"), "10"))),),
    Kind.MEMBRANE_SHARE: (_SHARE,),
    Kind.MEMBRANE_CONTRAST: (_TENTH,),
    Kind.OBJECT_DENSITY: (
        Written(("per µm³", "per cubic micrometre"), ((1.0, "0.01"), (10.0, "0.1"), (float("inf"), "1"))),
    ),
    Kind.OBJECT_DIAMETER: (_SHORT_NM,),
    Kind.LARGEST_OBJECT: (Written(_CUBIC, ((0.1, "0.001"), (1.0, "0.01"), (float("inf"), "0.1"))),),
    Kind.OBJECT_ELONGATION: (_TENTH,),
    Kind.ORIENTATION_STRENGTH: (_RATIO,),
    Kind.DENSE_BODIES: (_SHARE,),
}
"""Ways to write the value of each numeric kind; kinds with words for values are not in it."""

UNITS: dict[str, str] = {
    way: written.units[0] for ways in WRITTEN.values() for written in ways for way in written.units if way
}
"""Every way to write a unit, and the unit meant."""
