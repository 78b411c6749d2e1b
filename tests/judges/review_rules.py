"""Our own rules for the documents in which a person speaks: the assessment of an AI result, and the verified report."""

from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage

from tests.judges.content_tree import Node, code, named

ASSESSMENTS = {"ACCEPTED", "REJECTED", "EDITED", "ADDED", "NOT_ASSESSED"}
PRESENT, UNDETERMINED, ABSENT = "52101004", "373068000", "272519000"
REPORT = "WHOLE_REPORT"


def _observer(document: Dataset, root: Node) -> Iterator[str]:
    """A person speaks, and no device; the model is named as equipment that took part."""
    if len(list(named(root, "121008", deep=False))) != 1 or list(named(root, "121012")):
        yield "the observer is not one person"
    models = [
        item.get("DeviceUID")
        for item in document.ContributingEquipmentSequence
        if code(item.PurposeOfReferenceCodeSequence[0]) == ("109102", "DCM")
    ]
    if len(models) != 1 or not models[0]:
        yield f"the models that took part are {models}"


def _says_whose_it_is(document: Dataset, root: Node) -> Iterator[str]:
    model = document.ContributingEquipmentSequence[0].ManufacturerModelName
    about = next(node.item.TextValue for node in root.walk() if node.relationship == "CONTAINS" and _is_text(node))
    if model not in about or " AI " not in about:
        yield f"the first text does not name the AI model: {about}"
    if "unverified" in (document.SeriesDescription + about).lower():
        yield "a document of a person calls itself unverified AI"
    if "demo" in model and "not for clinical use" not in document.SeriesDescription:
        yield "the series description does not say of a demo model: not for clinical use"
    if "demo" in model and "not for clinical use, learned from phantoms" not in about:
        yield "the first text does not say of a demo model: not for clinical use, learned from phantoms"


def _is_text(node: Node) -> bool:
    return node.value_type == "TEXT"


def _references(root: Node) -> list[str]:
    return [
        sop.ReferencedSOPClassUID
        for node in root.walk()
        if node.value_type == "COMPOSITE"
        for sop in node.item.ReferencedSOPSequence
    ]


def _refers_to_result(document: Dataset, root: Node) -> Iterator[str]:
    if _references(root) != [Comprehensive3DSRStorage, BasicTextSRStorage]:
        yield "the assessment does not refer to an AI result and its draft report"


def _refers_to_all(document: Dataset, root: Node) -> Iterator[str]:
    if sorted(_references(root)) != sorted([Comprehensive3DSRStorage, BasicTextSRStorage, Comprehensive3DSRStorage]):
        yield "the verified report does not refer to AI result, draft report and assessment"


def _verified(document: Dataset, root: Node) -> Iterator[str]:
    if (document.VerificationFlag, document.PreliminaryFlag) != ("VERIFIED", "FINAL"):
        yield f"flags are {document.VerificationFlag}, {document.PreliminaryFlag}"
    (verifier,) = document.get("VerifyingObserverSequence") or [Dataset()]
    for keyword in ("VerifyingObserverName", "VerifyingOrganization", "VerificationDateTime"):
        if not verifier.get(keyword):
            yield f"{keyword} is missing"
    if "VerifyingObserverIdentificationCodeSequence" not in verifier:
        yield "VerifyingObserverIdentificationCodeSequence (type 2) is missing"
    names = [node.item.PersonName for node in named(root, "121008", deep=False)]
    if names != [verifier.get("VerifyingObserverName")]:
        yield "who observed is not who verified"


def _assessed_groups(document: Dataset, root: Node) -> Iterator[str]:
    groups = [group for measurements in named(root, "126010") for group in measurements.children]
    if [_value(group, "121071") for group in groups].count(REPORT) != 1:
        yield "the report as a whole is not assessed once"
    tracked = [node.item.UID for group in groups for node in named(group, "112040", deep=False)]
    if len(set(tracked)) != len(groups):
        yield f"{len(groups)} groups have {len(set(tracked))} tracking UIDs"
    for number, group in enumerate(groups, start=1):
        if _value(group, "ASSESSMENT") not in ASSESSMENTS:
            yield f"group {number} has not one assessment"
        if _value(group, "121071") != REPORT:
            yield from _assessed_finding(group, number)


def _assessed_finding(group: Node, number: int) -> Iterator[str]:
    assessment, presence = _value(group, "ASSESSMENT"), _value(group, "121052")
    reasons = list(named(group, "ASSESS_REASON", deep=False))
    if (assessment == "REJECTED") != (len(reasons) == 1):
        yield f"group {number} is {assessment} with {len(reasons)} reasons"
    if assessment == "REJECTED" and presence not in ("", ABSENT):
        yield f"group {number} is rejected, yet present"
    if assessment != "REJECTED" and presence not in (PRESENT, UNDETERMINED, ABSENT):
        yield f"group {number} does not say whether it is present"
    if assessment == "ADDED" and not any(node.value_type == "IMAGE" for node in group.walk()):
        yield f"group {number} was added without an image"


def _value(group: Node, concept: str) -> str:
    """The code value of a group's only item of a concept; empty without one."""
    found = [
        node.item.ConceptCodeSequence[0] for node in named(group, concept, deep=False) if node.value_type == "CODE"
    ]
    return code(found[0])[0] if len(found) == 1 else ""


FOR_ALL: list[Callable[[Dataset, Node], Iterator[str]]] = [_observer, _says_whose_it_is]
FOR_ASSESSMENT = [*FOR_ALL, _refers_to_result, _assessed_groups]
FOR_VERIFIED_REPORT = [*FOR_ALL, _refers_to_all, _verified]
