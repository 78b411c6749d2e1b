"""The one table of coded concepts in our documents. PS3.16; `Code` is (value, scheme, meaning).

What no standard scheme names is in our local scheme 99PACSAGENT, never a guessed number of another scheme. Findings
and their sites are the model's own, from its manifest.
"""

import re
from collections.abc import Iterable

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pacs_agent.inference.reading import Change, Presence
from pacs_agent.inference.reading import Code as ReadingCode
from pacs_agent.results.encoded import EncodedItems
from pacs_agent.results.handled import REASONS, Action
from pacs_agent.results.text import fit_long_string

LOCAL_SCHEME = "99PACSAGENT"
LOCAL_SCHEME_NAME = "PACS agent local codes"

# document titles and headings
IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
DIAGNOSTIC_IMAGING_REPORT = Code("18748-4", "LN", "Diagnostic Imaging Report")
PROCEDURE_DESCRIPTIONS = Code("55111-9", "LN", "Current Procedure Descriptions")
FINDINGS_HEADING = Code("59776-5", "LN", "Findings")
IMPRESSIONS_HEADING = Code("19005-8", "LN", "Impressions")
SUMMARY_HEADING = Code("55112-7", "LN", "Summary")
COMPARISON_HEADING = Code("18834-2", "LN", "Previous Findings")
KEY_IMAGES_HEADING = Code("55113-5", "LN", "Key Images")
FINDINGS_CONTAINER = Code("121070", "DCM", "Findings")
IMPRESSIONS_CONTAINER = Code("121072", "DCM", "Impressions")

# TID 2010
OF_INTEREST = Code("113000", "DCM", "Of Interest")
KEY_OBJECT_DESCRIPTION = Code("113012", "DCM", "Key Object Description")

# TID 1500, 1501, 1600, 300
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
MODALITY = Code("121139", "DCM", "Modality")
FRAME_OF_REFERENCE = Code("112227", "DCM", "Frame of Reference UID")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
SOURCE = Code("260753009", "SCT", "Source")
PROBABILITY = Code("122157", "DCM", "Probability")
CLINICAL_FINDING = Code("404684003", "SCT", "Finding")
PRESENCE_OF_PROPERTY = Code("121052", "DCM", "Presence of property")
PERCENT = Code("%", "UCUM", "Percent")
SEVERITY = Code("246112005", "SCT", "Severity (attribute)")
SIZE = Code("112025", "DCM", "Size Descriptor")
COUNT = Code("246206008", "SCT", "Number of lesions (observable entity)")

# TID 1411 and 1419, CID 218, 7464 and 7469
VOLUME = Code("118565006", "SCT", "Volume")
LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
LENGTH = Code("410668003", "SCT", "Length")
ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
MILLILITRE = Code("mL", "UCUM", "milliliter")
MILLIMETRE = Code("mm", "UCUM", "mm")
HOUNSFIELD_UNIT = Code("[hnsf'U]", "UCUM", "Hounsfield unit")

# of the prior study, CID 6052 and 7003
COMPARISON_CONTAINER = Code("111424", "DCM", "Comparison to previous studies")
QUALITATIVE_DIFFERENCE = Code("111049", "DCM", "Qualitative Difference")
BASELINE = Code("121079", "DCM", "Baseline")
STUDY_DATE = Code("111060", "DCM", "Study Date")
STUDY_INSTANCE_UID = Code("110180", "DCM", "Study Instance UID")

# of segmentations and saliency maps, CID 7202, 7203 and 217
SEGMENTATION_DERIVATION = Code("113076", "DCM", "Segmentation")
UNSPECIFIED_METHOD = Code("112187", "DCM", "Unspecified method of calculation")
SOURCE_FOR_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")
CLASS_ACTIVATION = Code("130402", "DCM", "Class activation")
VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")
NO_UNITS = Code("1", "UCUM", "no units")

# items of text
COMMENT = Code("121106", "DCM", "Comment")
PROCEDURE_DESCRIPTION = Code("121065", "DCM", "Procedure Description")
FINDING = Code("121071", "DCM", "Finding")
IMPRESSION = Code("121073", "DCM", "Impression")
CONCLUSION = Code("121077", "DCM", "Conclusion")
BEST_ILLUSTRATION = Code("121080", "DCM", "Best illustration of finding")
CURRENT_PROCEDURE_EVIDENCE = Code("122073", "DCM", "Current procedure evidence")

