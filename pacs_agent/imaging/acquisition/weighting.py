"""How a frame was weighted and what was nulled: by coded attributes, then by its timing, then by its description.

Localizers, steady states, inflow and flow techniques are known by name only in MR Image Storage, so that words that
name a technique stand before the timing; words that name T1, T2 or PD stand after it.
"""

from dataclasses import replace

from pacs_agent.imaging.acquisition.elements import FrameElements
from pacs_agent.imaging.acquisition.terms import Answer, Nulling, Weighting
from pacs_agent.imaging.acquisition.timing import Certainty, Timing, weighting_by_timing
from pacs_agent.imaging.acquisition.words import Description, described, nulling_of

_ACQUISITION_CONTRAST = {
    "DIFFUSION": Weighting.DIFFUSION,
    "FLOW_ENCODED": Weighting.FLOW,
    "FLUID_ATTENUATED": Weighting.T2,
    "PERFUSION": Weighting.PERFUSION,
    "PROTON_DENSITY": Weighting.PROTON_DENSITY,
    "STIR": Weighting.T2,
    "T1": Weighting.T1,
    "T2": Weighting.T2,
    "T2_STAR": Weighting.T2_STAR,
    "TOF": Weighting.TIME_OF_FLIGHT,
}
"""Acquisition Contrast (0008,9209). PS3.3 C.8.13.3.1.2."""
_IMAGE_TYPES: tuple[tuple[Weighting, frozenset[str]], ...] = (
    (Weighting.LOCALIZER, frozenset({"LOCALIZER", "SCOUT", "SURVEY"})),
    (
        Weighting.MAP,
        frozenset({"EADC", "EXP_ADC", "FA", "COLFA", "TENSOR", "T1 MAP", "T2 MAP", "T2_STAR MAP", "R2_STAR"}),
    ),
    (
        Weighting.MAP,
        frozenset({"CBF", "CBV", "RELCBF", "RELCBV", "MTT", "RELMTT", "TTP", "TMAX", "KTRANS", "KEP", "IAUC"}),
    ),
    (Weighting.ADC, frozenset({"ADC", "ADC_UNSPECIFIED", "ADC_MAP"})),
    (Weighting.DIFFUSION, frozenset({"DIFFUSION", "TRACEW", "CALC_BVALUE", "DIFFUSION_ANISO"})),
    (Weighting.PERFUSION, frozenset({"PERFUSION", "ASL"})),
)
"""Values of Image Type or Frame Type that vendors and PS3.3 C.8.13.3.1.3 give; the first that is there counts."""
_FLAGS = (
    ("TimeOfFlightContrast", "YES", Weighting.TIME_OF_FLIGHT),
    ("PhaseContrast", "YES", Weighting.FLOW),
)
_TECHNIQUES = frozenset(
    {
        *(Weighting.LOCALIZER, Weighting.MAP, Weighting.ADC, Weighting.DIFFUSION, Weighting.TIME_OF_FLIGHT),
        *(Weighting.FLOW, Weighting.BALANCED, Weighting.PERFUSION),
    }
)
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName")


def weighting_of(frame: FrameElements, b_value: float | None) -> Answer[Weighting]:
    """How a frame of MR was weighted, with the attribute that decided."""
    stated = _by_description(frame)
    coded = _by_code(frame, b_value)
    if coded is not None:
        return _map_of(coded, stated, frame) or _noting(coded, stated)
    if stated is not None and stated.value in _TECHNIQUES:
        return stated
    if stated is None and frame.text("AngioFlag").upper() == "Y" and not frame.text("ContrastBolusAgent"):
        return Answer(Weighting.TIME_OF_FLIGHT, "AngioFlag is Y, and no contrast agent is named")
    timed = weighting_by_timing(Timing.of(frame))
    if timed is not None and timed.certainty is Certainty.SURE:
        return _noting(timed.answer, stated)
    if stated is not None:
        return stated
    if timed is not None:
        return timed.answer
    return Answer(Weighting.UNKNOWN, "neither coded attributes nor echo and repetition time nor the description tell")


