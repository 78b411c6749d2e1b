"""Which part of the body a series shows: by its attribute, else by the words of its descriptions."""

import re
from collections.abc import Iterable

from pydicom import Dataset

from pacs_agent.imaging.attributes import first_item, text

_WORDS: dict[str, tuple[str, ...]] = {
    "CHEST": ("chest", "thorax", "thoracic", "thx", "lung", "lungs", "pulmonary", "torax", "thorakal"),
    "ABDOMEN": ("abdomen", "abdominal", "abd", "liver", "kidney", "pancreas"),
    "PELVIS": ("pelvis", "pelvic", "rectum", "prostate", "bladder", "becken"),
    "HEAD": ("head", "brain", "skull", "cranium", "cerebral", "sinus", "kopf"),
    "NECK": ("neck", "larynx", "thyroid", "hals"),
    "SPINE": ("spine", "cspine", "tspine", "lspine", "lumbar", "cervical", "sacrum"),
    "EXTREMITY": ("knee", "hip", "shoulder", "ankle", "foot", "hand", "wrist", "elbow", "femur", "leg", "arm"),
}
_SYNONYMS = {"THORAX": "CHEST", "LUNG": "CHEST", "LUNGS": "CHEST", "BRAIN": "HEAD", "SKULL": "HEAD"}
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "StudyDescription", "RequestedProcedureDescription")


def body_part_of(dataset: Dataset) -> str:
    """Body Part Examined, or the meaning of the Anatomic Region; empty when neither is given. PS3.3 C.7.3.1, 10.5."""
    region = first_item(dataset, "AnatomicRegionSequence")
    return text(dataset, "BodyPartExamined") or (text(region, "CodeMeaning") if region is not None else "")


def body_part_fault(dataset: Dataset, accepted: Iterable[str]) -> str:
    """Why a series is not of an accepted part, or nothing. Without attribute and telling words it gets the benefit."""
    wanted = {_standard(part) for part in accepted}
    named = body_part_of(dataset)
    if not wanted or (named and _standard(named) in wanted):
        return ""
    if named:
        return f"the body part is {named}; accepted: {', '.join(sorted(wanted))}"
    described = parts_in(" ".join(text(dataset, keyword) for keyword in _DESCRIPTIONS))
    if not described or described & wanted:
        return ""
    return f"the descriptions speak of {', '.join(sorted(described))}; accepted: {', '.join(sorted(wanted))}"


def parts_in(description: str) -> set[str]:
    """The body parts that a description names."""
    words = set(re.findall(r"[a-z]+", description.lower()))
    return {part for part, names in _WORDS.items() if words & set(names)}


def _standard(part: str) -> str:
    """A body part as the standard's defined term, so that `thorax` and `CHEST` are the same. PS3.16 annex L."""
    name = "".join(filter(str.isalnum, part.upper()))
    return _SYNONYMS.get(name, name)