# who spoke
DEVICE = Code("121007", "DCM", "Device")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")
PERSON = Code("121006", "DCM", "Person")
ENGLISH = Code("en", "RFC5646", "English")
ANY_LANGUAGE = Code("und", "RFC5646", "Undetermined")
"""Of what a person wrote. RFC 5646 4.1."""

# ours
SLICE_EVIDENCE = Code("SLICE_EVIDENCE", LOCAL_SCHEME, "Weight of this slice for the finding")
PEAK_HEAT = Code("PEAK_HEAT", LOCAL_SCHEME, "Heat of the finding where it is strongest in the slice")
OPERATING_POINT = Code("OPERATING_POINT", LOCAL_SCHEME, "Probability from which the finding is called")
GRADE = Code("GRADE", LOCAL_SCHEME, "Level of the finding")
COUNT_ONE = Code("COUNT_ONE", LOCAL_SCHEME, "One")
COUNT_FEW = Code("COUNT_FEW", LOCAL_SCHEME, "Two to four")
COUNT_MANY = Code("COUNT_MANY", LOCAL_SCHEME, "Five or more")
NO_RESULT = Code("NO_RESULT", LOCAL_SCHEME, "No AI result for this study")
ASSESSMENT = Code("ASSESSMENT", LOCAL_SCHEME, "Assessment of the AI result")
ASSESSMENT_REASON = Code("ASSESS_REASON", LOCAL_SCHEME, "Reason of the assessment")
WHOLE_REPORT = Code("WHOLE_REPORT", LOCAL_SCHEME, "The report as a whole")
NEW = Code("NEW", LOCAL_SCHEME, "Present, absent in the prior study")
GONE = Code("GONE", LOCAL_SCHEME, "Absent, present in the prior study")
MORE_MARKED = Code("MORE_MARKED", LOCAL_SCHEME, "More marked than in the prior study")
LESS_MARKED = Code("LESS_MARKED", LOCAL_SCHEME, "Less marked than in the prior study")
ALSO_PRESENT = Code("ALSO_PRESENT", LOCAL_SCHEME, "Present in the prior study as well, sizes not known")
NOT_COMPARABLE = Code("NOT_COMPARABLE", LOCAL_SCHEME, "Cannot be compared with the prior study")
ACCEPTED = Code("ACCEPTED", LOCAL_SCHEME, "Accepted")
REJECTED = Code("REJECTED", LOCAL_SCHEME, "Rejected")
EDITED = Code("EDITED", LOCAL_SCHEME, "Accepted with changes")
ADDED = Code("ADDED", LOCAL_SCHEME, "Added, not said by the AI")
NOT_ASSESSED = Code("NOT_ASSESSED", LOCAL_SCHEME, "Not assessed")

ASSESSMENTS = {
    Action.ACCEPTED: ACCEPTED,
    Action.REJECTED: REJECTED,
    Action.EDITED: EDITED,
    Action.ADDED: ADDED,
}
"""What a person did with a finding, IHE AI Result Assessment."""

PLACES = frozenset({Code("RECTAL_TUMOUR_LOCATION", LOCAL_SCHEME, "Third of the rectum")})
"""What says by its level where another finding lies: none of its levels is more than another."""

PRESENCE = {
    Presence.PRESENT: Code("52101004", "SCT", "Present"),
    Presence.ABSENT: Code("272519000", "SCT", "Absent"),
    Presence.UNCERTAIN: Code("373068000", "SCT", "Undetermined"),
}
"""CID 240 Present-Absent-Undetermined."""

CHANGES = {
    Change.NEW: NEW,
    Change.GONE: GONE,
    Change.LARGER: Code("15454001", "SCT", "Increase in size"),
    Change.SMALLER: Code("19776001", "SCT", "Decrease in size"),
    Change.UNCHANGED: Code("129723006", "SCT", "No significant changes in the finding"),
    Change.NOT_COMPARABLE: NOT_COMPARABLE,
}
"""From CID 6134, and what it lacks: SNOMED's "New finding" (129721008) is of mammograms alone."""

LATERALITY = {
    ("right",): Code("24028007", "SCT", "Right"),
    ("left",): Code("7771000", "SCT", "Left"),
    ("right", "left"): Code("51440002", "SCT", "Bilateral"),
}
"""CID 244 Laterality, by the sides of a finding."""

