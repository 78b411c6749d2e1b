"""What a series description says, in the words of Siemens, GE, Philips, Canon and of German and English people."""

import re
from dataclasses import dataclass
from functools import lru_cache

from pacs_agent.imaging.acquisition.terms import BolusPhase, Component, Contrast, Nulling, Weighting
from pacs_agent.imaging.acquisition.words_of_ct import any_word, bolus_phase_named, is_reformat_named

_SEPARATORS = re.compile(r"[\s_/\\,;:()\[\]|<>#&]+")
MAX_CHARACTERS = 256


@dataclass(frozen=True)
class Description:
    """What a description states; None or empty where it says nothing."""

    weighting: Weighting | None = None
    nulling: Nulling = Nulling.NONE
    contrast: Contrast | None = None
    component: Component | None = None
    b_values: tuple[int, ...] = ()
    """In s/mm², ascending. A series of several b-values names them all."""
    phase: int | None = None
    """The number after `post`, `dyn` or `phase`."""
    bolus_phase: BolusPhase | None = None
    is_reformat: bool = False
    """Whether it says that slices of CT were computed from others: `MPR`."""


_DIM = "(?:[dsv]|[23]d)?"
"""Philips sets s (single-shot), v or d before a weighting; 2D and 3D stand there without a space at times."""

_T2_STAR = any_word(
    *(r"t2 ?\*\w*", r"t2 ?-?star\w*", r"t2s", rf"{_DIM}t2w? ?-?(?:ffe|gre|fl2d|fl3d|me2d|me3d)\w*", r"r2\*"),
    *(r"swi\w*", r"swan\w*", r"sw", r"venobold", r"medic", r"merge", r"mffe", r"m-ffe", r"mgre", r"bold", r"fmri"),
    *(r"\w*h(?:a|ä)?emo\w*", r"hämo\w*", r"fsbb"),
)
_FLAIR = any_word(r"\w*flair\w*", r"dark ?-?fl\w*", r"tirm ?-?df", r"da-?fl")
_STIR = any_word(r"\w*stir\w*", r"tirm", r"(?:f?se|tse)-?ir", r"ir ?-?f?t?se")
_T1 = any_word(rf"{_DIM}t1(?:w\w*|wi|tse|se|fs|ffe|tfe|fse|flair)?")
_T2 = any_word(rf"{_DIM}t2(?:w\w*|wi|tse|fse|se|fs|spc|haste|blade|tirm|flair)?")
_PD = any_word(rf"{_DIM}pd(?:w\w*|fs|tse|fse|se)?", r"proton\w*", r"rho")

