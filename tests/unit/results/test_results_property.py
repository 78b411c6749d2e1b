"""Whatever a model reads, its documents keep our rules."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import EnhancedCTImageStorage
from said_attributes import ATTRIBUTES
from study_readings import FACTS, LABELS, finding, headers, reading, series

from pacs_agent.inference.reading import FindingReading, Presence, Sentence, StudyReading
from pacs_agent.results import compose_ai_result, compose_draft_report, write_bytes
from tests.judges.rules import complaints

SHARES = st.floats(0, 1)
GRADES = st.sampled_from([(), ("small", "moderate", "large"), ("mild", "moderate", "severe")])


@st.composite
def findings(draw: st.DrawFn, count: int, frames: bool) -> FindingReading:
    of = series(count, frames=frames)
    made = finding(draw(st.integers(0, len(LABELS) - 1)), draw(SHARES), draw(st.sampled_from(Presence)), of, top=count)
    peak = {"peak_heat": draw(SHARES)} if draw(st.booleans()) else {"peak_mm": None}
    weighted = tuple(each.model_copy(update={"weight": draw(SHARES), **peak}) for each in made.evidence)
    said = {"attributes": draw(ATTRIBUTES), "grades": draw(GRADES)}
    return made.model_copy(update={"evidence": weighted, "operating_point": draw(SHARES), **said})


@st.composite
def readings(draw: st.DrawFn) -> StudyReading:
    count, frames = draw(st.integers(1, 5)), draw(st.booleans())
    found = draw(st.lists(findings(count, frames), min_size=1, max_size=4, unique_by=lambda each: each.label.key))
    keys = st.sampled_from([*(each.label.key for each in found), "unknown"])
    sentence = st.builds(
        Sentence, text=st.text(max_size=40), findings=st.lists(keys, max_size=2).map(tuple), positive=st.booleans()
    )
    said = reading("nothing", series(count, frames=frames))
    return said.model_copy(
        update={
            "findings": tuple(found),
            "sentences": tuple(draw(st.lists(sentence, max_size=3))),
            "impression": tuple(draw(st.lists(sentence, max_size=3))),
        }
    )


@given(readings())
def test_documents_of_any_reading_keep_our_rules(said: StudyReading) -> None:
    frames = said.series.slices[0].frame_number is not None
    evidence = headers(1, SOPClassUID=EnhancedCTImageStorage) if frames else headers(len(said.series.slices))
    for compose in (compose_ai_result, compose_draft_report):
        written = write_bytes(compose(said, evidence, FACTS))
        assert complaints(dcmread(BytesIO(written))) == []
        assert write_bytes(compose(said, evidence, FACTS)) == written
