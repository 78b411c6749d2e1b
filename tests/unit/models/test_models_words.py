import json

import pytest

from models.msvlm.extract import findings_in, side_in
from models.msvlm.tokenizer import END, NORMAL_TAG, Tokenizer, UnknownWord, tag
from models.phantoms import FINDINGS, Finding, generate
from models.phantoms.wording import WORDINGS


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.of_wordings()


@pytest.mark.parametrize("seed", range(12))
def test_every_true_sentence_survives_the_round_trip(tokenizer, seed):
    for sentence in generate(seed, slices=2, size_px=64).sentences:
        first = tag(sentence.kind, sentence.finding) if sentence.finding else NORMAL_TAG
        numbers = tokenizer.encode(first, sentence.text)
        assert numbers[-1] == tokenizer.number[END]
        assert tokenizer.decode(numbers) == sentence.text.replace(" .", ".").replace(" ,", ",")


def test_the_file_holds_all_an_agent_needs(tokenizer):
    facts = json.loads(tokenizer.to_json())
    for finding in FINDINGS:
        for kind in ("present", "absent", "uncertain", "impression"):
            first = f"<{kind}:{finding}>"
            assert facts["words"][facts["tags"][first]] == first
    assert facts["words"][facts["end"]] == "<end>"
    assert Tokenizer.from_json(tokenizer.to_json()) == tokenizer


def test_words_are_unique(tokenizer):
    assert len(set(tokenizer.words)) == len(tokenizer.words)


def test_an_unknown_word_is_named(tokenizer):
    with pytest.raises(UnknownWord, match="broken"):
        tokenizer.encode(tag("present", Finding.LUNG_NODULE), "A broken leg .")


@pytest.mark.parametrize("finding", FINDINGS)
def test_wordings_of_absence_and_doubt_state_nothing(finding):
    for sentence in (*WORDINGS[finding].absent, *WORDINGS[finding].uncertain):
        assert findings_in(sentence) == set()


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("There is a large left pleural effusion.", {Finding.PLEURAL_EFFUSION}),
        ("There is no pleural effusion.", set()),
        ("The heart is not enlarged.", set()),
        ("Heart size is normal.", set()),
        ("Cardiomegaly.", {Finding.CARDIOMEGALY}),
        ("Extensive coronary artery calcification.", {Finding.CORONARY_CALCIFICATION}),
        ("Mild wall calcification of the aortic arch.", {Finding.ARTERIAL_CALCIFICATION}),
        ("A lung nodule cannot be excluded.", set()),
        ("", set()),
    ],
)
def test_labels_read_from_text(sentence, found):
    assert findings_in(sentence) == found


def test_sides_read_from_text():
    assert side_in("A bilateral effusion.") == "bilateral"
    assert side_in("In the right middle lobe.") == "right"
    assert side_in("Cardiomegaly.") is None