_TECHNIQUES: tuple[tuple[Weighting, re.Pattern[str]], ...] = (
    (
        Weighting.LOCALIZER,
        any_word(
            *(r"\w*locali[sz]er\w*", r"loc\d*", r"lokali\w*", r"\w*scouts?", r"survey\w*", r"3 ?-?pl(?:ane)?", r"plan"),
            *(r"planung\w*", r"topogram\w*", r"surview", r"scanogram\w*", r"scano", r"cal(?:ib\w*)?", r"kalib\w*"),
            *(
                r"(?:ref|pre) ?-?scan",
                r"coilsurvey",
                r"shim\w*",
                r"field ?-?map\w*",
                r"b[01] ?-?map\w*",
                r"smart ?prep",
            ),
            *(r"(?:pre)?monitoring", r"bolus ?-?track\w*", r"sure ?start", r"test ?-?bolus", r"timing ?-?bolus"),
            *(
                r"care ?bolus",
                r"bolus ?-?timing",
                r"tracker",
                r"locator",
                r"patient(?:en)? ?proto[ck]ol\w*",
                r"dose report",
            ),
        ),
    ),
    (
        Weighting.MAP,
        any_word(
            *(
                r"e-?adc\w*",
                r"exp(?:onential)? ?-?adc\w*",
                r"exp(?:onential)? apparent\w*",
                r"colfa\w*",
                r"(?:\w*diff|mddw|dti).*\bfa",
                r"fracaniso",
            ),
            *(
                r"fractional ani\w*",
                r"tensor\w*",
                r"(?:t1|t2|t2\*|r2\*) ?-?map\w*",
                r"r2 ?-?star\w*",
                r"molli\w*",
                r"k-?trans\w*",
                r"iauc\w*",
            ),
            *(
                r"(?:rel ?)?cb[fv]",
                r"vnc",
                r"virtu\w* ?-?(?:non|nativ)\w*",
                r"iod(?:ine)? ?-?(?:map|karte|overlay)\w*",
                r"z ?-?eff\w*",
                r"mtt",
                r"ttp",
                r"tmax",
                r"pbp",
                r"wash ?-?(?:in|out)",
                r"kep",
                r"fat ?-?frac\w*",
                r"pdff",
            ),
        ),
    ),
    (Weighting.ADC, any_word(r"[drs]?adc\d*(?: ?-?map\w*)?", r"adc\w*", r"apparent ?diff\w*")),
    (
        Weighting.DIFFUSION,
        any_word(
            *(
                r"\w*dwi\w*",
                r"\w*diff(?!eren)\w*",
                r"dti\w*",
                r"mddw",
                r"resolve",
                r"trace\w*",
                r"dwibs",
                r"ivim\w*",
                r"zoomit",
            ),
            *(
                r"muse",
                r"ssh ?-?dw",
                r"dw",
                r"calc ?-?b ?-?val\w*",
                r"b ?-?val\w*",
                r"(?:calc ?-?)?b ?=? ?-?\d{2,4}[ts]?",
            ),
        ),
    ),
    (Weighting.TIME_OF_FLIGHT, any_word(r"tof\w*", r"\dd ?tof", r"inflow\w*", r"time of flight")),
    (
        Weighting.FLOW,
        any_word(
            *(r"[234]d ?-?pc", r"pc ?-?(?:flow|angio|mra|cine|venc|2d|3d)", r"pca", r"phase ?-?contrast", r"venc\d*"),
            *(r"flow(?! ?-?comp)", r"q-?flow", r"qf", r"velocity"),
        ),
    ),
    (
        Weighting.BALANCED,
        any_word(
            *(
                r"tru ?-?fi\w*",
                r"true ?-?fisp",
                r"fiesta\w*",
                r"b[ -]?ffe\w*",
                r"b[ -]?tfe\w*",
                r"balanced",
                r"(?:b|true ?)?ssfp",
            ),
            *(r"ciss", r"cine"),
        ),
    ),
)
"""Techniques that no echo or repetition time tells; the first that is named counts."""

_IMPLIED: tuple[tuple[Weighting, re.Pattern[str]], ...] = (
    (Weighting.PERFUSION, any_word(r"perf\w*", r"dsc", r"p?c?asl")),
    (
        Weighting.T2,
        any_word(
            *(
                r"haste\w*",
                r"ssfse\w*",
                r"ss-?fse\w*",
                r"ssh-?tse\w*",
                r"ssh ?tse",
                r"fase\w*",
                r"mrcp\w*",
                r"spc",
                r"space",
            ),
            *(r"cube", r"fr-?fse\w*", r"propeller", r"blade", r"myelo\w*", r"jet"),
        ),
    ),
    (
        Weighting.T1,
        any_word(
            *(
                r"\w*vibe\w*",
                r"e?-?thrive\w*",
                r"lava\w*",
                r"mp2?-?rage\w*",
                r"bravo",
                r"f?spgr\w*",
                r"fame",
                r"vibrant\w*",
            ),
            *(
                r"flash\w*",
                r"fl[23]d\w*",
                r"tfl\w*",
                r"dixon\w*",
                r"mdixon\w*",
                r"quick ?-?3ds?\w*",
                r"twist\w*",
                r"tricks\w*",
            ),
            *(
                r"disco\w*",
                r"grasp\w*",
                r"dyn\w*",
                r"dce\w*",
                r"bliss",
                r"dual ?-?echo",
                r"(?:in|out|opp(?:osed)?)(?: of)? ?-?phase",
                r"ffe",
            ),
            *(r"tfe", r"ce ?-?mra", r"mra", r"(?<!ct[ -])angio\w*", r"4d ?-?trak\w*", r"freeze ?-?frame", r"ir-?spgr"),
        ),
    ),
)
"""Trade names that imply a weighting, for descriptions that state none."""

