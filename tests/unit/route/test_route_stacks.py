"""Stacks that a rule expects: asked by geometry and attributes, under the corrections of the same book of rules."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.archive import Archive
from pacs_agent.db import Database
from pacs_agent.imaging import Plane, Weighting
from pacs_agent.route import Decision, RuleBook, StudyAttributes, WrongRules, attributes_of_file, attributes_of_study
from pacs_agent.route.attributes import Grouping
from pacs_agent.route.limits import Limits
from pacs_agent.route.stacks import WantedStack
from tests.unit.console.stored_mr import EPI, STUDY, T2_TSE, mr_images, prostate, store

MORE = """
corrections:
- name: sagittal ones are T1
  when: {attribute: SeriesDescription, regex: sag}
  is: {weighting: T1}
"""


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path / "archive")


@pytest.fixture
def study(archive: Archive) -> StudyAttributes:
    """T2 axial and sagittal, DWI of b 50 and 800."""
    prostate(archive)
    with archive.database.reading() as session:
        return attributes_of_study(session, archive, STUDY)


def book(*stacks: str, optional: str = "", more: str = "") -> RuleBook:
    series = ", ".join(f"{{stack: {{{stack}}}}}" for stack in stacks)
    return RuleBook.parse(f"rules:\n- {{name: a, pipeline: p, expects: {{series: [{series}]{optional}}}}}{more}")


def misses(decision: Decision) -> list[str]:
    return [one.words for one in decision.unmet]


@pytest.mark.parametrize(
    ("stack", "is_there"),
    [
        ("weighting: T2, plane: axial", True),
        ("weighting: T2, plane: coronal", False),
        ("weighting: DWI, b_value: {min: 600}", True),
        ("weighting: DWI, b_value: {min: 801}", False),
        ("weighting: DWI, b_value: {max: 50}, slices: {min: 3}", True),
        ("plane: sagittal, b_value: {min: 0}", False),
        ("phase: {min: 1}", False),
        ("slices: {min: 4}", True),
        ("slices: {min: 5}", False),
        ("weighting: T2, contrast: after", False),
        ("weighting: T2, nulling: none, component: magnitude", True),
        ("bolus_phase: arterial", False),
    ],
)
def test_a_series_must_hold_such_a_stack(study: StudyAttributes, stack: str, is_there: bool) -> None:
    assert (misses(book(stack).decide_study(study)) == []) == is_there


def test_what_is_missing_and_what_was_found_is_said(study: StudyAttributes) -> None:
    wanted = book("weighting: ADC", "weighting: DWI, b_value: {min: 600}")
    decision = wanted.decide_study(study)
    assert misses(decision) == ["a series with a stack of weighting ADC"]
    lines = decision.lines()
    assert any("✓ series ep2d_diff_tra, 6 images" in line for line in lines)
    assert any("b-value at least 600 (saw “DWI b50 axial”, “DWI b800 axial”)" in line for line in lines)
    assert wanted.rules[0].expects is not None
    assert "b-value at least 600" in wanted.rules[0].expects.in_words()


def test_optional_series_are_told_and_never_missed(study: StudyAttributes) -> None:
    optional = ", optional: [{stack: {weighting: ADC}}, {stack: {plane: sagittal}}]"
    decision = book("weighting: T2", optional=optional).decide_study(study)
    assert misses(decision) == []
    lines = [line.strip() for line in decision.lines()]
    assert [line[0] for line in lines if line.endswith("an optional series")] == ["✗", "✓"]
    [rule] = decision.matched
    assert rule.expects is not None
    assert "optional: a series with a stack of weighting ADC" in rule.expects.in_words()


def test_stacks_join_with_other_conditions_of_the_same_series(study: StudyAttributes) -> None:
    text = "rules: [{{name: a, pipeline: p, expects: {{series: [{{all: [{}]}}]}}}}]"
    t2, sagittal = "{stack: {plane: axial, weighting: T2}}", "{attribute: SeriesDescription, regex: sag}"
    assert misses(RuleBook.parse(text.format(f"{t2}, {{not: {sagittal}}}")).decide_study(study)) == []
    assert misses(RuleBook.parse(text.format(f"{t2}, {sagittal}")).decide_study(study)) != []


def test_the_corrections_of_the_same_rules_count(study: StudyAttributes) -> None:
    sagittal = "weighting: T1, plane: sagittal"
    assert misses(book(sagittal).decide_study(study)) != []
    assert misses(book(sagittal, more=MORE).decide_study(study)) == []
    assert misses(book(sagittal).decide_study(study)) != [], "other rules, other answers of the same attributes"


def test_headers_are_read_for_rules_that_match_and_expect_stacks_alone(
    study: StudyAttributes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Grouping, uids: object) -> None:
        raise AssertionError(uids)

    monkeypatch.setattr(Grouping, "of_series", never)
    expects = "expects: {series: [{stack: {weighting: T2}}]}"
    other = f"{{name: ct, pipeline: p, when: {{attribute: Modality, equals: CT}}, {expects}}}"
    assert RuleBook.parse(f"rules: [{other}, {{name: b, pipeline: q}}]").decide_study(study).matched[0].name == "b"


def test_many_series_are_asked_in_time_that_grows_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    class OneOfMany:
        name = "T1 axial"

        def __init__(self, uid: str) -> None:
            self._uid = uid

        @property
        def series_instance_uid(self) -> str:
            looked.append(self._uid)
            return self._uid

    stacks = [OneOfMany(f"1.{number}") for number in range(50)]
    monkeypatch.setattr("pacs_agent.route.attributes.group_study", lambda *_: SimpleNamespace(stacks=stacks))
    grouping = Grouping(())
    assert [grouping.of_series([f"1.{number}"]) for number in range(50)] == [[stack] for stack in stacks]
    assert grouping.of_series(["1.9", "1.2", "1.7"]) == [stacks[2], stacks[7], stacks[9]], "in the order of the study"
    assert len(looked) <= 2 * len(stacks)


def test_a_file_that_cannot_be_read_is_in_no_stack(archive: Archive) -> None:
    broken, *_ = prostate(archive)
    broken.write_bytes(b"no DICOM")
    with archive.database.reading() as session:
        attributes = attributes_of_study(session, archive, STUDY)
    assert sum(len(stack.frames) for stack in attributes.stacks) == 12


def test_what_vendors_keep_in_each_image_does_not_stay_in_memory(archive: Archive) -> None:
    images = mr_images(1, "ep2d_diff", (0, 3, 6), **EPI)
    for image in images:
        protocol = image.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        protocol.add_new(0x20, "OB", bytes(200_000))
        image.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", "800")
        image.Manufacturer = "SIEMENS"
    files = store(archive, *images)
    [stack] = Grouping(files).of_series([f"{STUDY}.1"])
    assert stack.b_value.value == 800
    kept = [one.value for frame in stack.frames for one in frame.header.dataset.values()]
    assert all(len(value) < 16_384 for value in kept if isinstance(value, bytes))


def test_a_file_is_a_stack_by_itself(archive: Archive) -> None:
    [path] = store(archive, *mr_images(1, "", (0,), **T2_TSE))
    assert misses(book("weighting: T2").decide_study(attributes_of_file(path))) == []


@pytest.mark.parametrize(
    ("stack", "words"),
    [
        ("{}", "say what the stack is"),
        ("{weighting: T3}", "'T1', 'T2'"),
        ("{b_value: {}}", "give min, max or both"),
        ("{b_value: {min: 2, max: 1}}", "nothing can lie between"),
        ("{echo: 3}", "not known here"),
    ],
)
def test_wrong_stacks_are_refused(stack: str, words: str) -> None:
    with pytest.raises(WrongRules, match=words) as refused:
        RuleBook.parse(f"rules:\n- {{name: a, pipeline: p, expects: {{series: [{{stack: {stack}}}]}}}}")
    assert "expects.series[0].stack" in refused.value.field


@pytest.mark.parametrize("part", ["{}", "{{all: [{}]}}", "{{not: {}}}", "{{any: [{{not: {}}}]}}"])
def test_stacks_are_asked_of_what_is_expected_alone(part: str) -> None:
    condition = part.format("{stack: {weighting: T2}}")
    for text in (
        f"rules: [{{name: a, pipeline: p, when: {condition}}}]",
        f"corrections: [{{name: a, when: {condition}, is: {{plane: axial}}}}]",
    ):
        with pytest.raises(WrongRules, match="under `expects` of a rule alone"):
            RuleBook.parse(text)


@given(low=st.floats(0, 2000), width=st.floats(0, 500), found=st.none() | st.floats(0, 2500))
def test_limits_hold_what_is_within(low: float, width: float, found: float | None) -> None:
    limits = Limits(min=low, max=low + width)
    assert limits.holds(found) == (found is not None and low <= found <= low + width)
    assert limits.in_words().startswith("from")


def test_words_for_people() -> None:
    wanted = WantedStack(
        weighting=Weighting.DIFFUSION, plane=Plane.AXIAL, b_value=Limits(max=50), slices=Limits(min=10, max=20)
    )
    assert wanted.in_words() == "plane axial, weighting DWI, b-value at most 50, slices from 10 to 20"
