"""The decision whether a study is complete: facts in, a verdict with its words out."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_agent.assemble.verdict import Act, Announced, Facts, Limits, Missing, SourceCount, Verdict, weigh

LIMITS = Limits(quiet_s=30, settle_s=2)
COUNTED = SourceCount(60, "C-FIND at pacs", steady_s=3, is_fresh=True)
THIN = Missing("chest", "a series with Modality equals 'CT'", wait_at_most_s=600, if_incomplete="read")


def act(facts: Facts) -> Act:
    return weigh(facts, LIMITS).act


@pytest.mark.parametrize(
    ("facts", "complete", "words"),
    [
        (Facts(60, 0.1), False, "no count is known"),
        (Facts(60, 30), True, "nothing came for 30 s; 60 instances came, and no count is known"),
        (Facts(60, 0.1, Announced(60, True)), True, "the images themselves announce"),
        (Facts(47, 0.1, Announced(60, True)), False, "47 of 60 instances came, by the images themselves"),
        (Facts(47, 31, Announced(60, True)), True, "nothing came for 30 s; 47 of 60 instances came"),
        (Facts(61, 29, Announced(60, True)), False, "more than the 60 by the images themselves"),
        (Facts(60, 29, Announced(60, False)), False, "announce other counts each time"),
        (Facts(1, 29, Announced(1, True)), False, "1 of 1"),
        (Facts(60, 0.1, at_source=COUNTED), True, "by C-FIND at pacs"),
        (Facts(60, 0.1, at_source=replace(COUNTED, is_fresh=False)), False, "60 of 60"),
        (Facts(60, 0.1, at_source=replace(COUNTED, steady_s=1.9)), False, "60 of 60"),
        (Facts(59, 29, at_source=COUNTED), False, "59 of 60"),
        (Facts(61, 29, at_source=COUNTED), False, "not believed"),
        (Facts(60, 30, source_trouble="no answer"), True, "the source could not be asked: no answer"),
        (Facts(60, 2, commitment_by_now=True), True, "storage commitment after the last of 60 instances"),
        (Facts(60, 1.9, commitment_by_now=True), False, "60 instances came"),
        (Facts(47, 29, Announced(60, True), commitment_by_now=True), False, "47 of 60 instances came"),
        (Facts(60, 29, still_open="CT1@10.0.0.7"), False, "60 instances came, and no count is known"),
        (Facts(60, 30, still_open="CT1@10.0.0.7"), False, "the association of CT1@10.0.0.7 that brought the newest"),
        (Facts(60, 119, still_open="CT1@10.0.0.7"), False, "its end is waited for until 120 s after that instance"),
        (Facts(60, 120, still_open="CT1@10.0.0.7"), True, "nothing came for 120 s, though the association of CT1@"),
        (Facts(60, 45, was_open=True), True, "nothing came for 30 s, and the association that brought them has ended"),
        (Facts(60, 0.1, Announced(60, True), still_open="CT1@10.0.0.7"), True, "the images themselves announce"),
        (Facts(60, 2, commitment_by_now=True, still_open="CT1@10.0.0.7"), True, "storage commitment after the last"),
    ],
)
def test_the_first_sign_that_holds_decides_and_says_so(facts: Facts, complete: bool, words: str) -> None:
    verdict = weigh(facts, LIMITS)
    assert (verdict.act is Act.COMPLETE) == complete
    assert words in verdict.words


@pytest.mark.parametrize(
    ("quiet_s", "if_incomplete", "expected", "dropped", "reported"),
    [
        (31, "read", Act.WAIT, (), ()),
        (600, "read", Act.COMPLETE, (), ()),
        (599, "report", Act.WAIT, (), ()),
        (600, "report", Act.COMPLETE, (), ("chest",)),
        (600, "ignore", Act.COMPLETE, ("chest",), ()),
        (599, "hold", Act.WAIT, (), ()),
        (600, "hold", Act.HOLD, (), ()),
    ],
)
def test_a_rule_waits_for_what_it_expects_but_not_for_ever(
    quiet_s: float, if_incomplete: str, expected: Act, dropped: tuple[str, ...], reported: tuple[str, ...]
) -> None:
    missing = replace(THIN, if_incomplete=if_incomplete)  # type: ignore[arg-type]
    verdict = weigh(Facts(60, quiet_s, Announced(60, True), missing=(missing,)), LIMITS)
    assert (verdict.act, verdict.dropped, verdict.reported) == (expected, dropped, reported)
    assert "rule “chest” misses a series" in verdict.words


FACTS = st.builds(
    Facts,
    received=st.integers(1, 80),
    quiet_for_s=st.floats(0, 2000),
    announced=st.none() | st.builds(Announced, st.integers(1, 80), st.booleans()),
    at_source=st.none()
    | st.builds(SourceCount, st.integers(0, 80), st.just("C-FIND"), st.floats(0, 10), st.booleans()),
    source_trouble=st.sampled_from(["", "no answer"]),
    commitment_by_now=st.booleans(),
    still_open=st.sampled_from(["", "CT1@10.0.0.7"]),
    was_open=st.booleans(),
    missing=st.lists(
        st.builds(
            Missing,
            st.sampled_from("abc"),
            st.just("a series"),
            st.floats(1, 1500),
            st.sampled_from(["read", "ignore", "hold"]),
        ),
        max_size=3,
    ).map(tuple),
)


@given(FACTS)
def test_no_study_is_complete_with_less_than_every_count_unless_time_ran_out(facts: Facts) -> None:
    counts = [facts.announced.instances] if facts.announced and facts.announced.is_steady else []
    counts += [facts.at_source.instances] if facts.at_source else []
    if counts and all(facts.received < count for count in counts) and facts.quiet_for_s < LIMITS.quiet_s:
        assert act(facts) is Act.WAIT


@given(FACTS, st.floats(0, 3000))
def test_time_alone_never_takes_a_verdict_back(facts: Facts, more_s: float) -> None:
    later = replace(facts, quiet_for_s=facts.quiet_for_s + more_s)
    if act(facts) is not Act.WAIT:
        assert act(later) is act(facts)


@given(FACTS)
def test_an_open_association_changes_nothing_but_when_the_quiet_time_is_over(facts: Facts) -> None:
    closed = replace(facts, still_open="")
    if not LIMITS.quiet_s <= facts.quiet_for_s < LIMITS.open_s:
        assert act(facts) is act(closed)
    elif act(closed) is Act.WAIT:
        assert act(facts) is Act.WAIT


@given(FACTS)
def test_the_order_of_the_rules_changes_nothing_but_the_order_of_the_words(facts: Facts) -> None:
    def of(missing: tuple[Missing, ...]) -> tuple[Act, set[str]]:
        verdict: Verdict = weigh(replace(facts, missing=missing), LIMITS)
        return verdict.act, set(verdict.dropped)

    assert len({(one[0], frozenset(one[1])) for one in map(of, itertools.permutations(facts.missing))}) == 1


@given(FACTS)
def test_a_count_never_lengthens_the_wait(facts: Facts) -> None:
    without = replace(facts, announced=None, at_source=None, commitment_by_now=False)
    if act(without) is not Act.WAIT:
        assert act(facts) is act(without)