_BEFORE = any_word(
    *(
        r"pre\d*(?! ?-?(?:op|sat))",
        r"pre ?-?(?:contrast|gd|km|kontrast\w*)\w*",
        r"nativ\w*",
        r"leer(?:aufnahme|scan)?",
        r"ohne ?(?:i\.? ?v\.? ?)?(?:km|kontrast\w*|$)",
        r"o\.? ?km",
    ),
    *(r"w ?o(?! ?(?:fs|fat))", r"without(?! ?(?:fs|fat))", r"non ?-?(?:con\w*|enh\w*|ce)", r"noncon\w*", r"unenh\w*"),
    *(r"plain", r"vor ?km", r"prekm", r"mask", r"maske"),
)
_WITH_AND_WITHOUT = any_word(r"w(?:ith)? (?:and )?w(?:ith)? ?o(?:ut)?", r"mit (?:und|u) ohne")
"""Of an examination with both, which says nothing of one series."""
_BEFORE_SIGN = re.compile(r"(?<![a-z0-9])(?:c-|-c)(?= |$)")
_AFTER = any_word(
    *(
        r"post(?:con\w*|gd|km)?\d*(?! ?-?op)",
        r"(?:nach|mit|m|n|post)? ?-?km",
        r"gd\w*",
        r"gado\w*",
        r"dotarem",
        r"primovist",
    ),
    *(r"ce", r"cemra", r"contrast", r"kontrast\w*", r"enhanced", r"arteri\w*", r"art", r"ven(?:ö|oe|ou?)s\w*", r"ven"),
    *(
        r"porto?-?\w*ven\w*",
        r"portal\w*",
        r"pv",
        r"delay\w*",
        r"sp(?:ä|ae)t\w*",
        r"late",
        r"hbp",
        r"hepatobil\w*",
        r"nephro\w*",
    ),
    *(r"exkret\w*", r"excret\w*", r"dyn ?km", r"lge", r"equilib\w*"),
    *(r"ct ?-?p?a", r"ct ?-?(?:angio|uro)\w*", r"hap", r"pvp", r"\w+arteri\w*", r"pfortader\w*", r"ausscheid\w*"),
    *(r"(?:with|w) ?(?:iv ?)?con\w*", r"(?:with|w|mit) ?i\.? ?v\.?"),
)
_AFTER_SIGN = re.compile(r"\+ ?(?:c|km|gd|contrast)(?![a-z0-9])|(?<![a-z0-9])c ?\+")

_FAT_NULLED = any_word(
    *(
        r"(?:t1|t2|pd)?w?fs\d*",
        r"[fs]fs",
        r"fat ?-?sat\w*",
        r"fat ?-?sup\w*",
        r"f-?sat",
        r"spair",
        r"spir",
        r"aspir",
        r"chess",
    ),
    *(r"we", r"fett(?:ges|sätt|saett|unter)\w*", r"pasta", r"special", r"proset"),
)
_FAT_NOT_NULLED = any_word(r"(?:non?|ohne|w ?o|without) ?-?(?:fs|fat ?-?sat\w*|spair|spir)")
_DIXON = any_word(
    r"m?-?dixon\w*", r"ideal\w*", r"lava ?-?flex\w*", r"flex", r"wfop", r"opp ?-?in", r"\w*vibe\w*", r"e?thrive"
)
_SUBTRACTION = any_word(r"sub\d*", r"subtr\w*", r"subtrak\w*", r"\w*-?sub")
_PROJECTION = any_word(r"mips?", r"min-?ip", r"vrt", r"volume ?-?render\w*")
_DIXON_PARTS: tuple[tuple[Component, re.Pattern[str]], ...] = (
    (Component.WATER, any_word(r"w(?! ?(?:o|c|con\w*|gd|km)\b)", r"water", r"wasser")),
    (Component.FAT, any_word(r"f", r"fat(?! ?-?(?:sat|sup))", r"fett")),
    (Component.IN_PHASE, any_word(r"in", r"ip", r"in ?-?phase")),
    (Component.OPPOSED_PHASE, any_word(r"opp", r"op", r"(?:out|opp(?:osed)?)(?: of)? ?-?phase")),
)

