"""Our own rules for every document: what the standard, IHE AI Results and OHIF ask for and no tool checks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, BasicTextSRStorage, Comprehensive3DSRStorage

from tests.judges import review_rules
from tests.judges.content_tree import Node, code, named, tree
from tests.judges.verdict import Severity, Verdict

Rule = Callable[[Dataset, Node], Iterator[str]]


def verdicts(path: Path) -> list[Verdict]:
    """What our rules say of a file."""
    return [Verdict("rules", Severity.ERROR, text) for text in complaints(pydicom.dcmread(path))]


def complaints(document: Dataset) -> list[str]:
    """What our rules say of a document that was read from a file."""
    rules = [*FOR_ALL, *OF_KIND[document.SeriesNumber]]
    root = tree(document)
    return [text for rule in rules for text in _complaints(rule, document, root)]


def _complaints(rule: Rule, document: Dataset, root: Node) -> list[str]:
    try:
        return list(rule(document, root))
    except (AttributeError, IndexError, KeyError) as error:
        return [f"{rule.__name__}: {error}"]


def _complete(document: Dataset, root: Node) -> Iterator[str]:
    yield from _flags(document, CompletionFlag="COMPLETE", Modality="SR")


def _unverified(document: Dataset, root: Node) -> Iterator[str]:
    yield from _flags(document, VerificationFlag="UNVERIFIED", PreliminaryFlag="PRELIMINARY")
    if "VerifyingObserverSequence" in document:
        yield "an unverified document has a verifying observer"


def _flags(document: Dataset, **expected: str) -> Iterator[str]:
    for keyword, value in expected.items():
        if document.get(keyword) != value:
            yield f"{keyword} is {document.get(keyword)}, not {value}"


def _often_forgotten(document: Dataset, root: Node) -> Iterator[str]:
    for keyword in ("ReferencedPerformedProcedureStepSequence", "PerformedProcedureCodeSequence"):
        if keyword not in document:
            yield f"{keyword} (type 2) is missing"


def _uids(document: Dataset, root: Node) -> Iterator[str]:
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        uid = UID(document[keyword].value)
        if not uid.is_valid or not uid.startswith("2.25."):
            yield f"{keyword} {uid} is no UUID-derived UID"
    if document.SOPInstanceUID == document.SeriesInstanceUID:
        yield "series and instance have one UID"
    if document.file_meta.MediaStorageSOPInstanceUID != document.SOPInstanceUID:
        yield "file meta information names another instance"


def _equipment(document: Dataset, root: Node) -> Iterator[str]:
    processing = [
        item.get("DeviceUID")
        for item in document.ContributingEquipmentSequence
        if code(item.PurposeOfReferenceCodeSequence[0]) == ("109102", "DCM")
    ]
    observers = [node.item.UID for node in named(root, "121012")]
    if len(processing) != 1 or observers != processing:
        yield f"device observers {observers} and processing equipment {processing} differ"
    if not all(document.get(keyword) for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions")):
        yield "manufacturer, model name or software version is missing"


def _says_who_wrote_it(document: Dataset, root: Node) -> Iterator[str]:
    narrative = [n.item.TextValue for n in root.walk() if n.value_type == "TEXT" and n.relationship == "CONTAINS"]
    for place, text in (("SeriesDescription", document.SeriesDescription), ("first text", narrative[0])):
        if "ai-generated" not in text.lower() or "unverified" not in text.lower():
            yield f"{place} does not say AI-generated and unverified: {text}"
    demo = "demo" in str(document.ManufacturerModelName)
    if demo and "not for clinical use" not in document.SeriesDescription:
        yield "the series description of a demo model does not say: not for clinical use"
    if demo and "not for clinical use, learned from phantoms" not in narrative[0]:
        yield "the first text of a demo model does not say: not for clinical use, learned from phantoms"


def _evidence(document: Dataset, root: Node) -> Iterator[str]:
    listed = {
        sop.ReferencedSOPInstanceUID: sop.ReferencedSOPClassUID
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in document.get(keyword, [])
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }
    for node in root.walk():
        for sop in node.item.get("ReferencedSOPSequence", []):
            if listed.get(sop.ReferencedSOPInstanceUID) != sop.ReferencedSOPClassUID:
                yield f"{sop.ReferencedSOPInstanceUID} is referenced but not in the evidence"
    others = {study.StudyInstanceUID for study in document.get("PertinentOtherEvidenceSequence", [])}
    if document.StudyInstanceUID in others:
        yield "an instance of the study itself stands among the other evidence"


def _coding_schemes(document: Dataset, root: Node) -> Iterator[str]:
    used = {element.value for element in document.iterall() if element.keyword == "CodingSchemeDesignator"}
    declared = {item.CodingSchemeDesignator for item in document.get("CodingSchemeIdentificationSequence", [])}
    undeclared = {scheme for scheme in used if scheme.startswith("99")} - declared
    if undeclared:
        yield f"local coding schemes {sorted(undeclared)} are not declared"


def _statements(document: Dataset, root: Node) -> Iterator[str]:
    for node in root.walk():
        if node.value_type == "TEXT" and not node.item.get("TextValue"):
            yield f"{node.name}: a text is empty"
        if node.value_type != "CONTAINER" and node.item.get("ContinuityOfContent"):
            yield f"{node.name}: only containers have continuity"
    if not list(named(root, "121049")):
        yield "the language is not stated"
    if not list(named(root, "121058")):
        yield "the procedure reported is not stated"


def _image_library(document: Dataset, root: Node) -> Iterator[str]:
    groups = [node for library in named(root, "111028") for node in library.children]
    if not any(node.value_type == "IMAGE" for group in groups for node in group.children):
        yield "the image library has no image"


def _groups(root: Node) -> list[Node]:
    return [group for measurements in named(root, "126010") for group in measurements.children]


def _is_of_segment(group: Node) -> bool:
    """Whether a group is of an outlined region (TID 1411) and not of a finding (TID 1501)."""
    return any(named(group, "121191", deep=False))


def _is_of_distance(group: Node) -> bool:
    """Whether a group is of a distance that a model measured: it has a source image of its own."""
    return any(named(group, "121112", deep=False))


def _finding_groups(root: Node) -> list[Node]:
    return [group for group in _groups(root) if not _is_of_segment(group) and not _is_of_distance(group)]


def _distance_groups(root: Node) -> list[Node]:
    return [group for group in _groups(root) if _is_of_distance(group)]


def _segment_groups(root: Node) -> list[Node]:
    return [group for group in _groups(root) if _is_of_segment(group)]


def _measurement_groups(document: Dataset, root: Node) -> Iterator[str]:
    groups = _groups(root)
    if not _finding_groups(root):
        yield "no measurement group (OHIF stops)"
    tracked = [node.item.UID for group in groups for node in named(group, "112040", deep=False)]
    if len(set(tracked)) != len(groups):
        yield f"{len(groups)} groups have {len(set(tracked))} tracking UIDs"
    for number, group in enumerate(groups, start=1):
        probable = () if _is_of_distance(group) else ("122157",)
        of_finding = () if _is_of_segment(group) else (*probable, "121052")
        for concept in ("112039", "112040", "276214006", "121071", *of_finding, "111001", "111003"):
            if len(list(named(group, concept, deep=False))) != 1:
                yield f"group {number} has not one {concept}"
        yield from _sites(group, number)


def _segments(document: Dataset, root: Node) -> Iterator[str]:
    """Each outlined region has its own segment, a source series, a volume, and diameters inferred from one image."""
    segments = [next(named(group, "121191", deep=False)).item for group in _segment_groups(root)]
    numbers = [each.ReferencedSOPSequence[0].ReferencedSegmentNumber for each in segments]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the groups refer to the segments {numbers}"
    for group in _segment_groups(root):
        for concept in ("121232", "118565006", "103339001", "103340004"):
            if len(list(named(group, concept, deep=False))) != 1:
                yield f"{group.name}: not one {concept}"
        for concept in ("103339001", "103340004"):
            for node in named(group, concept, deep=False):
                images = [each.relationship for each in node.children if each.value_type == "IMAGE"]
                if images != ["INFERRED FROM"]:
                    yield f"{node.name}: not inferred from one image"


def _distances(document: Dataset, root: Node) -> Iterator[str]:
    """One number in mm of each, and where its images share a frame of reference, the line from which it is inferred."""
    frames = {node.item.UID for node in named(root, "112227")}
    for group in _distance_groups(root):
        numbers = [node for node in group.children if node.value_type == "NUM"]
        measured = [node.item.MeasuredValueSequence[0] for node in numbers]
        if [each.MeasurementUnitsCodeSequence[0].CodeValue for each in measured] != ["mm"]:
            yield f"{group.name}: {len(numbers)} numbers, not one in mm"
        if any(each.NumericValue < 0 for each in measured):
            yield f"{group.name}: a negative distance"
        for node in (child for each in numbers for child in each.children if child.value_type == "SCOORD3D"):
            line = node.item
            if (node.relationship, line.GraphicType, len(line.GraphicData)) != ("INFERRED FROM", "POLYLINE", 6):
                yield f"{group.name}: {node.relationship} {line.GraphicType} of {len(line.GraphicData)} numbers"
            if line.ReferencedFrameOfReferenceUID not in frames:
                yield f"{group.name}: a line in another frame of reference than the images"


def _sites(group: Node, number: int) -> Iterator[str]:
    """Each site once, with at most one laterality, of CID 244."""
    nodes = list(named(group, "363698007", deep=False))
    sites = [tuple(code(each.item.ConceptCodeSequence[0]) for each in node.walk()) for node in nodes]
    if not sites or len(set(sites)) != len(sites):
        yield f"group {number} has the sites {sites}"
    if any(len(sides) > 1 or not set(sides) <= LATERALITIES for _, *sides in sites):
        yield f"group {number} has lateralities that are none: {sites}"


def _for_ohif(document: Dataset, root: Node) -> Iterator[str]:
    for group in _groups(root):
        for node in group.children:
            if not node.item.get("ConceptNameCodeSequence"):
                yield "an item of a group has no concept name (OHIF stops)"
            if node.value_type == "NUM" and not node.children:
                yield f"{node.name}: a number without content (OHIF stops)"


def _numbers(document: Dataset, root: Node) -> Iterator[str]:
    """Shares in percent; of outlined regions volumes in mL, lengths in mm and CT numbers in HU."""
    measured_units = {"118565006": "mL", "103339001": "mm", "103340004": "mm", "112031": "[hnsf'U]"}
    distances = {id(node.item) for group in _distance_groups(root) for node in group.children}
    for node in root.walk():
        if id(node.item) in distances:
            continue
        if node.value_type != "NUM":
            continue
        measured = node.item.MeasuredValueSequence[0]
        unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
        value, expected = measured.NumericValue, measured_units.get(node.code[0], "%")
        if unit != expected or (unit == "%" and not 0 <= value <= 100) or (unit in ("mL", "mm") and value <= 0):
            yield f"{node.name} is {value} {unit}"


def _instance(image: Node) -> str:
    """The instance that an image item refers to; empty for another item."""
    references = image.item.get("ReferencedSOPSequence")
    return str(references[0].ReferencedSOPInstanceUID) if references else ""


def _slices(document: Dataset, root: Node) -> Iterator[str]:
    for group in _finding_groups(root):
        presence = next(named(group, "121052", deep=False)).item.ConceptCodeSequence[0].CodeValue
        weights = list(named(group, "SLICE_EVIDENCE", deep=False))
        if (presence == "272519000") == bool(weights):
            yield f"presence {presence} with {len(weights)} slices"
        for node in weights:
            if [(n.value_type, n.relationship) for n in node.children] != [("IMAGE", "INFERRED FROM")]:
                yield "a slice weight is not inferred from one image"


def _points(document: Dataset, root: Node) -> Iterator[str]:
    """Points lie in frames of reference of the images, one for each slice that has such a frame or none at all."""
    frames = {node.item.UID for node in named(root, "112227")}
    placed = {
        _instance(image)
        for library in named(root, "111028")
        for group in library.children
        if list(named(group, "112227"))
        for image in group.children
    }
    for group in _finding_groups(root):
        peaks = list(named(group, "PEAK_HEAT", deep=False))
        weights = [node.children[0] for node in named(group, "SLICE_EVIDENCE", deep=False)]
        if len(peaks) not in (0, sum(_instance(image) in placed for image in weights)):
            yield f"{len(peaks)} points for another number of slices"
        for node in peaks:
            if [(n.value_type, n.relationship) for n in node.children] != [("SCOORD3D", "INFERRED FROM")]:
                yield "the heat of a point is not inferred from one point"
                continue
            point = node.children[0].item
            if point.GraphicType != "POINT" or len(point.GraphicData) != 3:
                yield f"{node.name}: {point.GraphicType} of {len(point.GraphicData)} numbers"
            if point.ReferencedFrameOfReferenceUID not in frames:
                yield f"{node.name}: a point in another frame of reference than the images"


def _sections(document: Dataset, root: Node) -> Iterator[str]:
    sections = [node for node in root.children if node.value_type == "CONTAINER"]
    if any(section.code not in HEADINGS for section in sections) or not sections:
        yield f"headings {[section.name for section in sections]} are not those of CID 7001"
    if any(not section.children for section in sections):
        yield "a section is empty"


LATERALITIES = {("24028007", "SCT"), ("7771000", "SCT"), ("51440002", "SCT")}
HEADINGS = {(value, "LN") for value in ("59776-5", "19005-8", "18783-1", "55113-5", "55111-9", "55112-7", "18834-2")}


def _draft_refers_to_result(document: Dataset, root: Node) -> Iterator[str]:
    classes = [
        sop.ReferencedSOPClassUID
        for node in root.walk()
        if node.value_type == "COMPOSITE"
        for sop in node.item.ReferencedSOPSequence
    ]
    if classes != [Comprehensive3DSRStorage]:
        yield "the draft report does not refer to one AI result"


def _text_class(document: Dataset, root: Node) -> Iterator[str]:
    if document.SOPClassUID != BasicTextSRStorage:
        yield f"SOP class {document.SOPClassUID} is none of ours"


def _selection(document: Dataset, root: Node) -> Iterator[str]:
    """A title, one description, and images alone, each once; evidence is what is selected, and nothing else."""
    if root.code != ("113000", "DCM") or document.Modality != "KO":
        yield f"a selection of modality {document.Modality} with the title {root.name}"
    if len(list(named(root, "113012", deep=False))) != 1:
        yield "not one description"
    if not list(named(root, "121049")):
        yield "the language is not stated"
    images = [each.item.ReferencedSOPSequence[0] for each in root.children if each.value_type == "IMAGE"]
    selected = [(each.ReferencedSOPInstanceUID, each.get("ReferencedFrameNumber")) for each in images]
    if not selected or len(set(selected)) != len(selected):
        yield f"selected are {selected}"
    listed = [
        sop.ReferencedSOPInstanceUID
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    ]
    if sorted(listed) != sorted({uid for uid, _ in selected}):
        yield "the evidence is not what is selected"


def _of_selections_alone(document: Dataset, root: Node) -> Iterator[str]:
    """PS3.3 C.17.6: what SR Document General has, a key object document has not."""
    if "ReferencedPerformedProcedureStepSequence" not in document:
        yield "ReferencedPerformedProcedureStepSequence (type 2) is missing"
    for keyword in ("CompletionFlag", "VerificationFlag", "PreliminaryFlag", "PredecessorDocumentsSequence"):
        if keyword in document:
            yield f"a key object document has no {keyword}"


FOR_ALL: list[Rule] = [_uids, _evidence, _coding_schemes]
FOR_REPORTS: list[Rule] = [_complete, _often_forgotten, _statements]
WRITTEN_BY_MACHINE: list[Rule] = [_equipment, _says_who_wrote_it]
BY_MACHINE: list[Rule] = [*FOR_REPORTS, _unverified, *WRITTEN_BY_MACHINE]
FOR_AI_RESULT: list[Rule] = [
    _image_library,
    _measurement_groups,
    _segments,
    _distances,
    _for_ohif,
    _numbers,
    _slices,
    _points,
]
FOR_TEXT: list[Rule] = [_text_class, _sections]
OF_KIND: dict[int, list[Rule]] = {
    9001: [*BY_MACHINE, *FOR_AI_RESULT],
    9002: [*BY_MACHINE, *FOR_TEXT, _draft_refers_to_result],
    9003: [*BY_MACHINE, *FOR_TEXT],
    9004: [*FOR_REPORTS, *review_rules.FOR_ASSESSMENT, _unverified, _for_ohif],
    9005: [*FOR_REPORTS, *review_rules.FOR_VERIFIED_REPORT, *FOR_TEXT],
    9007: [*WRITTEN_BY_MACHINE, _selection, _of_selections_alone],
}
"""By Series Number: AI result, draft report, "no result", assessment, verified report, key objects."""