LOBES = {
    "upper": Code("45653009", "SCT", "Upper lobe of lung"),
    "middle": Code("72481006", "SCT", "Middle lobe of right lung"),
    "lower": Code("90572001", "SCT", "Lower lobe of lung"),
}
"""From CID 6124; upper and lower lobes have a laterality beside them, the middle lobe has it in its code."""

SEVERITIES = (
    Code("255604002", "SCT", "Mild"),
    Code("6736007", "SCT", "Moderate"),
    Code("24484000", "SCT", "Severe"),
)
"""By grade. From CID 3716."""
SIZES = (
    Code("255507004", "SCT", "Small"),
    Code("255508009", "SCT", "Medium"),
    Code("255509001", "SCT", "Large"),
)
"""By grade, of a finding whose grades are sizes. CID 252 Size Descriptor."""
COUNTS = {"one": COUNT_ONE, "few": COUNT_FEW, "many": COUNT_MANY}
"""How many there are of a finding, as far as the model tells them apart."""

IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
}
"""Imaging procedure by modality, from CID 100, which TID 1500 asks for."""

REGIONAL_PROCEDURES = {("CT", "CHEST"): Code("169069000", "SCT", "CT of chest")}
"""Imaging procedure by modality and region, for TID 2000, which leaves the choice free."""

CHEST_NAMES = frozenset({"CHEST", "THORAX", "LUNG"})
"""Values of Body Part Examined that mean the chest. PS3.16 Annex L."""


def procedure(modality: str) -> Code:
    """The imaging procedure of a modality, as TID 1500 wants it."""
    return PROCEDURES.get(modality, IMAGING_PROCEDURE)


def regional_procedure(modality: str, body_part: str) -> Code:
    """The imaging procedure of a modality and, where there is a code for it, of a body part."""
    region = "CHEST" if body_part.upper() in CHEST_NAMES else ""
    return REGIONAL_PROCEDURES.get((modality, region)) or procedure(modality)


def level(finding_key: str, word: str) -> Code:
    """The local code of a level that only this finding has: `T3` of `t_stage` becomes T_STAGE_T3."""
    value = re.sub(r"[^A-Z0-9]+", "_", f"{finding_key}_{word}".upper()).strip("_")
    return Code(value[:64] or "LEVEL", LOCAL_SCHEME, fit_long_string(word) or "level")


def modality_code(modality: str) -> Code:
    """The code of a modality. CID 29; other values become "Other"."""
    for keyword in codes.cid29.dir():
        code: Code = getattr(codes.cid29, keyword)
        if code.value == modality:
            return code
    return Code("OT", "DCM", "Other Modality")


def concept(code: ReadingCode) -> Code:
    """A code of the model's manifest as one that fits DICOM: code meaning is at most 64 characters."""
    return Code(code.value, code.scheme, fit_long_string(code.meaning) or code.value[:64])


def refusal_code(reason_code: str) -> Code:
    """The local code of a reason for saying nothing: `too_few_slices` becomes "Too few slices"."""
    words = reason_code.replace("_", " ").replace("-", " ").capitalize()
    return Code(reason_code, LOCAL_SCHEME, fit_long_string(words))


def reason_code(reason: str) -> Code | None:
    """The local code of a reason for rejecting a finding; None for one in other words."""
    return Code(reason.upper(), LOCAL_SCHEME, REASONS[reason]) if reason in REASONS else None


def laterality(side: str) -> Code:
    """The code of one side, "left" or "right". CID 244."""
    return LATERALITY[(side,)]


def code_item(code: Code) -> Dataset:
    """An item of a code sequence. PS3.3 8.8."""
    item: Dataset = CodedConcept.from_code(code)
    return item


_DESIGNATOR = 0x0008_0102
"""Coding Scheme Designator."""


def local_schemes(content: Dataset) -> list[str]:
    """Designators of all local coding schemes (99…) used in a content tree, sorted. PS3.16 8."""
    return sorted(set(_designators([content])))


def _designators(items: Iterable[Dataset]) -> Iterable[str]:
    for item in items:
        for tag, element in item.items():
            if isinstance(element, EncodedItems):
                continue
            if element.VR == "SQ":
                yield from _designators(item[tag].value)
            elif int(tag) == _DESIGNATOR and str(item[tag].value).startswith("99"):
                yield str(item[tag].value)
