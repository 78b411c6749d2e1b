"""Character sets and text representations: names come back as they were, text never breaks its representation."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from study_cases import CASES, as_received, documents
from study_readings import FACTS, headers, reading

from pacs_agent.inference.reading import Sentence
from pacs_agent.results import compose_draft_report, write_bytes
from pacs_agent.results.text import character_set, clean, fit_long_string
from tests.judges.content_tree import named, tree


@pytest.mark.parametrize(
    ("case", "carried"),
    [
        ("Japanese name", ["", "ISO 2022 IR 87"]),
        ("Korean name", ["", "ISO 2022 IR 149"]),
        ("Arabic name in UTF-8", "ISO_IR 192"),
        ("Greek name", "ISO_IR 126"),
        ("Chinese name", "GB18030"),
        ("no character set", "ISO_IR 192"),
        ("unknown character set", "ISO_IR 192"),
    ],
)
def test_names_come_back_in_the_character_set_of_the_images(case: str, carried: str | list[str]) -> None:
    _, evidence = CASES[case]()
    for document in documents(case).values():
        read = dcmread(BytesIO(write_bytes(document)))
        assert str(read.PatientName) == str(evidence[0].PatientName)
        assert (read.SpecificCharacterSet if isinstance(carried, str) else list(read.SpecificCharacterSet)) == carried


def test_text_the_character_set_lacks_makes_the_document_unicode() -> None:
    said = reading().model_copy(update={"sentences": (Sentence(text="结节 ≥ 3 mm", findings=(), positive=False),)})
    evidence = [as_received(each) for each in headers(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Änne")]
    read = dcmread(BytesIO(write_bytes(compose_draft_report(said, evidence, FACTS))))
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert str(read.PatientName) == "Müller^Änne"
    assert "结节 ≥ 3 mm" in read.to_json(suppress_invalid_tags=False) or "\\u7ed3" in read.to_json()


def test_issuer_is_written_in_the_new_character_set() -> None:
    document = documents("de-identified")["draft_report"]
    read = dcmread(BytesIO(write_bytes(document)))
    assert read.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "Köln"
    assert read.PatientIdentityRemoved == "YES"
    assert read.IssuerOfPatientID == "HOSP"


@pytest.mark.parametrize(
    "term", ["ISO_IR 6", "", "nonsense", None, ["ISO_IR 100", "ISO 2022 IR 87"], ["", "GB18030"], []]
)
def test_what_is_no_character_set_becomes_unicode(term: str | list[str] | None) -> None:
    assert character_set(term) == "ISO_IR 192"


@given(st.text())
def test_long_strings_fit(text: str) -> None:
    line = fit_long_string(text)
    assert len(line) <= 64
    assert "\\" not in line
    assert line.isprintable() or not line.isascii()
    assert fit_long_string(line) == line


@given(st.text())
def test_clean_text_can_be_written(text: str) -> None:
    said = clean(text)
    said.encode("utf-8")
    assert not any(ord(character) < 32 and character not in "\t\n" for character in said)


@given(st.text(min_size=1))
def test_any_sentence_makes_a_document_that_can_be_read(text: str) -> None:
    said = reading().model_copy(update={"sentences": (Sentence(text=text, findings=("nodule",), positive=True),)})
    read = dcmread(BytesIO(write_bytes(compose_draft_report(said, headers(), FACTS))))
    (findings,) = named(tree(read), "59776-5")
    assert findings.children[0].item.TextValue in {clean(text), "-", "No statement was generated."}
