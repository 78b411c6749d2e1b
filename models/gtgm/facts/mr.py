"""Facts of MR volumes: intensities relative to the body's own, bright and dark areas, diffusion across sequences.

MR intensities have no unit: everything is relative to the median of the tissue in the same volume.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from models.gtgm.facts.acquisition import acquisition_facts
from models.gtgm.facts.fact import Fact, Kind
from models.gtgm.facts.grid import Mask, Spacing, Values, blocks, factors_for, scaled
from models.gtgm.facts.pieces import Piece, pieces_of
from models.gtgm.facts.threshold import between_classes
from models.gtgm.volume import Volume

WORKING_MM = 2.0
SMOOTH_MM = 1.5
BRIGHT, DARK = 1.9, 0.35
"""Times the median of the tissue."""
SMALLEST_MM3 = 500.0
RESTRICTED_BRIGHT, RESTRICTED_DARK = 1.6, 0.75
"""On a diffusion-weighted image and on the ADC map, times the tissue's median."""
SMALLEST_DIFFUSION_MM3 = 100.0
FAINTEST_SHARE = 1e-3
"""Of the brightest tissue. Where the median is fainter, multiples of it say nothing."""
SEQUENCE_WORD = re.compile(r"T1|T2|T2\*|PD|DWI|ADC|FLAIR|STIR|SWI|GRE|TSE|contrast|b\d{1,4}", re.IGNORECASE)


def mr_facts(volumes: Sequence[Volume]) -> list[Fact]:
    """Facts of each sequence, then what diffusion-weighted images and ADC maps say together."""
    facts = [fact for volume in volumes for fact in _sequence_facts(volume)]
    return facts + _diffusion(volumes)


def tissue_of(values: Values) -> Mask:
    """What gives signal: above the threshold that best parts air from tissue, without holes in a slice."""
    return np.asarray(values > between_classes(values) * 0.6, bool)


def _sequence_facts(volume: Volume) -> list[Fact]:
    values, step = _smooth(volume)
    tissue = tissue_of(values)
    facts = acquisition_facts(volume)
    sequence = plain_name(volume.sequence)
    if sequence:
        facts.insert(0, Fact("sequence", Kind.SEQUENCE, sequence))
    level = _level(values[tissue])
    if level:
        facts += _intensities(values, tissue, level) + _areas(values, tissue, step, level)
    return [replace(fact, of=sequence) for fact in facts]


def _level(inside: Values) -> float:
    """The typical intensity of the tissue, its median; 0 where others cannot be multiples of it."""
    if not inside.size:
        return 0.0
    median = float(np.median(inside))
    return median if median > FAINTEST_SHARE * float(np.abs(inside).max()) else 0.0


def plain_name(sequence: str) -> str:
    """The words of a sequence's name that name sequences: a free description may hold a person's name."""
    return " ".join(word for word in sequence.replace("_", " ").split() if SEQUENCE_WORD.fullmatch(word))


def _smooth(volume: Volume) -> tuple[Values, Spacing]:
    factors = factors_for(volume.spacing_mm, WORKING_MM, volume.values.shape)
    step = scaled(volume.spacing_mm, factors)
    values = np.nan_to_num(blocks(volume.values, factors), posinf=0.0, neginf=0.0)
    return ndimage.gaussian_filter(values, [min(SMOOTH_MM / mm, 1.5) * (mm < 3.0) for mm in step]), step


def _intensities(values: Values, tissue: Mask, median: float) -> list[Fact]:
    inside = values[tissue]
    low, high = (float(q) for q in np.percentile(inside, (25.0, 75.0)))
    return [
        Fact("tissue_share", Kind.TISSUE_SHARE, 100.0 * float(tissue.mean()), "%"),
        Fact("variation", Kind.VARIATION, 100.0 * (high - low) / median, "%"),
        Fact("bright_tail", Kind.BRIGHT_TAIL, float(np.percentile(inside, 98.0)) / median),
    ]


def _areas(values: Values, tissue: Mask, step: Spacing, median: float) -> list[Fact]:
    body = ndimage.binary_erosion(ndimage.binary_closing(tissue, iterations=2) | tissue, iterations=2)
    facts: list[Fact] = []
    for name, count, size, mask in (
        ("bright", Kind.BRIGHT_AREAS, Kind.BRIGHT_AREA_VOLUME, values > BRIGHT * median),
        ("dark", Kind.DARK_AREAS, Kind.DARK_AREA_VOLUME, body & (values < DARK * median)),
    ):
        pieces, _ = pieces_of(mask, values, step, SMALLEST_MM3)
        facts.append(Fact(f"{name}_areas", count, float(len(pieces))))
        if pieces:
            place = place_in(pieces[0], tissue)
            facts.append(Fact(f"{name}_area_volume", size, pieces[0].volume_mm3 / 1000.0, "mL", place))
    return facts


def place_in(piece: Piece, tissue: Mask) -> str:
    """Where in the tissue a piece lies: side, third of the height, front or back; "" parts where it is central."""
    words = []
    for axis, low, high in ((2, "right", "left"), (0, "lower", "upper"), (1, "front", "back")):
        there = np.flatnonzero(tissue.any(axis=tuple(other for other in range(3) if other != axis)))
        share = (piece.centre[axis] - there[0] + 0.5) / len(there)
        words.append(low if share < 0.42 else high if share > 0.58 else "middle" if axis == 0 else "")
    return " ".join(word for word in words if word)


def _diffusion(volumes: Sequence[Volume]) -> list[Fact]:
    """The volume that is bright on the most diffusion-weighted image and dark on the ADC map of the same grid."""
    weighted = [volume for volume in volumes if "DWI" in volume.sequence.upper()]
    maps = [volume for volume in volumes if "ADC" in volume.sequence.upper()]
    pairs = [(dwi, adc) for dwi in weighted for adc in maps if _same_grid(dwi, adc)]
    if not pairs:
        return []
    dwi, adc = max(pairs, key=lambda pair: b_value(pair[0].sequence))
    (bright, step), (slow, _) = _smooth(dwi), _smooth(adc)
    tissue = tissue_of(bright) & (slow > 0.0)
    if not tissue.any():
        return []
    usual, usual_adc = float(np.median(bright[tissue])), float(np.median(slow[tissue]))
    both = tissue & (bright > RESTRICTED_BRIGHT * usual) & (slow < RESTRICTED_DARK * usual_adc)
    pieces, label = pieces_of(both, bright, step, SMALLEST_DIFFUSION_MM3)
    volume = sum(piece.volume_mm3 for piece in pieces) / 1000.0
    place = place_in(pieces[0], tissue) if pieces else ""
    facts = [Fact("diffusion_volume", Kind.DIFFUSION_VOLUME, volume, "mL", place)]
    if pieces:
        ratio = float(slow[label == pieces[0].label].mean()) / usual_adc
        facts.append(Fact("diffusion_ratio", Kind.DIFFUSION_RATIO, ratio))
    return facts


def b_value(sequence: str) -> float:
    """The b value in s/mm² that a sequence's name states, as in "DWI b800"; 0 without one."""
    words = [word[1:] for word in sequence.lower().replace("=", "").split() if word.startswith("b")]
    return max((float(word) for word in words if word.isdigit()), default=0.0)


def _same_grid(one: Volume, other: Volume) -> bool:
    alike = np.allclose(one.spacing_mm, other.spacing_mm, rtol=0.02)
    return one.values.shape == other.values.shape and bool(alike)
