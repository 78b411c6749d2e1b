"""A text of rectal staging is read back by words of its own, and held against the heads."""

import pytest

from models.msvlm.rectal.items import SCALES
from models.msvlm.rectal.read_back import distances_in, levels_in
from models.msvlm.rectal.sentences import licensed, plain_sentence
from models.phantoms.pelvis import Item
from pacs_agent.inference.report import POSSIBLE

ALL_LEVELS = [(scale.item, level) for scale in SCALES for level in range(len(scale.levels))]


@pytest.mark.parametrize(("item", "level"), ALL_LEVELS)
def test_every_wording_is_read_back_as_what_it_was_written_for(item: Item, level: int) -> None:
    for text in (*licensed()[item, level], plain_sentence(item, level)):
        assert levels_in(text) == levels_in(f"{POSSIBLE}{text}") == {item: {level}}, text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("It grows 3.5 mm beyond the muscularis propria (T2).", {Item.T_STAGE: {1, 2}}),
        ("EMVI negative. EMVI positive: tumour signal within an extramural vein.", {Item.EMVI: {0, 1}}),
        ("MRF involved, distance 0.6 mm.", {Item.CRM: {1}}),
        ("Circumferential margin free by 4.2 mm.", {Item.CRM: {0}}),
        ("Rectal mass of intermediate T2 signal with restricted diffusion.", {Item.TUMOUR: {1}}),
        ("Rectal tumour: T stage T3, location middle.", {Item.TUMOUR: {1}, Item.T_STAGE: {2}, Item.LOCATION: {1}}),
        ("The sphincter.", {}),
        ("The the of mm.", {}),
    ],
)
def test_words_that_no_report_has_are_read_as_they_stand(text: str, read: dict[Item, set[int]]) -> None:
    assert levels_in(text) == read


def test_distances_are_those_in_mm() -> None:
    assert distances_in("Margin free by 4.2 mm, 3 cm long, 12 mm deep, T3.") == [4.2, 12.0]
    assert distances_in("The margin is clear.") == []
