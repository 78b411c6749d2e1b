"""What radiologists would write is licensed by what it says, and by nothing that says otherwise."""

from collections.abc import Iterator
from itertools import product

import pytest

from models.msvlm.labels import LABELS
from models.phantoms.findings import DESCRIBABLE, FINDINGS, Finding, Grade
from models.phantoms.wording import GRADES, WORDINGS, fill_words
from pacs_agent.inference import Presence
from pacs_agent.inference.attributes import COUNTS, NONE, PLACES, Attributes
from pacs_agent.inference.licence import Fault, Licence, other_terms

NAMES = {label.key: label.name for label in LABELS}
OF_PLACE = {
    NONE: Attributes(),
    "right": Attributes(sides=("right",)),
    "left": Attributes(sides=("left",)),
    "bilateral": Attributes(sides=("right", "left")),
    "upper lobes": Attributes(lobes=("right upper lobe", "left upper lobe")),
    "lower lobes": Attributes(lobes=("right lower lobe", "left lower lobe")),
}
KINDS = {"present": Presence.PRESENT, "absent": Presence.ABSENT, "uncertain": Presence.UNCERTAIN}
KINDS["impression"] = Presence.PRESENT


def attributes(place: str, grade: Grade | None, count: str) -> Attributes:
    of_place = OF_PLACE[place] if place in OF_PLACE else Attributes(lobes=(place,))
    said = {"grade": None if grade is None else int(grade), "count": None if count == NONE else count}
    return of_place.model_copy(update=said)


def licence(finding: Finding, presence: Presence, said: Attributes) -> Licence:
    others = other_terms(NAMES[finding], list(NAMES.values()))
    return Licence(presence, Attributes() if presence is Presence.ABSENT else said, GRADES[finding], others)


def sentences(finding: Finding, kind: str) -> Iterator[tuple[str, tuple[str, Grade | None, str]]]:
    """Every sentence of a kind with the place, grade and count it was filled with."""
    can = DESCRIBABLE[finding]
    places = PLACES if can.lobes else PLACES[:4] if can.sides else (NONE,)
    of_each = product(places[1:] or places, Grade if can.grade else (None,), COUNTS[1:] if can.count else (NONE,))
    for said in of_each:
        for template in getattr(WORDINGS[finding], kind):
            yield fill_words(finding, template, *said).replace(" .", ".").replace(" ,", ","), said


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_true_sentences_are_licensed(finding: Finding, kind: str) -> None:
    refused = {
        text: fault
        for text, said in sentences(finding, kind)
        if (fault := licence(finding, KINDS[kind], attributes(*said)).fault(text))
    }
    assert refused == {}


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_of_another_kind_is_not(finding: Finding, kind: str) -> None:
    """No wording of presence passes for absence, and so on around."""
    for text, said in sentences(finding, kind):
        for presence in set(Presence) - {KINDS[kind]}:
            assert licence(finding, presence, attributes(*said)).fault(text), (presence, text)


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_sentence_of_another_finding_is_not(finding: Finding) -> None:
    """Where it calls the finding by its name; of a synonym ("pleural fluid") only the decoder's training keeps it."""
    for other in set(FINDINGS) - {finding}:
        text = f"There is {NAMES[other].lower()}."
        assert licence(finding, Presence.PRESENT, Attributes()).fault(text) is Fault.FINDING, text


def test_what_findings_are_called() -> None:
    names = ["Lung nodule", "Pleural effusion", "Pericardial effusion", ""]
    assert other_terms("Pleural effusion", names) == ("lung nodule", "pericardial effusion", "nodule")
    assert other_terms("Lung nodule", names) == ("pleural effusion", "pericardial effusion")


@pytest.mark.parametrize("finding", [finding for finding in FINDINGS if DESCRIBABLE[finding].sides])
def test_a_sentence_of_the_other_side_is_not(finding: Finding) -> None:
    for text, (place, grade, count) in sentences(finding, "present"):
        if "right" in text:
            other = attributes("left lower lobe" if "lobe" in place else "left", grade, count)
            assert licence(finding, Presence.PRESENT, other).fault(text) is Fault.ATTRIBUTES, text


@pytest.mark.parametrize("finding", [finding for finding in FINDINGS if DESCRIBABLE[finding].grade])
def test_a_sentence_of_another_grade_is_not(finding: Finding) -> None:
    for text, (place, grade, count) in sentences(finding, "present"):
        if any(word.removesuffix("y") in text.lower() for word in GRADES[finding]):
            other = attributes(place, Grade((grade + 1) % 3), count)
            assert licence(finding, Presence.PRESENT, other).fault(text) is Fault.GRADE, text


@pytest.mark.parametrize("finding", [finding for finding in FINDINGS if DESCRIBABLE[finding].count])
def test_a_sentence_of_another_count_is_not(finding: Finding) -> None:
    for text, (place, grade, count) in sentences(finding, "present"):
        if count != "one":
            other = attributes(place, grade, "one")
            assert licence(finding, Presence.PRESENT, other).fault(text) is Fault.ATTRIBUTES, text
