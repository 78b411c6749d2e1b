"""Texts state their facts and nothing else: round trips of made-up facts, changed facts, changed words, identities."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gtgm.facts import Fact, Kind, facts_of
from models.gtgm.text import Sentence, check, rewritten, write
from models.gtgm.text.check import fault
from models.gtgm.text.rewrite import change
from models.gtgm.text.rounding import WRITTEN
from models.gtgm.volume import Modality, Volume

POSITIVE = st.floats(0.2, 4000.0)
PLACES = st.sampled_from([f"{side} {level}" for side in ("right", "left") for level in ("upper", "middle", "lower")])


@st.composite
def chest_facts(draw: st.DrawFn) -> tuple[Fact, ...]:
    """Facts as a CT gives them, with any values; parts may be missing."""
    facts = [
        Fact("plane", Kind.PLANE, draw(st.sampled_from(["axial", "coronal", "sagittal"]))),
        Fact("slices", Kind.SLICES, float(draw(st.integers(1, 900)))),
        Fact("slice_distance", Kind.SLICE_DISTANCE, draw(st.floats(0.5, 10.0)), "mm"),
        Fact("contrast", Kind.CONTRAST, draw(st.sampled_from(["present", "absent"]))),
        Fact("below_950", Kind.BELOW_950, draw(st.floats(0.0, 60.0)), "%"),
        Fact("lung_density", Kind.LUNG_DENSITY, draw(st.floats(-990.0, -400.0)), "HU"),
        Fact("heart_ratio", Kind.HEART_RATIO, draw(st.floats(0.2, 0.9))),
        Fact("calcium_count", Kind.CALCIUM_COUNT, float(draw(st.integers(0, 30)))),
        Fact("bright_count", Kind.BRIGHT_COUNT, float(draw(st.integers(0, 30)))),
        Fact("bright_diameter.1", Kind.BRIGHT_DIAMETER, draw(st.floats(8.0, 90.0)), "mm", draw(PLACES)),
        Fact("bright_diameter.2", Kind.BRIGHT_DIAMETER, draw(st.floats(8.0, 90.0)), "mm", draw(PLACES)),
        Fact("dark_level", Kind.DARK_LEVEL, draw(st.sampled_from(["upper", "middle", "lower"]))),
    ]
    for side in ("right", "left"):
        facts.append(Fact(f"lung_volume.{side}", Kind.LUNG_VOLUME, draw(st.floats(0.1, 5.0)), "L", side))
        ml = draw(st.one_of(st.just(0.0), st.floats(25.0, 3000.0)))
        facts.append(Fact(f"fluid_volume.{side}", Kind.FLUID_VOLUME, ml, "mL", side))
        if ml:
            facts.append(Fact(f"fluid_depth.{side}", Kind.FLUID_DEPTH, draw(st.floats(8.0, 150.0)), "mm", side))
    kept = draw(st.lists(st.booleans(), min_size=len(facts), max_size=len(facts)))
    return tuple(fact for fact, keep in zip(facts, kept, strict=True) if keep or fact.id == "plane")


@settings(max_examples=150, deadline=None)
@given(chest_facts(), st.integers(0, 2**32 - 1))
def test_what_is_written_states_its_facts_and_is_the_same_each_time(facts: tuple[Fact, ...], seed: int) -> None:
    sentences = write(facts, seed)
    assert check(sentences, facts) == ()
    assert write(facts, seed) == sentences


@settings(max_examples=150, deadline=None)
@given(chest_facts(), st.integers(0, 1000), st.data())
def test_a_text_is_wrong_for_other_facts(facts: tuple[Fact, ...], seed: int, data: st.DataObject) -> None:
    sentences = [s for s in write(facts, seed) if any(c.isdigit() for c in s.text.replace("-950 HU", ""))]
    if not sentences:
        return
    sentence = data.draw(st.sampled_from(sentences))
    by_id = {fact.id: fact for fact in facts}
    numeric = [by_id[name] for name in sentence.fact_ids if not isinstance(by_id[name].value, str)]
    changed = [replace(fact, value=float(fact.value) * 3.0 + 40.0) if fact in numeric else fact for fact in facts]
    assert check([sentence], changed), sentence


@settings(max_examples=100, deadline=None)
@given(chest_facts(), st.integers(0, 1000))
def test_a_text_with_sides_changed_is_wrong(facts: tuple[Fact, ...], seed: int) -> None:
    for sentence in write(facts, seed):
        text = sentence.text.lower().replace("right", "#").replace("left", "right").replace("#", "left")
        if text != sentence.text.lower() and "either" not in text and len(set(text.split()) & {"left", "right"}) == 1:
            assert check([Sentence(text, sentence.fact_ids)], facts), text


@given(POSITIVE)
def test_rounding_never_moves_a_value_by_more_than_half_a_step(value: float) -> None:
    for ways in WRITTEN.values():
        for way in ways:
            scaled = value * way.scale
            step = float(next((step for limit, step in way.steps if scaled < limit), way.steps[-1][1]))
            assert abs(float(way.number(value)) - scaled) <= step / 2.0 + 1e-9 * scaled


RIGHT = Fact("fluid_volume.right", Kind.FLUID_VOLUME, 243.0, "mL", "right")
LEFT = Fact("fluid_volume.left", Kind.FLUID_VOLUME, 0.0, "mL", "left")


@pytest.mark.parametrize(
    "text",
    [
        "A moderate effusion on the right, 250 mL.",
        "A moderate effusion on the left, 240 mL.",
        "A large effusion on the right, 240 mL.",
        "A moderate effusion on the right, 240 mm.",
        "No effusion on the right.",
        "A moderate effusion on the right, 240 mL and 3 cm.",
        "Fluid on the right.",
        "240 mL on the right.",
    ],
)
def test_each_kind_of_mistake_is_found(text: str) -> None:
    assert fault("A moderate effusion on the right, 240 mL.", (RIGHT,)) == ""
    assert fault(text, (RIGHT,))


def test_numbers_are_bound_to_sides_by_their_order() -> None:
    other = replace(RIGHT, id="fluid_volume.left", value=600.0, place="left")
    assert fault("Effusion: right 240 mL, left 600 mL.", (RIGHT, other)) == ""
    assert fault("Effusion: right 600 mL, left 240 mL.", (RIGHT, other))
    assert fault("Effusion: left 240 mL, right 600 mL.", (RIGHT, other))


def test_one_negation_may_stand_for_both_sides() -> None:
    assert fault("No pleural fluid on either side.", (replace(RIGHT, value=0.0), LEFT)) == ""
    assert fault("No pleural fluid on either side.", (RIGHT, LEFT))


def test_neither_patient_study_nor_source_enter_facts_or_text() -> None:
    values = np.random.default_rng(5).normal(100.0, 30.0, (20, 40, 40)).astype(np.float32)
    who = "MUELLER^ANNA"
    named = Volume(values, (3.0, 1.0, 1.0), Modality.MR, f"T2 {who} 19600101", who, "1.2.840.7", "/srv/a.nii")
    plain = replace(named, sequence="T2", patient="", study="", source="")
    assert facts_of(named) == facts_of(plain)
    for seed in range(30):
        text = " ".join(sentence.text for sentence in write(facts_of(named), seed)).lower()
        assert not any(part in text for part in ("mueller", "anna", "1.2.840", "srv", "nii", "1960"))


class _Says:
    def __init__(self, text: str) -> None:
        self.text = text

    def rewrite(self, text: str, seed: int) -> str:
        return self.text


ORIGINAL = Sentence("There is moderate fluid on the right, 240 mL.", (RIGHT.id,))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("On the right one sees moderate fluid of 240 mL.", False),  # "one" is a count that no fact has
        ("The right pleural space holds a moderate amount of fluid, about 240 mL.", True),
        ("The right pleural space holds a moderate amount of fluid, about 260 mL.", False),
        ("The left pleural space holds a moderate amount of fluid, about 240 mL.", False),
        ("The right pleural space holds no fluid.", False),
        ("Moderate fluid on the right, 240 mL, with pneumothorax.", False),
        ("The right pleural space of Anna holds moderate fluid, 240 mL.", False),
        ("", False),
        ("Fluid", False),
    ],
)
def test_a_rewrite_is_taken_only_where_no_fact_changes(said: str, kept: bool) -> None:
    (out,) = rewritten([ORIGINAL], [RIGHT], _Says(said), 0)
    assert (out.text == said) is kept, change(ORIGINAL.text, said, (RIGHT,))
    assert out.fact_ids == ORIGINAL.fact_ids