_B_VALUES = re.compile(
    r"(?<!\w)(?:calc ?-?)?b(?: ?-?val\w*)? ?=? ?-?(\d{1,4})((?:[ +-]+b?=?(?:0|\d{2,4})(?![\w.]))*)[ts]?(?!\w)"
)
_DWI_NUMBERS = re.compile(r"(?:dwi|diff\w*) ?-?(\d{3,4}|\d{1,4}(?: \d{2,4})+)(?![\w.])")
_PHASE = any_word(
    r"(?:post|dyn|phase|ph|pass|dynamic|messung)[ -]?(\d{1,2})(?:st|nd|rd|th)?(?! ?(?:min|sec|s\b))(?:of\d+)?"
)


@lru_cache(maxsize=4096)
def described(text: str) -> Description:
    """What a series description or protocol name says of weighting, nulling, contrast, b-values and phase."""
    words = _SEPARATORS.sub(" ", text[:MAX_CHARACTERS].lower()).strip()
    weighting = _weighting(words)
    return Description(
        weighting=weighting,
        nulling=_nulling(words),
        contrast=_contrast(words),
        component=_component(words),
        b_values=_b_values(words) if weighting in (Weighting.DIFFUSION, Weighting.ADC) else (),
        phase=_phase(words),
        bolus_phase=bolus_phase_named(words),
        is_reformat=is_reformat_named(words),
    )


def _weighting(words: str) -> Weighting | None:
    techniques = (weighting for weighting, pattern in _TECHNIQUES if pattern.search(words))
    if (technique := next(techniques, None)) is not None:
        return technique
    if _T2_STAR.search(words):
        return Weighting.T2_STAR
    if _FLAIR.search(words) or _STIR.search(words):
        return Weighting.T1 if _T1.search(words) else Weighting.T2
    stated = {Weighting.T1: _T1, Weighting.T2: _T2, Weighting.PROTON_DENSITY: _PD}
    places = {weighting: found.start() for weighting, pattern in stated.items() if (found := pattern.search(words))}
    if places:
        return min(places, key=lambda weighting: places[weighting])
    return next((weighting for weighting, pattern in _IMPLIED if pattern.search(words)), None)


def _nulling(words: str) -> Nulling:
    fluid = _FLAIR.search(words) is not None
    stir = _STIR.search(words) is not None and not fluid  # "tirm dark-fluid" nulls fluid, not fat
    saturated = _FAT_NULLED.search(words) is not None and not _FAT_NOT_NULLED.search(words)
    return nulling_of(fat=stir or saturated, fluid=fluid)


def nulling_of(*, fat: bool, fluid: bool) -> Nulling:
    """The term for what is nulled."""
    if fat and fluid:
        return Nulling.FAT_AND_FLUID
    return Nulling.FAT if fat else Nulling.FLUID if fluid else Nulling.NONE


def _contrast(words: str) -> Contrast | None:
    if _WITH_AND_WITHOUT.search(words):
        return None
    if _BEFORE.search(words) or _BEFORE_SIGN.search(words):
        return Contrast.BEFORE
    return Contrast.AFTER if _AFTER.search(words) or _AFTER_SIGN.search(words) else None


def _component(words: str) -> Component | None:
    if _SUBTRACTION.search(words):
        return Component.SUBTRACTION
    if _PROJECTION.search(words):
        return Component.PROJECTION
    if not _DIXON.search(words):
        return None
    parts = [component for component, pattern in _DIXON_PARTS if pattern.search(words)]
    return parts[0] if len(parts) == 1 else None


def _b_values(words: str) -> tuple[int, ...]:
    found: set[int] = set()
    for match in _B_VALUES.finditer(words):
        found |= {int(match[1]), *(int(number) for number in re.findall(r"\d+", match[2]))}
    if not found:
        found = {int(number) for listed in _DWI_NUMBERS.findall(words) for number in listed.split()}
    return tuple(sorted(found))


def _phase(words: str) -> int | None:
    found = _PHASE.search(words)
    return int(found[1]) if found else None
