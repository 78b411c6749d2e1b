"""How a radiologist may say each finding: several wordings per statement, with slots for side, lobe and grade.

Slots: {grade} size or severity, {side} "right" or "left", {sides} the same or "bilateral", {place} lobe with side,
{where} part of the vessel. Never a number: a number in a report comes from a measurement.
"""

from dataclasses import dataclass

from models.phantoms.findings import Finding


@dataclass(frozen=True)
class Wording:
    """The sentences for one finding; the first of each is the most frequent."""

    present: tuple[str, ...]
    absent: tuple[str, ...]
    impression: tuple[str, ...]
    uncertain: tuple[str, ...]


WORDINGS: dict[Finding, Wording] = {
    Finding.LUNG_NODULE: Wording(
        present=(
            "There is a {grade} solid nodule in the {place} .",
            "A {grade} solid pulmonary nodule is seen in the {place} .",
        ),
        absent=("No suspicious lung nodule .", "There is no pulmonary nodule ."),
        impression=("{grade} solid nodule in the {place} .",),
        uncertain=("A lung nodule cannot be excluded .",),
    ),
    Finding.CONSOLIDATION: Wording(
        present=(
            "There is {grade} consolidation with air bronchograms in the {place} .",
            "{grade} airspace consolidation is present in the {place} .",
        ),
        absent=("No consolidation .", "There is no airspace consolidation ."),
        impression=("{grade} consolidation in the {place} .",),
        uncertain=("Consolidation cannot be excluded .",),
    ),
    Finding.ATELECTASIS: Wording(
        present=(
            "There is {grade} linear atelectasis in the {place} .",
            "{grade} band-like atelectasis is seen in the {place} .",
        ),
        absent=("No atelectasis .", "There is no atelectatic change ."),
        impression=("{grade} linear atelectasis in the {place} .",),
        uncertain=("Minor atelectasis cannot be excluded .",),
    ),
    Finding.EMPHYSEMA: Wording(
        present=(
            "There is {grade} centrilobular emphysema , most marked in the {where} .",
            "{grade} centrilobular emphysema is present , predominantly in the {where} .",
        ),
        absent=("No emphysema .", "There is no emphysematous change ."),
        impression=("{grade} emphysema .",),
        uncertain=("Early emphysema cannot be excluded .",),
    ),
    Finding.PLEURAL_EFFUSION: Wording(
        present=(
            "There is a {grade} {sides} pleural effusion .",
            "A {grade} {sides} pleural effusion is present .",
        ),
        absent=("No pleural effusion .", "There is no pleural effusion on either side ."),
        impression=("{grade} {sides} pleural effusion .",),
        uncertain=("A trace of pleural effusion cannot be excluded .",),
    ),
    Finding.CARDIOMEGALY: Wording(
        present=("The heart is {grade} enlarged .", "There is {grade} enlargement of the heart ."),
        absent=("The heart is not enlarged .", "Heart size is normal ."),
        impression=("Cardiomegaly .",),
        uncertain=("The heart is at the upper limit of normal size .",),
    ),
    Finding.PERICARDIAL_EFFUSION: Wording(
        present=("There is a {grade} pericardial effusion .", "A {grade} pericardial effusion is present ."),
        absent=("No pericardial effusion .", "There is no pericardial effusion ."),
        impression=("{grade} pericardial effusion .",),
        uncertain=("A trace of pericardial effusion cannot be excluded .",),
    ),
    Finding.CORONARY_CALCIFICATION: Wording(
        present=(
            "There is {grade} calcification of the coronary artery walls .",
            "{grade} coronary artery wall calcification is seen .",
        ),
        absent=("No coronary artery calcification .", "The coronary arteries show no calcification ."),
        impression=("{grade} coronary artery calcification .",),
        uncertain=("Slight coronary artery calcification cannot be excluded .",),
    ),
    Finding.ARTERIAL_CALCIFICATION: Wording(
        present=(
            "There is {grade} wall calcification of the {where} .",
            "{grade} calcified plaques are seen in the wall of the {where} .",
        ),
        absent=("No calcification of the aortic wall .", "The aorta shows no wall calcification ."),
        impression=("{grade} aortic wall calcification .",),
        uncertain=("Slight aortic wall calcification cannot be excluded .",),
    ),
    Finding.HIATAL_HERNIA: Wording(
        present=("There is a {grade} hiatal hernia .", "A {grade} sliding hiatal hernia is present ."),
        absent=("No hiatal hernia .", "There is no hiatal hernia ."),
        impression=("{grade} hiatal hernia .",),
        uncertain=("A small hiatal hernia cannot be excluded .",),
    ),
}

NORMAL_IMPRESSION = ("No acute finding in the chest .",)

GRADES: dict[Finding, tuple[str, ...]] = {
    Finding.LUNG_NODULE: ("small", "large"),
    Finding.CONSOLIDATION: ("patchy", "extensive"),
    Finding.ATELECTASIS: ("minor", "broad"),
    Finding.EMPHYSEMA: ("mild", "moderate", "severe"),
    Finding.PLEURAL_EFFUSION: ("small", "moderate", "large"),
    Finding.CARDIOMEGALY: ("mildly", "markedly"),
    Finding.PERICARDIAL_EFFUSION: ("small", "moderate"),
    Finding.CORONARY_CALCIFICATION: ("mild", "extensive"),
    Finding.ARTERIAL_CALCIFICATION: ("mild", "extensive"),
    Finding.HIATAL_HERNIA: ("small", "large"),
}
"""From the least to the most; a cardiomegaly's grade is an adverb."""

PLACES: dict[Finding, tuple[str, ...]] = {
    Finding.EMPHYSEMA: ("upper lobes", "lower lobes"),
    Finding.ARTERIAL_CALCIFICATION: ("aortic arch", "descending aorta", "thoracic aorta"),
}
LOBES = ("right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe")
_ADJECTIVE = {"mildly": "mild", "markedly": "marked"}


def fill(template: str, grade: str = "", place: str = "", sides: str = "") -> str:
    """The sentence of a template, its words separated by spaces and its first letter a capital."""
    if grade in _ADJECTIVE and "{grade} enlargement" in template:
        grade = _ADJECTIVE[grade]
    text = template.format(grade=grade, place=place, where=place, sides=sides)
    return text[0].upper() + text[1:]


def all_words() -> tuple[str, ...]:
    """Every word the wordings can produce, in lower case and sorted: the vocabulary of the decoder."""
    words: set[str] = set()
    for finding, wording in WORDINGS.items():
        for template in (*wording.present, *wording.absent, *wording.impression, *wording.uncertain):
            words |= _words_of(finding, template)
    for sentence in NORMAL_IMPRESSION:
        words |= set(sentence.lower().split())
    return tuple(sorted(words))


def _words_of(finding: Finding, template: str) -> set[str]:
    places = (*LOBES, *PLACES.get(finding, ()))
    return {
        word
        for grade in GRADES[finding]
        for place in places
        for sides in ("right", "left", "bilateral")
        for word in fill(template, grade, place, sides).lower().split()
    }
