"""Attributes from logits to the words of a prompt, and sentences held against them."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacs_agent.inference.attributes import (
    COUNTS,
    GRADES,
    PLACES,
    Attributes,
    attributes_of,
    contradicts,
    prompt,
    prompt_words,
)

SIDES = ("right", "left")
LOBES = ("right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe")
ATTRIBUTE_NAMES = (
    *(f"side:{side}" for side in SIDES),
    *(f"lobe:{lobe}" for lobe in LOBES),
    *(f"grade:{grade}" for grade in range(3)),
    *(f"count:{count}" for count in ("one", "few", "many")),
)
KINDS = frozenset({"side", "lobe", "grade", "count"})

logits = st.lists(st.floats(-20, 20), min_size=len(ATTRIBUTE_NAMES), max_size=len(ATTRIBUTE_NAMES))
applying = st.frozensets(st.sampled_from(sorted(KINDS)))
points = st.dictionaries(st.sampled_from(["side", "lobe"]), st.floats(-10, 10))
lobe_sets = st.lists(st.sampled_from(LOBES), unique=True, max_size=5).map(tuple)


@st.composite
def attributes(draw: st.DrawFn) -> Attributes:
    """Attributes as heads give them: a side goes with each lobe."""
    return attributes_of(ATTRIBUTE_NAMES, draw(logits), draw(applying), draw(points))


@given(logits, applying, points)
def test_attributes_are_those_that_apply_and_at_least_one_of_each(
    values: list[float], applies: frozenset[str], thresholds: dict[str, float]
) -> None:
    said = attributes_of(ATTRIBUTE_NAMES, values, applies, thresholds)
    assert bool(said.lobes) == ("lobe" in applies)
    assert bool(said.sides) == bool({"side", "lobe"} & applies)
    assert (said.grade is None) == ("grade" not in applies)
    assert (said.count is None) == ("count" not in applies)
    assert {lobe.split()[0] for lobe in said.lobes} <= set(said.sides)
    logit = dict(zip(ATTRIBUTE_NAMES, values, strict=True))
    for lobe in said.lobes:
        above = logit[f"lobe:{lobe}"] >= thresholds.get("lobe", 0.0)
        assert above or logit[f"lobe:{lobe}"] == max(logit[f"lobe:{each}"] for each in LOBES)


@given(logits, applying, points)
def test_one_thing_lies_in_one_place(
    values: list[float], applies: frozenset[str], thresholds: dict[str, float]
) -> None:
    said = attributes_of(ATTRIBUTE_NAMES, values, applies, thresholds)
    if said.count == "one":
        assert len(said.sides) <= 1
        assert len(said.lobes) <= 1


@pytest.mark.parametrize(
    ("one", "second_place", "count", "sides"),
    [(3.0, 0.5, "one", ("right",)), (0.4, 2.0, "few", ("right", "left")), (3.0, -1.0, "one", ("right",))],
)
def test_where_count_and_places_disagree_the_less_firm_gives_way(
    one: float, second_place: float, count: str, sides: tuple[str, ...]
) -> None:
    strong = {"side:right": 4.0, "side:left": second_place, "count:one": one, "count:few": 0.0}
    values = [strong.get(name, -5.0) for name in ATTRIBUTE_NAMES]
    said = attributes_of(ATTRIBUTE_NAMES, values, frozenset({"side", "count"}), {})
    assert (said.count, said.sides) == (count, sides)


def test_of_grades_and_counts_the_strongest_is_said() -> None:
    strong = {"side:left": 1.0, "lobe:left lower lobe": 2.0, "grade:2": 3.0, "count:few": -1.0}
    values = [strong.get(name, -5.0) for name in ATTRIBUTE_NAMES]
    said = attributes_of(ATTRIBUTE_NAMES, values, KINDS, {})
    assert said == Attributes(sides=("left",), lobes=("left lower lobe",), grade=2, count="few")
    assert prompt("<present:x>", said) == ("<present:x>", "<place:left lower lobe>", "<grade:2>", "<count:few>")


def test_a_model_without_the_heads_says_none() -> None:
    assert attributes_of((), (), KINDS, {}) == Attributes()


@given(attributes())
def test_a_prompt_has_only_words_of_the_vocabulary(said: Attributes) -> None:
    tag, *words = prompt("<present:nodule>", said)
    assert tag == "<present:nodule>"
    assert set(words) <= set(prompt_words())


def test_every_prompt_word_is_said_of_some_attributes() -> None:
    sets = [lobes for count in range(6) for lobes in itertools.combinations(LOBES, count)]
    places = {Attributes(sides=tuple(s), lobes=lobes).place for lobes in sets for s in ((), ("left",), SIDES)}
    assert places | {"right"} == set(PLACES)
    assert {f"<grade:{grade}>" for grade in GRADES} | {f"<count:{count}>" for count in COUNTS} <= set(prompt_words())


@given(attributes())
def test_the_place_of_the_prompt_may_be_said(said: Attributes) -> None:
    """What the decoder is told to say must not count as a contradiction."""
    assert not contradicts(f"There is something in the {said.place} .", said)


@given(lobe_sets, st.sampled_from(LOBES))
def test_a_lobe_may_be_said_when_it_is_one_of_the_attributes(lobes: tuple[str, ...], named: str) -> None:
    side, level, _ = named.split()
    for text in (f"A nodule in the {named} .", f"In the {level} lobe of the {side} lung ."):
        assert contradicts(text, Attributes(lobes=lobes)) == (named not in lobes)


@given(st.sampled_from(("right", "left", "bilateral", "both lungs", "right-sided", "left-sided")))
def test_nothing_is_said_of_sides_that_are_not_known(words: str) -> None:
    assert contradicts(f"An effusion , {words} .", Attributes())


@given(st.sets(st.sampled_from(LOBES), min_size=1), st.sets(st.sampled_from(LOBES), min_size=1))
@example({"right upper lobe"}, {"right upper lobe", "left lower lobe"})
def test_lobes_in_a_list_are_told_apart(known: set[str], said: set[str]) -> None:
    listed = " and ".join(sorted(lobe.removesuffix(" lobe") for lobe in said))
    assert contradicts(f"Opacities in the {listed} lobes .", Attributes(lobes=tuple(known))) == (not said <= known)


RIGHT_UPPER = Attributes(sides=("right",), lobes=("right upper lobe",))
BOTH_UPPER = Attributes(sides=SIDES, lobes=("right upper lobe", "left upper lobe"))


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("Right upper and middle lobe opacities .", RIGHT_UPPER, True),
        ("Right upper and middle lobe opacities .", Attributes(lobes=("right upper lobe", "right middle lobe")), False),
        ("Emphysema of the upper lobes .", RIGHT_UPPER, True),
        ("Emphysema of the upper lobes .", BOTH_UPPER, False),
        ("Emphysema of both upper lobes .", BOTH_UPPER, False),
        ("Emphysema of the upper and lower lobes .", BOTH_UPPER, True),
        ("In the lingula .", BOTH_UPPER, False),
        ("In the lingula .", RIGHT_UPPER, True),
        ("At the right apex .", RIGHT_UPPER, False),
        ("At the right base .", RIGHT_UPPER, True),
        ("Bibasal atelectasis .", BOTH_UPPER, True),
        ("A bilateral effusion .", Attributes(sides=("left",)), True),
        ("A bilateral effusion .", Attributes(sides=SIDES), False),
        ("The heart is enlarged .", Attributes(), False),
        ("A single nodule .", Attributes(count="few"), True),
        ("A few nodules .", Attributes(count="few"), False),
        ("Multiple nodules .", Attributes(count="one"), True),
        ("Multiple nodules .", Attributes(count="many"), False),
        ("Numerous nodules .", Attributes(count="few"), True),
        ("Multiple septal lines .", Attributes(), False),
    ],
)
def test_sentences(text: str, said: Attributes, expected: bool) -> None:
    assert contradicts(text, said) is expected
    assert contradicts(text.upper(), said) is expected


@given(st.text(), attributes())
def test_any_text_can_be_judged(text: str, said: Attributes) -> None:
    assert contradicts(text, said) in (True, False)
