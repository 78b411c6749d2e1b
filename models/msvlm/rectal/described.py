"""What a bundle says of its items beside their levels: codes, sites, structures, wordings, distances, wanted series.

SNOMED CT and LOINC codes that PS3.16 or everybody uses; what no standard scheme names has a code of our local scheme.
"""

from typing import Any

from models.msvlm.rectal.acquired import acquired_by_phantom
from models.msvlm.rectal.items import OF_TUMOUR, SCALES, Scale, steps_of
from models.msvlm.rectal.network import SeriesNetwork
from models.msvlm.rectal.sentences import licensed, words_of, written
from models.phantoms.pelvis import PROTOCOL, Item, Sequence
from models.phantoms.pelvis.truth import INVOLVED_MM
from pacs_agent.imaging import AcceptedInput, Plane
from pacs_agent.inference.reading import Code
from pacs_agent.inference.staging.acquired import PLANES, SequenceId
from pacs_agent.inference.staging.manifest import ItemEntry, LengthEntry, MarginEntry, StepEntry, WantedSeries
from pacs_agent.results.codes import LOCAL_SCHEME


def _sct(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="SCT", meaning=meaning)


def _local(value: str, meaning: str) -> Code:
    return Code(value=value, scheme=LOCAL_SCHEME, meaning=meaning)


KEYS = {scale.item: scale.item.value for scale in SCALES} | {
    Item.PERITONEUM: "peritoneum",
    Item.SPHINCTER: "sphincter",
}
"""Of the items as findings, as the panel knows them; the prompts of two of them were learned by longer ones."""
RECTUM = _sct("34402009", "Rectum")
_CODES: dict[Item, tuple[Code, Code]] = {
    Item.TUMOUR: (_sct("108369006", "Neoplasm"), RECTUM),
    Item.LOCATION: (_local("RECTAL_TUMOUR_LOCATION", "Third of the rectum"), RECTUM),
    Item.PERITONEUM: (_local("PERITONEAL_INVOLVEMENT", "Peritoneal involvement"), _sct("15425007", "Peritoneum")),
    Item.T_STAGE: (Code(value="21905-5", scheme="LN", meaning="Primary tumor.clinical [Class] Cancer"), RECTUM),
    Item.CRM: (_local("INVOLVED_CRM", "Involved circumferential resection margin"), RECTUM),
    Item.SPHINCTER: (_local("ANAL_SPHINCTER_INVOLVEMENT", "Anal sphincter involvement"), _sct("53505006", "Anus")),
    Item.NODES: (
        _local("SUSPICIOUS_MESORECTAL_LYMPH_NODES", "Suspicious mesorectal lymph nodes"),
        _sct("21875007", "Pararectal lymph node"),
    ),
    Item.EMVI: (_local("EXTRAMURAL_VASCULAR_INVASION", "Extramural vascular invasion"), RECTUM),
}
_STRUCTURES = {
    Item.PERITONEUM: "peritoneum",
    Item.CRM: "fascia",
    Item.SPHINCTER: "internal sphincter",
    Item.NODES: "suspicious node",
    Item.EMVI: "vein with tumour",
}
"""What an item rests on where that is not the tumour itself."""
_CONCERN = {Item.TUMOUR: 3, Item.T_STAGE: 2, Item.CRM: 2, Item.NODES: 2, Item.EMVI: 1}
MARGIN = MarginEntry(
    item=KEYS[Item.CRM],
    name="Distance to the mesorectal fascia",
    code=_local("DISTANCE_TO_MESORECTAL_FASCIA", "Distance of tumour and mesorectal fascia"),
    tumour="tumour",
    within="within the fascia",
    fascia="fascia",
    involved_mm=INVOLVED_MM,
)
LENGTH = LengthEntry(item=KEYS[Item.TUMOUR], name="Tumour length", code=_sct("410668003", "Length"), structure="tumour")


def item_entries(network: SeriesNetwork) -> tuple[ItemEntry, ...]:
    """The items with the calibration of their steps, and how they are told as findings."""
    return tuple(_entry(scale, network) for scale in SCALES)


def _entry(scale: Scale, network: SeriesNetwork) -> ItemEntry:
    item = scale.item
    code, site = _CODES[item]
    return ItemEntry(
        key=KEYS[item],
        prompt_key=item.value,
        name=scale.name,
        code=code,
        site=site,
        levels=scale.levels,
        steps=tuple(StepEntry(**vars(point)) for point in network.points[steps_of(item)]),
        structure=_STRUCTURES.get(item, "tumour"),
        lowest_is_absence=item not in (Item.LOCATION, Item.T_STAGE),
        of=KEYS[Item.TUMOUR] if item in OF_TUMOUR else None,
        concern=_CONCERN.get(item, 0),
        sentences=tuple(
            tuple(dict.fromkeys(written(words_of(text)) for text in licensed()[item, level]))
            for level in range(len(scale.levels))
        ),
    )


def accepted_input() -> AcceptedInput:
    """Any stack of MR slices of the pelvis, in any plane."""
    return AcceptedInput(
        modalities=("MR",),
        body_parts=("PELVIS", "RECTUM", "PROSTATE", "ABDOMENPELVIS"),
        planes=tuple(Plane),
        min_slices=4,
        max_slices=400,
        min_thickness_mm=0.4,
        max_thickness_mm=12.0,
        min_coverage_mm=0.0,
    )


def wanted_series() -> tuple[WantedSeries, ...]:
    """Those that it has learned from, none of them required: each was left out in training as well."""
    return tuple(dict.fromkeys(_wanted(one) for one in PROTOCOL))


def _wanted(sequence: Sequence) -> WantedSeries:
    acquired = acquired_by_phantom(sequence)
    plane, kind = PLANES[acquired.plane], SequenceId(acquired.sequence)
    name = f"{kind.name} {plane.value}"
    return WantedSeries(name=name, planes=(plane,), sequences=(kind.name,))


def facts(network: SeriesNetwork) -> dict[str, Any]:
    """What a manifest says of all this."""
    return {
        "accepts": accepted_input(),
        "series": wanted_series(),
        "items": item_entries(network),
        "margin": MARGIN,
        "length": LENGTH,
    }
