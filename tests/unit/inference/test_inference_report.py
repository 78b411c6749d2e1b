"""Whatever the decoder says, the report says what the scores say."""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.inference import FindingReading, ModelFailed, Presence
from pacs_agent.inference.describe import finding_reading
from pacs_agent.inference.licence import Fault, Licence, other_terms
from pacs_agent.inference.manifest import FindingEntry, GraphFile, Graphs, Manifest
from pacs_agent.inference.report import NOTHING_PRESENT, POSSIBLE, Report, write_report
from pacs_agent.inference.tokenizer import Tokenizer, prompt_words, tag

LOBES = ("right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe")
SIDES = ("right", "left")
ATTRIBUTES = (
    *(f"side:{side}" for side in SIDES),
    *(f"lobe:{lobe}" for lobe in LOBES),
    *(f"grade:{grade}" for grade in range(3)),
    *(f"count:{count}" for count in ("one", "few", "many")),
)
GRADES = ("small", "moderate", "large")
KINDS = ("present", "absent", "uncertain", "impression")


def entry(key: str, name: str, applies: Sequence[str], concern: int = 0) -> FindingEntry:
    code = {"value": "1", "scheme": "99TEST", "meaning": name}
    points = {"operating_point": 0.7, "uncertain_from": 0.4}
    facts = {"key": key, "name": name, "code": code, "site": code, "applies": applies, "concern": concern, **points}
    return FindingEntry.model_validate(facts | ({"grades": GRADES} if "grade" in applies else {}))


ENTRIES = (
    entry("nodule", "Lung nodule", ("side", "lobe", "grade", "count"), concern=1),
    entry("effusion", "Pleural effusion", ("side", "grade"), concern=2),
    entry("cardiomegaly", "Cardiomegaly", ("grade",)),
    entry("material", "Medical material", ()),
)
_FILE = GraphFile(file="a", sha256="0" * 64)
MANIFEST = Manifest.model_construct(
    name="fake",
    version="1",
    findings=ENTRIES,
    attributes=ATTRIBUTES,
    max_words=24,
    graphs=Graphs(slice_encoder=_FILE, study_reader=_FILE, report_decoder=_FILE),
)
PROMPTS = [*(tag(kind, one.key) for one in ENTRIES for kind in KINDS), *prompt_words()]
_SAID = (
    "right left upper middle lower lobe a few single multiple numerous small moderate large there is no in the cannot"
)
_SAID += " be excluded lung nodule pleural effusion cardiomegaly medical material 7 mm"
WORDS = ("<pad>", "<end>", *PROMPTS, ".", *_SAID.split())
TOKENIZER = Tokenizer(
    format=1,
    words=WORDS,
    tags={word: WORDS.index(word) for word in PROMPTS},
    end=1,
    pad=0,
    no_space_before=(".", ","),
)


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    """The lines that are logged, in place of standard error."""
    with structlog.testing.capture_logs() as lines:
        yield lines


class FakeDecoder:
    """Says to each prompt what it is told to say, and keeps the prompts."""

    name = "report_decoder"

    def __init__(self, texts: Sequence[str]) -> None:
        self.said = [[WORDS.index(word) for word in text.split()] for text in texts]
        self.prompts: list[np.ndarray] = []

    def input_shape(self, name: str) -> list[int | str]:
        return [1, "b", 1, "t", 1]

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        word, past = inputs["word"], inputs["past_keys"]
        step = past.shape[3] - 3
        if step <= 0:
            self.prompts.append(word[:, 0])
        logits = np.zeros((len(word), len(WORDS)), np.float32)
        for row, numbers in enumerate(self.said):
            logits[row, numbers[step] if 0 <= step < len(numbers) else 1] = 1
        keys = np.zeros((*past.shape[:3], past.shape[3] + 1, past.shape[4]), np.float32)
        return {"logits": logits, "keys": keys, "values": keys}


