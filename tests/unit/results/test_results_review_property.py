"""Whatever a person writes, the documents can be written, keep our rules, and say it."""

from dataclasses import replace
from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from review_cases import ACCEPTED, ADDED, documents_of_review, reviewed

from pacs_agent.results import Action, FindingReview, write_bytes
from tests.judges.rules import complaints

REVIEW = reviewed()
WORDS = st.text(min_size=1, max_size=200).filter(str.strip)


@settings(max_examples=10)
@given(reason=WORDS, comment=WORDS, text=st.none() | WORDS)
def test_any_words_of_a_person_make_documents(reason: str, comment: str, text: str | None) -> None:
    rejected = FindingReview(finding="emphysema", action=Action.REJECTED, reason=reason)
    assert ADDED.edited is not None
    added = ADDED.model_copy(update={"edited": ADDED.edited.model_copy(update={"comment": comment})})
    review = replace(REVIEW, findings=(ACCEPTED, rejected, added), text=text)
    for kind, document in documents_of_review(review).items():
        assert complaints(dcmread(BytesIO(write_bytes(document)))) == [], kind