def nulling_by(frame: FrameElements) -> Answer[Nulling]:
    """What gives no signal in a frame of MR: fat (STIR, spectral saturation), fluid (FLAIR), both or nothing."""
    timing, stated = Timing.of(frame), _words_of(frame)
    fat, fluid = _fat_nulled(frame, timing), _fluid_nulled(frame, timing)
    reasons = [reason for reason in (fat, fluid) if reason]
    said = {keyword: description.nulling for keyword, description in stated}
    for keyword, nulling in said.items():
        if not fat and nulling in (Nulling.FAT, Nulling.FAT_AND_FLUID):
            fat = f"{keyword} says that fat is suppressed"
            reasons.append(fat)
        if not fluid and nulling in (Nulling.FLUID, Nulling.FAT_AND_FLUID):
            fluid = f"{keyword} says that fluid is attenuated"
            reasons.append(fluid)
    value = nulling_of(fat=bool(fat), fluid=bool(fluid))
    return Answer(value, "; ".join(reasons) or "no attribute and no word speaks of nulling")


def description_of(frame: FrameElements) -> Description:
    """What Series Description says; weighting and b-values of Protocol Name where it tells none.

    A protocol is often named after the whole examination, so that it is not asked about contrast.
    """
    found = [description for _, description in _words_of(frame)]
    if not found:
        return Description()
    first, last = found[0], found[-1]
    if first.weighting is not None:
        return first
    return replace(first, weighting=last.weighting, b_values=last.b_values)


def _words_of(frame: FrameElements) -> list[tuple[str, Description]]:
    texts = ((keyword, frame.text(keyword)) for keyword in _DESCRIPTIONS)
    return [(keyword, described(text)) for keyword, text in texts if text]


def _by_description(frame: FrameElements) -> Answer[Weighting] | None:
    for keyword, description in _words_of(frame):
        if description.weighting is not None:
            return Answer(description.weighting, f"{keyword} says {frame.text(keyword)}")
    return None


def _by_code(frame: FrameElements, b_value: float | None) -> Answer[Weighting] | None:
    """By attributes whose values name the weighting, or by a b-value above 0. A b-value of 0 says nothing.

    Philips writes it in every image.
    """
    frame_type = frame.frame_type
    for weighting, values in _IMAGE_TYPES:
        if found := frame_type & values:
            return Answer(weighting, f"the image type holds {min(found)}")
    contrast = frame.text("AcquisitionContrast").upper()
    if contrast in _ACQUISITION_CONTRAST:
        weighting = _ACQUISITION_CONTRAST[contrast]
        if contrast == "FLUID_ATTENUATED" and _is_t1_flair(Timing.of(frame)):
            weighting = Weighting.T1
        return Answer(weighting, f"AcquisitionContrast is {contrast}")
    for keyword, yes, weighting in _FLAGS:
        if frame.text(keyword).upper() == yes:
            return Answer(weighting, f"{keyword} is {yes}")
    if b_value:
        return Answer(Weighting.DIFFUSION, f"its b-value is {b_value:g} s/mm²")
    return None


def _map_of(
    coded: Answer[Weighting], stated: Answer[Weighting] | None, frame: FrameElements
) -> Answer[Weighting] | None:
    """The map that a description names, of images that are derived from diffusion: they keep b-value and contrast."""
    maps = (Weighting.ADC, Weighting.MAP)
    if coded.value is not Weighting.DIFFUSION or stated is None or stated.value not in maps:
        return None
    if "DERIVED" not in frame.frame_type:
        return None
    return Answer(stated.value, f"{stated.reason} of a derived image, and {coded.reason}")


def _is_t1_flair(timing: Timing) -> bool:
    return timing.echo_ms is not None and timing.echo_ms <= 40 and (timing.inversion_ms or 0) < 1400


def _noting(answer: Answer[Weighting], stated: Answer[Weighting] | None) -> Answer[Weighting]:
    """The answer, and that the description says otherwise where it does."""
    if stated is None or stated.value is answer.value:
        return answer
    return Answer(answer.value, f"{answer.reason}, though {stated.reason}")


def _fat_nulled(frame: FrameElements, timing: Timing) -> str:
    """Why fat gives no signal, by attributes; nothing where they do not say so."""
    if frame.text("AcquisitionContrast").upper() == "STIR":
        return "AcquisitionContrast is STIR"
    suppressed = frame.text("SpectrallySelectedSuppression").upper()
    if suppressed.startswith("FAT"):
        return f"SpectrallySelectedSuppression is {suppressed}"
    if "FS" in frame.terms("ScanOptions"):
        return "ScanOptions hold FS, fat saturation"
    return timing.fat_nulled


def _fluid_nulled(frame: FrameElements, timing: Timing) -> str:
    """Why fluid gives no signal, by attributes; nothing where they do not say so."""
    if frame.text("AcquisitionContrast").upper() == "FLUID_ATTENUATED":
        return "AcquisitionContrast is FLUID_ATTENUATED"
    return timing.fluid_nulled