@dataclass(frozen=True)
class Claim:
    """A sentence whose meaning is known because it was made from it."""

    presence: Presence
    name: str
    place: str = ""
    grade: str = ""
    count: str = ""
    number: bool = False

    @property
    def text(self) -> str:
        what = " ".join(word for word in (self.count, self.grade, self.name.lower()) if word)
        where = f" in the {self.place}" if self.place else ""
        size = " 7 mm" if self.number else ""
        if self.presence is Presence.PRESENT:
            return f"there is {what}{size}{where} ."
        return (
            f"no {what}{size}{where} ."
            if self.presence is Presence.ABSENT
            else f"{what}{where}{size} cannot be excluded ."
        )

    def holds(self, reading: FindingReading, presence: Presence) -> bool:
        """Whether it says no more than the reading does."""
        said = reading.attributes
        return (
            self.presence is presence
            and self.name == reading.label.name
            and not self.number
            and (not self.place or self.place in (*said.lobes, *said.all_sides))
            and (not self.grade or presence is not Presence.PRESENT or said.grade in (None, GRADES.index(self.grade)))
            and (not self.count or said.count is None or self.count in COUNTS[said.count])
        )


COUNTS = {"one": ("a single",), "few": ("a few", "multiple"), "many": ("multiple", "numerous")}
claims = st.builds(
    Claim,
    st.sampled_from(Presence),
    st.sampled_from([one.name for one in ENTRIES]),
    st.sampled_from(["", *SIDES, *LOBES]),
    st.sampled_from(["", *GRADES]),
    st.sampled_from(["", "a single", "a few", "multiple", "numerous"]),
    st.booleans(),
)
finding_logits = st.lists(st.floats(-8, 8), min_size=len(ENTRIES), max_size=len(ENTRIES))
attribute_logits = st.lists(
    st.lists(st.floats(-8, 8), min_size=len(ATTRIBUTES), max_size=len(ATTRIBUTES)),
    min_size=len(ENTRIES),
    max_size=len(ENTRIES),
)


def readings(
    logits: Sequence[float], attributes: Sequence[Sequence[float]] = ((),) * len(ENTRIES)
) -> list[FindingReading]:
    return [finding_reading(MANIFEST, n, logits[n], attributes[n], (0.5,), ()) for n in range(len(ENTRIES))]


def report(findings: Sequence[FindingReading], texts: Sequence[str]) -> tuple[Report, FakeDecoder]:
    decoder = FakeDecoder(texts)
    return write_report(findings, MANIFEST, TOKENIZER, decoder, np.zeros((2, 3), np.float32)), decoder


def present_by_concern(findings: Sequence[FindingReading]) -> list[FindingReading]:
    concern = {one.key: one.concern for one in ENTRIES}
    present = [one for one in findings if one.presence is Presence.PRESENT]
    return sorted(present, key=lambda one: (-concern[one.label.key], -(one.attributes.grade or 0)))


@given(finding_logits, attribute_logits, st.data())
def test_no_contradiction_leaves_the_agent(
    logits: list[float], attributes: list[list[float]], data: st.DataObject
) -> None:
    """A decoder that says anything at all: what is not the scores' meaning is replaced, what is stays."""
    findings = readings(logits, attributes)
    summary = present_by_concern(findings)
    about = [*((one, one.presence) for one in findings), *((one, Presence.PRESENT) for one in summary)]
    said = [data.draw(claims) for _ in about]
    written, _ = report(findings, [claim.text for claim in said])
    sentences = [*written.sentences, *written.impression[: len(summary)]]
    for sentence, (finding, presence), claim in zip(sentences, about, said, strict=True):
        assert sentence.findings == (finding.label.key,)
        assert sentence.positive == (presence is not Presence.ABSENT)
        spoken = claim.text[0].upper() + claim.text[1:].replace(" .", ".")
        assert sentence.fixed == (not claim.holds(finding, presence)), claim
        assert (sentence.text == spoken) == (not sentence.fixed)


@given(finding_logits, attribute_logits)
def test_fixed_sentences_break_no_rule(logits: list[float], attributes: list[list[float]]) -> None:
    findings = readings(logits, attributes)
    count = len(findings) + len(present_by_concern(findings))
    written, _ = report(findings, [""] * count)
    assert len(written.sentences) == len(ENTRIES)
    for sentence in (*written.sentences, *written.impression[: count - len(findings)]):
        finding = next(one for one in findings if (one.label.key,) == sentence.findings)
        others = other_terms(finding.label.name, [one.name for one in ENTRIES])
        licence = Licence(finding.presence, finding.attributes, GRADES, others)
        assert sentence.fixed
        assert licence.fault(sentence.text) is None, sentence.text
        assert finding.label.name in sentence.text


