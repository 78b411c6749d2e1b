"""The items of rectal staging: levels, the steps between them, and the sentences that they license."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.msvlm.rectal.items import (
    ITEM_OF_STEP,
    OF_TUMOUR,
    SCALES,
    SEVEN,
    STEPS,
    Told,
    UnknownLevel,
    level_probabilities,
    scale_of,
    step_targets,
    steps_of,
    told_of,
)
from models.msvlm.rectal.sentences import SLOT, Vocabulary, licensed, plain_sentence, written
from models.phantoms.pelvis import Item, grow_pelvis
from pacs_agent.inference.staging.words import filled

ANY = st.sampled_from([(scale.item, level) for scale in SCALES for level in range(len(scale.levels))])
PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=STEPS, max_size=STEPS)


def test_the_steps_of_the_items_cover_the_axis_once():
    places = [place for scale in SCALES for place in range(STEPS)[steps_of(scale.item)]]
    assert places == list(range(STEPS)) and len(ITEM_OF_STEP) == STEPS
    assert len(SEVEN) == 7 and set(SEVEN) > OF_TUMOUR


@given(ANY)
def test_a_level_takes_the_steps_below_it_and_leaves_those_above_unknown(told):
    item, level = told
    taken, known = step_targets({item: Told(level)})
    own = steps_of(item)
    assert taken[own].sum() == level and taken.sum() == level
    assert known[own].sum() == min(level + 1, len(scale_of(item).levels) - 1) == known.sum()


def test_at_least_a_level_says_nothing_of_the_steps_above():
    taken, known = step_targets({Item.SPHINCTER: Told(1, is_exact=False)})
    assert taken[steps_of(Item.SPHINCTER)].tolist() == [1, 0, 0]
    assert known[steps_of(Item.SPHINCTER)].tolist() == [True, False, False]


def test_a_level_that_an_item_does_not_have_is_refused():
    with pytest.raises(UnknownLevel, match="t_stage is 4; its levels are T1, T2, T3, T4"):
        step_targets({Item.T_STAGE: Told(4)})


@given(PROBABILITIES)
def test_the_levels_of_every_item_are_a_distribution(steps):
    for item, levels in level_probabilities(np.array(steps)).items():
        assert levels.shape == (len(scale_of(item).levels),)
        assert (levels >= -1e-12).all() and levels.sum() == pytest.approx(1.0)


@given(ANY)
def test_sure_steps_give_back_the_level(told):
    item, level = told
    taken, _ = step_targets({item: Told(level)})
    assert level_probabilities(taken.astype(float))[item].argmax() == level


def test_what_a_phantom_tells_is_its_truth():
    for stage in (1, 4):
        truth = grow_pelvis(31, t_stage=stage, voxel_mm=3.0).truth
        told = told_of(truth)
        assert set(told) == {scale.item for scale in SCALES}
        assert scale_of(Item.T_STAGE).levels[told[Item.T_STAGE].level] == f"T{truth.items['t_stage']}"
        assert told[Item.CRM].level == truth.items["crm_involved"]
        assert (told[Item.SPHINCTER].level > 0) == truth.items["sphincter_involvement"]
    healthy = told_of(grow_pelvis(31, tumour=False, voxel_mm=3.0).truth)
    assert set(healthy) == {Item.TUMOUR, Item.NODES} and healthy[Item.TUMOUR].level == 0


def test_every_level_licenses_a_sentence_and_no_sentence_a_number():
    for (item, level), texts in licensed().items():
        assert texts, (item, level)
        for text in texts:
            assert not any(word.isdigit() for word in text.replace(".", " ").split()), text
            assert "T3b" not in text and "vagina" not in text and "circumferential tumour" not in text


def test_no_sentence_is_licensed_by_two_levels_of_an_item():
    for scale in SCALES:
        texts = [text for level in range(len(scale.levels)) for text in licensed()[scale.item, level]]
        assert len(texts) == len(set(texts)), scale.item


def test_words_give_back_the_sentence():
    vocabulary = Vocabulary.of_reports()
    for (item, level), texts in licensed().items():
        for text in texts:
            numbers = vocabulary.encode(item, level, text)
            assert vocabulary.decode(numbers[1:]) == text
    assert vocabulary.decode(numbers[1:-1]) is None


def test_slots_are_filled_in_order_or_the_sentence_is_not_said():
    assert filled(f"from {SLOT} to {SLOT} mm", ["3", "4.5"]) == "from 3 to 4.5 mm"
    assert filled(f"distance {SLOT} mm", []) is None
    assert plain_sentence(Item.T_STAGE, 2) == "T stage: T3."
    assert written(["involved", "(", "T3", ")", "."]) == "Involved (T3)."
