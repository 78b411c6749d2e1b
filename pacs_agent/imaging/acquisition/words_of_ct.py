"""What descriptions of CT say beside what all say: where the bolus was, and that slices were computed from others."""

import re

from pacs_agent.imaging.acquisition.terms import BolusPhase


def any_word(*alternatives: str) -> re.Pattern[str]:
    """Any of the alternatives as a word of its own."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?![\w*])")


_BOLUS: tuple[tuple[BolusPhase, re.Pattern[str]], ...] = (
    (BolusPhase.ARTERIAL, any_word(r"\w*arteri\w*", r"art", r"hap", r"ct ?-?p?a", r"ct ?-?angio\w*")),
    (BolusPhase.PORTAL_VENOUS, any_word(r"porto?-? ?ven\w*", r"portal\w*", r"pvp?", r"pfortader\w*")),
    (BolusPhase.VENOUS, any_word(r"ven(?:ö|oe|ou?)s\w*", r"ven")),
    (BolusPhase.NEPHROGRAPHIC, any_word(r"nephro\w*")),
    (
        BolusPhase.DELAYED,
        any_word(
            *(r"delay\w*", r"sp(?:ä|ae)t(?!\w*art)\w*(?! ?art)", r"late(?! ?-?art)", r"equilib\w*"),
            *(r"e[xk][ck]ret\w*", r"ausscheid\w*", r"ct ?-?uro\w*", r"hbp", r"hepatobil\w*"),
        ),
    ),
)
_WATCHED = re.compile(r"monitoring|bolus|smart ?prep|sure ?start|tracker", re.IGNORECASE)
_REFORMAT = any_word(r"mprs?\d*", r"reformat\w*", r"reform", r"multi ?-?planar\w*")


def bolus_phase_named(words: str) -> BolusPhase | None:
    """Where the bolus was, by words in small letters; None where they name several places, as a whole study does."""
    named = [phase for phase, pattern in _BOLUS if pattern.search(words)]
    if BolusPhase.PORTAL_VENOUS in named:
        named = [phase for phase in named if phase is not BolusPhase.VENOUS]  # "portal venous" has both words
    return named[0] if len(named) == 1 else None


def is_bolus_watched(description: str) -> bool:
    """Whether images watch for a bolus: `PreMonitoring`, `Smart Prep`, `Test bolus`. Asked of localizers alone."""
    return _WATCHED.search(description) is not None


def is_reformat_named(words: str) -> bool:
    """Whether words in small letters say that slices were computed from those of another plane or thickness."""
    return _REFORMAT.search(words) is not None