@given(finding_logits, attribute_logits)
def test_the_impression_is_what_is_present_by_concern_then_what_is_possible(
    logits: list[float], attributes: list[list[float]]
) -> None:
    findings = readings(logits, attributes)
    present = present_by_concern(findings)
    written, _ = report(findings, [""] * (len(findings) + len(present)))
    *said, last = written.impression
    uncertain = tuple(one.label.key for one in findings if one.presence is Presence.UNCERTAIN)
    if uncertain:
        assert last.text.startswith(POSSIBLE)
        assert last.findings == uncertain
    else:
        said = [*said, last]
    if not present:
        assert [sentence.text for sentence in said] == [NOTHING_PRESENT]
        assert not said[0].positive
    else:
        assert [sentence.findings for sentence in said] == [(one.label.key,) for one in present]


def test_the_prompt_is_tag_place_grade_and_count() -> None:
    nodule = [3.0 if name in ("lobe:left lower lobe", "grade:1", "count:few") else -3.0 for name in ATTRIBUTES]
    findings = readings([3.0, -3.0, -3.0, 0.0], [nodule] * len(ENTRIES))
    written, decoder = report(findings, [""] * 5)
    prompts = [tuple(WORDS[number] for number in row) for row in np.stack(decoder.prompts, axis=1)]
    place = ("<place:left lower lobe>", "<grade:1>", "<count:few>")
    none = ("<place:none>", "<grade:none>", "<count:none>")
    assert prompts == [
        ("<present:nodule>", *place),
        ("<absent:effusion>", *none),
        ("<absent:cardiomegaly>", *none),
        ("<uncertain:material>", *none),
        ("<impression:nodule>", *place),
    ]
    assert [sentence.text for sentence in (*written.sentences, *written.impression)] == [
        "Lung nodule: present, a few, moderate, left lower lobe.",
        "Pleural effusion: not seen.",
        "Cardiomegaly: not seen.",
        "Medical material: uncertain.",
        "Lung nodule, a few, moderate, left lower lobe.",
        "Possible: medical material.",
    ]


@pytest.mark.parametrize(
    ("presence", "text", "fault"),
    [
        (Presence.PRESENT, "There is no nodule.", Fault.PRESENCE),
        (Presence.PRESENT, "The heart is of normal size.", Fault.PRESENCE),
        (Presence.ABSENT, "There is a nodule.", Fault.PRESENCE),
        (Presence.ABSENT, "A nodule cannot be excluded.", Fault.PRESENCE),
        (Presence.ABSENT, "No nodule in the right lung.", Fault.ATTRIBUTES),
        (Presence.ABSENT, "No effusion on either side.", None),
        (Presence.UNCERTAIN, "There is a nodule.", Fault.PRESENCE),
        (Presence.UNCERTAIN, "No nodule.", Fault.PRESENCE),
        (Presence.UNCERTAIN, "A nodule cannot be excluded.", None),
        (Presence.PRESENT, "A nodule of 7 mm.", Fault.NUMBER),
        (Presence.PRESENT, "A nodule and pleural effusion.", Fault.FINDING),
        (Presence.PRESENT, " . ", Fault.EMPTY),
    ],
)
def test_why_a_sentence_is_refused(presence: Presence, text: str, fault: Fault | None) -> None:
    findings = readings([0.0] * len(ENTRIES))
    licence = Licence(presence, findings[0].attributes, GRADES, ("pleural effusion", "cardiomegaly"))
    assert licence.fault(text) == fault


def test_what_was_replaced_is_counted_without_words_of_the_report(log: list[MutableMapping[str, Any]]) -> None:
    endless = " ".join(["nodule"] * 30)
    report(
        readings([3.0, 3.0, -3.0, -3.0]),
        ["no nodule .", endless, "no cardiomegaly .", "", "pleural effusion .", endless],
    )
    (line,) = log
    assert line["faults"] == {"presence": 1, "no_end": 2, "empty": 1}
    assert (line["replaced"], line["of"], line["model"]) == (4, 6, "fake 1")
    assert "nodule" not in str(line)


def test_a_prompt_without_a_word_fails_the_step() -> None:
    poor = TOKENIZER.model_copy(update={"tags": {}})
    with pytest.raises(ModelFailed, match="no word '<absent:nodule>'"):
        write_report(readings([-3.0] * 4), MANIFEST, poor, FakeDecoder([]), np.zeros((2, 3), np.float32))
