"""The table of codes agrees with pydicom's and highdicom's dictionaries, and local codes are ours alone."""

from collections.abc import Iterable

import pytest
from highdicom.sr import templates
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.codedict import Collection
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code
from study_readings import LABELS

from pacs_agent.results import REASONS, codes

TABLE: dict[str, Code] = {
    name: value for name, value in vars(codes).items() if name.isupper() and isinstance(value, Code)
}
TABLE |= {f"PRESENCE[{presence}]": code for presence, code in codes.PRESENCE.items()}
TABLE |= {f"CHANGES[{change}]": code for change, code in codes.CHANGES.items() if code.scheme_designator == "SCT"}
TABLE |= {f"PROCEDURES[{key}]": code for key, code in codes.PROCEDURES.items()}
TABLE |= {f"{code.meaning}, {code.value}": code for code in (*codes.LATERALITY.values(), *codes.LOBES.values())}
TABLE |= {f"{code.meaning}, {code.value}": code for code in (*codes.SEVERITIES, *codes.SIZES)}
TABLE |= {f"reason {reason}": code for reason in REASONS if (code := codes.reason_code(reason))}

# real codes that pydicom's dictionary does not list, with where they are from
ELSEWHERE = {
    "169069000": "SNOMED CT, CT of chest",
    "en": "RFC 5646",
    "und": "RFC 5646",
    "mL": "UCUM; pydicom has mL under no name",
    "260753009": "highdicom's default for SCT Source",
}


def _meanings(code: Code) -> set[str]:
    scheme: dict[str, dict[str, tuple[str, list[int]]]] = concepts.get(code.scheme_designator, {})
    return {entry[code.value][0] for entry in scheme.values() if code.value in entry}


@pytest.mark.parametrize("name", TABLE)
def test_code_is_in_the_dictionary_with_its_meaning(name: str) -> None:
    code = TABLE[name]
    if code.scheme_designator == codes.LOCAL_SCHEME or code.value in ELSEWHERE:
        return
    assert code.meaning in _meanings(code), f"{name}: {code} is not one of {_meanings(code)}"


def test_codes_from_elsewhere_are_few() -> None:
    unknown = {code.value for code in TABLE.values() if not _meanings(code)}
    unknown -= {code.value for code in TABLE.values() if code.scheme_designator == codes.LOCAL_SCHEME}
    assert unknown <= set(ELSEWHERE)


def test_source_is_the_code_highdicom_uses() -> None:
    assert codes.SOURCE == templates._SOURCE


def test_local_codes_are_in_the_private_range_and_fit() -> None:
    local = [code for code in TABLE.values() if code.scheme_designator == codes.LOCAL_SCHEME]
    assert len(local) == 29
    assert codes.LOCAL_SCHEME.startswith("99")
    assert len(codes.LOCAL_SCHEME) <= 16
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in local)


@pytest.mark.parametrize("code", [*codes.PROCEDURES.values(), codes.IMAGING_PROCEDURE])
def test_procedures_of_tid_1500_are_in_cid_100(code: Code) -> None:
    assert code in [getattr(dictionary.cid100, keyword) for keyword in dictionary.cid100.dir()]


def test_presence_is_in_cid_240() -> None:
    group = [getattr(dictionary.cid240, keyword) for keyword in dictionary.cid240.dir()]
    assert sorted(codes.PRESENCE.values()) == sorted(group)


@pytest.mark.parametrize(
    ("group", "table"),
    [
        (dictionary.cid244, codes.LATERALITY.values()),
        (dictionary.cid6124, codes.LOBES.values()),
        (dictionary.cid3716, codes.SEVERITIES),
        (dictionary.cid252, codes.SIZES),
    ],
)
def test_sides_lobes_and_grades_are_in_their_context_groups(group: Collection, table: Iterable[Code]) -> None:
    assert set(table) <= {getattr(group, keyword) for keyword in group.dir()}


def test_changes_are_in_cid_6134() -> None:
    group = [getattr(dictionary.cid6134, keyword) for keyword in dictionary.cid6134.dir()]
    assert all(code in group or code.scheme_designator == codes.LOCAL_SCHEME for code in codes.CHANGES.values())


def test_headings_are_in_cid_7001() -> None:
    group = [getattr(dictionary.cid7001, keyword) for keyword in dictionary.cid7001.dir()]
    assert all(code in group for name, code in TABLE.items() if name.endswith("_HEADING") or "DESCRIPTIONS" in name)


def test_procedure_and_modality_fall_back() -> None:
    assert codes.regional_procedure("CT", "Thorax").value == "169069000"
    assert codes.regional_procedure("CT", "HEAD") == codes.PROCEDURES["CT"]
    assert codes.regional_procedure("", "") == codes.procedure("US") == codes.IMAGING_PROCEDURE
    assert codes.modality_code("MR").meaning == "Magnetic Resonance"
    assert codes.modality_code("nonsense").value == "OT"


def test_models_codes_are_cut_to_fit() -> None:
    code = LABELS[0][2].model_copy(update={"meaning": "x" * 200})
    assert len(codes.concept(code).meaning) == 64
    assert codes.concept(code.model_copy(update={"meaning": " "})).meaning == code.value
