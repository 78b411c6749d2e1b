"""Studies of every sort a document must be made of: name → reading and headers."""

from collections.abc import Callable
from io import BytesIO

from prior_cases import PRIOR, compared
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, MRImageStorage
from study_readings import FACTS, LABELS, finding, headers, reading, series

from pacs_agent.inference.reading import Code, FindingLabel, Presence, Sentence, SincePrior, StudyReading
from pacs_agent.results import Refusal, compose_ai_result, compose_draft_report, compose_no_result

Case = tuple[StudyReading, list[Dataset]]

OPTIONAL = (
    "AccessionNumber",
    "BodyPartExamined",
    "Manufacturer",
    "ManufacturerModelName",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyDescription",
    "StudyID",
    "StudyTime",
)


def as_received(header: Dataset) -> Dataset:
    """A header as it comes out of a file: written in its own character set and read again."""
    buffer = BytesIO()
    dcmwrite(buffer, header, implicit_vr=False, little_endian=True, enforce_file_format=False)
    buffer.seek(0)
    return dcmread(buffer, force=True)


def _named(name: str, character_set: str | list[str]) -> Case:
    return reading(), [as_received(each) for each in headers(SpecificCharacterSet=character_set, PatientName=name)]


def _magnetic_resonance() -> Case:
    of = series(modality="MR", body_part="PROSTATE")
    return reading("present", of), headers(SOPClassUID=MRImageStorage, Modality="MR", BodyPartExamined="PROSTATE")


def _enhanced() -> Case:
    return reading("present", series(9, frames=True)), headers(1, SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=9)


def _odd_values() -> Case:
    return reading(), headers(
        PatientSex="female",
        PatientBirthDate="19521345",
        StudyDate="00000000",
        StudyTime="25:61",
        StudyDescription="a\\b\\c",
        SeriesDescription="<script>alert(1)</script>",
        Manufacturer="  ",
        PatientID="../../etc/passwd",
        BodyPartExamined="",
    )


def _before_attributes() -> Case:
    """A reading kept by an agent that knew nothing of attributes, peaks and methods."""
    kept = reading().model_dump(mode="json", exclude={"evidence_method": True})
    for found in kept["findings"]:
        for name in ("attributes", "grades", "uncertain_from"):
            del found[name]
        for each in found["evidence"]:
            del each["peak_px"], each["peak_mm"], each["peak_heat"]
    return StudyReading.model_validate(kept), headers()


def _no_frame_of_reference() -> Case:
    of = series().model_copy(update={"frame_of_reference_uid": ""})
    return reading("present", of), headers(FrameOfReferenceUID=None)


def _talkative_model() -> Case:
    long = "word " * 4000
    read = reading("present", name="m" * 90, version="v" * 70, manufacturer="A\\B\nC", intended_use=long, demo=False)
    said = Sentence(text=f"{long}≥ 3 mm \x00\x07\x1b[31m", findings=("nodule",), positive=True)
    label = FindingLabel(
        key="odd\x00key",
        name="",
        code=Code(value="a_code_longer_than_sixteen", scheme="99OTHER", meaning="meaning " * 20),
        site=LABELS[0][3],
    )
    odd = finding(0, 1.0, Presence.PRESENT, of=read.series).model_copy(update={"label": label})
    return read.model_copy(update={"sentences": (said,), "findings": (*read.findings, odd)}), headers()


def _de_identified() -> Case:
    issuer = Dataset()
    issuer.UniversalEntityID = "1.2.3"
    issuer.UniversalEntityIDType = "ISO"
    accession_issuer = Dataset()
    accession_issuer.LocalNamespaceEntityID = "Köln"
    return reading(), [
        as_received(each)
        for each in headers(
            PatientIdentityRemoved="YES",
            DeidentificationMethod="basic profile",
            IssuerOfPatientID="HOSP",
            IssuerOfPatientIDQualifiersSequence=[issuer],
            IssuerOfAccessionNumberSequence=[accession_issuer],
        )
    ]


def _not_compared() -> Case:
    why = SincePrior(prior=PRIOR, not_compared="It was read by another version.")
    return reading().model_copy(update={"since_prior": why}), headers()


CASES: dict[str, Callable[[], Case]] = {
    "all findings present": lambda: (reading("present", series(12), findings_read=9), headers(12)),
    "nothing present": lambda: (reading("nothing"), headers()),
    "findings uncertain": lambda: (reading("uncertain"), headers()),
    "one slice": lambda: (reading("present", series(1)), headers(1)),
    "no sentences": lambda: (reading().model_copy(update={"sentences": (), "impression": ()}), headers()),
    "MR": _magnetic_resonance,
    "enhanced multi-frame": _enhanced,
    "Japanese name": lambda: _named("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
    "Korean name": lambda: _named("Hong^Gildong=洪^吉洞=홍^길동", ["", "ISO 2022 IR 149"]),
    "Arabic name in UTF-8": lambda: _named("محمد^علي", "ISO_IR 192"),
    "Greek name": lambda: _named("Διονυσιος", "ISO_IR 126"),
    "Chinese name": lambda: _named("Wang^XiaoDong=王^小东", "GB18030"),
    "no character set": lambda: (reading(), headers(SpecificCharacterSet=None, PatientName="Doe^John")),
    "unknown character set": lambda: (reading(), headers(SpecificCharacterSet="ISO_IR 999", PatientName="Doe^John")),
    "long description": lambda: (reading(), headers(StudyDescription="very long " * 30)),
    "no optional attributes": lambda: (reading(), headers(**dict.fromkeys(OPTIONAL))),
    "before attributes": _before_attributes,
    "no frame of reference": _no_frame_of_reference,
    "odd values": _odd_values,
    "talkative model": _talkative_model,
    "de-identified": _de_identified,
    "compared with a prior": lambda: (compared(), headers()),
    "compared with an enhanced prior": lambda: (
        compared(frames=True),
        headers(1, SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=9),
    ),
    "not compared": _not_compared,
}


def documents(case: str) -> dict[str, Dataset]:
    """The three documents of a case."""
    read, evidence = CASES[case]()
    return {
        "ai_result": compose_ai_result(read, evidence, FACTS),
        "draft_report": compose_draft_report(read, evidence, FACTS),
        "no_result": compose_no_result(
            Refusal("mixed_frames_of_reference", "two frames: 1.2.3 and 1.2.4"), evidence, FACTS, read.bundle
        ),
    }
