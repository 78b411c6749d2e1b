"""Every rule of the grammar, in every form, states its facts: read back by the check, which knows no grammar."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import pytest

from models.gtgm.facts import Fact, Kind
from models.gtgm.text import Sentence, check
from models.gtgm.text.ct import CT_TOPICS
from models.gtgm.text.em import EM_TOPICS
from models.gtgm.text.grammar import Need, Rule, chosen, count, every, fill, parsed, tidy
from models.gtgm.text.mr import SEQUENCE_TOPICS, STUDY_TOPICS

KINDS = {
    "voxel": Kind.VOXEL,
    "bright_areas": Kind.BRIGHT_AREAS,
    "dark_areas": Kind.DARK_AREAS,
    **{kind.name.lower(): kind for kind in Kind},
}
WORDS = {Kind.PLANE: "sagittal", Kind.CONTRAST: "present", Kind.DARK_LEVEL: "middle", Kind.ORIENTATION: "y"}
PLACED = {
    Kind.DARK_DIAMETER: "left lower",
    Kind.BRIGHT_AREA_VOLUME: "right upper back",
    Kind.DARK_AREA_VOLUME: "left middle",
    Kind.DIFFUSION_VOLUME: "right lower front",
}
TOPICS = (*CT_TOPICS, *SEQUENCE_TOPICS, *STUDY_TOPICS, *EM_TOPICS)
RULES = [
    (f"{topic.name}: {' '.join(n.id + n.test + n.value for n in rule.needs)}", rule)
    for topic in TOPICS
    for plan in topic.plans
    for rule in plan
]


def made(need: Need, value: float, of: str = "") -> Fact:
    """A fact that meets a need, where the value allows it."""
    name, _, part = need.id.partition(".")
    kind = KINDS[name]
    place = part if part in ("right", "left") else PLACED.get(kind, "")
    if kind in (Kind.BRIGHT_DIAMETER, Kind.BRIGHT_DENSITY):
        place = {"1": "right upper", "2": "left middle"}[part]
    if kind in WORDS:
        return Fact(need.id, kind, need.value or WORDS[kind], "", place, of)
    if kind in (
        Kind.SLICES,
        Kind.CALCIUM_COUNT,
        Kind.BRIGHT_COUNT,
        Kind.DARK_COUNT,
        Kind.BRIGHT_AREAS,
        Kind.DARK_AREAS,
    ):
        value = float(round(abs(value))) or 2.0
    if need.test == "=":
        value, place = float(need.value), part
    return Fact(need.id, kind, value, "", place, of)


VALUES = (0.374, 3.96, 17.45, 733.3)
FEW = 20
EACH_RULE = pytest.mark.parametrize("rule", [rule for _, rule in RULES], ids=[name for name, _ in RULES])


@EACH_RULE
def test_forms_of_every_rule_state_its_facts_and_nothing_else(rule: Rule) -> None:
    rng = np.random.default_rng(0)
    for value in VALUES:
        assert_states_its_facts(rule, sorted({chosen(rule.form, rng) for _ in range(FEW)}), value)


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES)
@EACH_RULE
def test_every_form_of_every_rule_states_its_facts_and_nothing_else(rule: Rule, value: float) -> None:
    assert_states_its_facts(rule, islice(every(rule.form), 200), value)


def assert_states_its_facts(rule: Rule, forms: Iterable[str], value: float) -> None:
    """Each form, filled with facts around a value, states these facts; no form is asked where the rule is silent."""
    rng = np.random.default_rng(0)
    of = "DWI b800" if "{0o}" in rule.form else ""
    facts = [made(need, value * (1.0 + 0.37 * index), of) for index, need in enumerate(rule.needs)]
    if rule.facts({fact.id: fact for fact in facts}) is None:
        return  # a value that the rule does not speak of
    for form in forms:
        filled = fill(form, facts, rng)
        sentence = Sentence(filled.text, tuple(fact.id for fact in filled.facts))
        assert check([sentence], facts) == (), sentence
        assert len(filled.facts) == len(facts)
        assert not any(sign in filled.text for sign in "{}[]|")
        assert filled.text.endswith(".")


def test_each_kind_of_fact_can_be_stated_in_many_ways() -> None:
    ways: dict[Kind, int] = {}
    for _, rule in RULES:
        for need in rule.needs:
            kind = KINDS[need.id.partition(".")[0]]
            ways[kind] = ways.get(kind, 0) + count(rule.form)
    unsaid = set(Kind) - set(ways) - {Kind.SEQUENCE}
    assert unsaid == set(), "kinds that no rule states (the sequence is named in every sentence about it)"
    assert min(ways.values()) >= 2
    assert sorted(ways.values())[len(ways) // 2] >= 5


def test_forms_are_counted_without_writing_them_all() -> None:
    form = "[a|b [c|d|]] e [|f]"
    assert count(form) == len(list(every(form))) == 8


@pytest.mark.parametrize("form", ["[a|b", "a]b"])
def test_a_form_with_open_brackets_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="unmatched"):
        parsed(form)


def test_text_is_made_tidy() -> None:
    assert tidy("a  even fat , more .") == "An even fat, more."
