"""The true report of a study in the structured order of rectal staging: each sentence says what the truth says.

The order and the items follow the ESGAR template (Beets-Tan et al., Eur Radiol 2018;28:1465).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.phantoms.pelvis.truth import Sphincter, Truth, TumourTruth
from models.phantoms.pelvis.tumour import AROUND_MM


class Item(StrEnum):
    """What a sentence is about: the seven items of staging, and what stands beside them."""

    TUMOUR = "tumour"
    LOCATION = "location"
    T_STAGE = "t_stage"
    CRM = "crm"
    PERITONEUM = "peritoneal_involvement"
    SPHINCTER = "sphincter_involvement"
    NODES = "nodes"
    EMVI = "emvi"
    IMPRESSION = "impression"


@dataclass(frozen=True)
class ReportSentence:
    """A sentence and what it is about."""

    item: Item
    text: str


_ABSENT = (
    "No rectal tumour is seen.",
    "The rectal wall is of normal thickness without a mass.",
    "No mass of the rectum, no restricted diffusion of its wall.",
)
_PRESENT = {
    False: (
        "There is a tumour of the rectum with intermediate T2 signal and restricted diffusion.",
        "Rectal mass of intermediate T2 signal with restricted diffusion.",
        "The rectum shows a mass that enhances and restricts diffusion.",
    ),
    True: (
        "There is a circumferential tumour of the rectum with restricted diffusion.",
        "Circular rectal mass of intermediate T2 signal with restricted diffusion.",
        "The rectum shows an annular mass that enhances and restricts diffusion.",
    ),
}
_LOCATION = (
    "{third} rectum : lower edge {height} cm above the anal verge , length {length} cm , {clock}.",
    "The tumour lies in the {third_low} third , begins {height} cm from the anal verge , measures {length} cm "
    "craniocaudally and takes {clock}.",
    "Location : {third_low} third , distance to the anal verge {height} cm , extent {length} cm , {clock}.",
)
_STAGES = {
    1: (
        "It is confined to the submucosa ( {category} ).",
        "The muscularis propria is preserved : {category}.",
        "mrT stage {category} , no invasion of the muscularis propria.",
    ),
    2: (
        "It invades the muscularis propria but does not pass it ( {category} ).",
        "The outer border of the muscularis propria is intact : {category}.",
        "mrT stage {category} , confined to the rectal wall.",
    ),
    3: (
        "It grows {depth} mm beyond the muscularis propria ( {category} ).",
        "Extramural spread of {depth} mm into the mesorectal fat : {category}.",
        "mrT stage {category} , extramural depth {depth} mm.",
    ),
    4: (
        "It grows beyond the rectum into {into} ( {category} ).",
        "Invasion of {into} : {category}.",
        "mrT stage {category} with infiltration of {into}.",
    ),
}
_CRM = {
    "breached": (
        "The mesorectal fascia is breached by the tumour.",
        "MRF involved : the tumour crosses the mesorectal fascia.",
        "Circumferential margin involved , the fascia is infiltrated.",
    ),
    "involved": (
        "The mesorectal fascia is involved , shortest distance {distance} mm.",
        "MRF involved , distance {distance} mm.",
        "Circumferential margin threatened at {distance} mm.",
    ),
    "clear": (
        "The mesorectal fascia is clear , shortest distance {distance} mm.",
        "MRF not involved , distance {distance} mm.",
        "Circumferential margin free by {distance} mm.",
    ),
    "far": (
        "The mesorectal fascia is clear.",
        "MRF not involved.",
        "Circumferential margin free.",
    ),
}
_PERITONEUM = {
    True: (
        "The peritoneum is involved.",
        "The tumour passes the peritoneal reflection's covering : peritoneal involvement.",
        "Peritoneal involvement is present.",
    ),
    False: (
        "No peritoneal involvement.",
        "The peritoneum is not involved.",
        "Anterior peritoneal reflection without involvement.",
    ),
}
_SPHINCTER = {
    Sphincter.NONE: (
        "The anal sphincter is free.",
        "No involvement of the anal sphincter.",
        "Sphincter complex not involved.",
    ),
    Sphincter.INTERNAL: (
        "The internal anal sphincter is involved.",
        "Involvement of the internal sphincter only.",
        "Sphincter complex involved : internal sphincter.",
    ),
    Sphincter.INTERSPHINCTERIC: (
        "The intersphincteric plane is involved.",
        "Involvement of the internal sphincter and the intersphincteric plane.",
        "Sphincter complex involved up to the intersphincteric plane.",
    ),
    Sphincter.EXTERNAL: (
        "The external anal sphincter is involved.",
        "Involvement of the external sphincter.",
        "Sphincter complex involved including the external sphincter.",
    ),
}
_NODES = {
    True: (
        "{count} suspicious mesorectal lymph {nodes} , the largest with a short axis of {size} mm.",
        "Mesorectal lymph nodes : {count} suspicious , short axis up to {size} mm.",
        "Suspicious mesorectal {nodes} ( {count} ) of up to {size} mm.",
    ),
    False: (
        "No suspicious mesorectal lymph nodes.",
        "Mesorectal lymph nodes are not suspicious.",
        "No mesorectal lymph node is suspicious by size or morphology.",
    ),
}
_EMVI = {
    True: (
        "Extramural vascular invasion is present.",
        "EMVI positive : tumour signal within an extramural vein.",
        "There is tumour within a mesorectal vein ( EMVI ).",
    ),
    False: (
        "No extramural vascular invasion.",
        "EMVI negative.",
        "Extramural veins are free of tumour.",
    ),
}
_IMPRESSION = {
    True: (
        "Impression : {category} {n} , MRF {mrf} , EMVI {emvi} , {third_low} rectum.",
        "Rectal tumour of the {third_low} third , {category} {n} , MRF {mrf} , EMVI {emvi}.",
    ),
    False: ("Impression : no rectal tumour.", "No evidence of a rectal tumour."),
}

_Choose = Callable[[tuple[str, ...]], str]


def write_report(truth: Truth, rng: np.random.Generator) -> tuple[ReportSentence, ...]:
    """The sentences of a truth, each in one of its wordings."""

    def choose(wordings: tuple[str, ...]) -> str:
        return wordings[int(rng.integers(len(wordings)))]

    return tuple(ReportSentence(item, _tidy(text)) for item, text in _sentences(truth, choose))


def _sentences(truth: Truth, choose: _Choose) -> Iterator[tuple[Item, str]]:
    tumour = truth.tumour
    if tumour is None:
        yield Item.TUMOUR, choose(_ABSENT)
        yield Item.NODES, _nodes(truth, choose)
        yield Item.IMPRESSION, choose(_IMPRESSION[False])
        return
    yield Item.TUMOUR, choose(_PRESENT[tumour.circumference >= 0.95])
    yield Item.LOCATION, _location(tumour, choose)
    yield Item.T_STAGE, _stage(tumour, choose)
    yield Item.CRM, _margin(tumour, choose)
    yield Item.PERITONEUM, choose(_PERITONEUM[tumour.peritoneal])
    yield Item.SPHINCTER, choose(_SPHINCTER[tumour.sphincter])
    yield Item.NODES, _nodes(truth, choose)
    yield Item.EMVI, choose(_EMVI[tumour.emvi is not None])
    yield Item.IMPRESSION, _impression(truth, tumour, choose)


def _location(tumour: TumourTruth, choose: _Choose) -> str:
    around = tumour.circumference >= 0.95
    clock = f"from {hour(tumour.from_hour)} to {hour(tumour.to_hour)} o'clock"
    return choose(_LOCATION).format(
        third=tumour.third.capitalize(),
        third_low=tumour.third,
        height=f"{tumour.height_mm / 10.0:.1f}",
        length=f"{tumour.length_mm / 10.0:.1f}",
        clock="the whole circumference" if around else clock,
    )


def hour(value: float) -> int:
    """An hour of the clock face, 1 to 12."""
    return round(value) % 12 or 12


def _stage(tumour: TumourTruth, choose: _Choose) -> str:
    into = [f"the {organ}" for organ in tumour.invaded]
    if tumour.peritoneal:
        into.append("the peritoneum")
    return choose(_STAGES[tumour.t_stage]).format(
        category=tumour.t_category, depth=f"{tumour.extramural_mm:.1f}", into=" and ".join(into)
    )


def _margin(tumour: TumourTruth, choose: _Choose) -> str:
    if tumour.fascia_mm == 0.0:
        return choose(_CRM["breached"])
    if tumour.fascia_mm >= AROUND_MM:
        return choose(_CRM["far"])
    state = "involved" if tumour.fascia_involved else "clear"
    return choose(_CRM[state]).format(distance=f"{tumour.fascia_mm:.1f}")


def _nodes(truth: Truth, choose: _Choose) -> str:
    count = truth.suspicious_nodes
    if not count:
        return choose(_NODES[False])
    size = max(node.short_axis_mm for node in truth.nodes if node.suspicious)
    word = "node" if count == 1 else "nodes"
    return choose(_NODES[True]).format(count=count, size=f"{size:.0f}", nodes=word)


def _impression(truth: Truth, tumour: TumourTruth, choose: _Choose) -> str:
    count = truth.suspicious_nodes
    return choose(_IMPRESSION[True]).format(
        category=tumour.t_category,
        n="N0" if count == 0 else "N1" if count <= 3 else "N2",
        mrf="positive" if tumour.fascia_involved else "negative",
        emvi="positive" if tumour.emvi else "negative",
        third_low=tumour.third,
    )


def _tidy(text: str) -> str:
    text = " ".join(text.split())
    for mark in (",", ".", ":", ")"):
        text = text.replace(f" {mark}", mark)
    text = text.replace("( ", "(")
    return text[:1].upper() + text[1:]
