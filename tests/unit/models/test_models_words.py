"""Vocabulary and licensed sentences: what a prompt may lead to."""

import json

import numpy as np
import pytest

from models.msvlm.sentences import KINDS, every_prompt, made_answer, made_sentence, true_sentence, wordings
from models.msvlm.tokenizer import (
    ANSWER_KINDS,
    END,
    NORMAL_TAG,
    TAG_KINDS,
    Tokenizer,
    UnknownWord,
    answer_tag,
    as_text,
    tag,
)
from models.phantoms.findings import FINDINGS, Attributes, Count, Finding, Grade, Lobe, Side
from models.phantoms.report import TrueSentence
from models.phantoms.wording import all_said, fill
from pacs_agent.inference.attributes import prompt_words
from pacs_agent.inference.tokenizer import Tokenizer as AgentTokenizer

NODULES = Attributes(frozenset({Side.RIGHT}), frozenset({Lobe.RIGHT_UPPER}), Grade.SLIGHT, Count.FEW)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.of_wordings()


def test_every_licensed_sentence_survives_the_round_trip(tokenizer):
    sentences = {(words, text) for words, licensed in every_prompt() for text in licensed}
    assert len(sentences) > 5000
    for words, text in sentences:
        numbers = tokenizer.encode(words, text)
        assert numbers[-1] == tokenizer.number[END] and len(numbers) <= 4 + 40 + 1
        assert tokenizer.decode(numbers) == as_text(text.lower().split())


def test_the_agent_reads_the_file_and_misses_no_word(tokenizer):
    facts = AgentTokenizer.model_validate(json.loads(tokenizer.to_json()))
    assert facts.missing_tags(FINDINGS) == []
    assert {tag(kind, finding) for kind in TAG_KINDS for finding in FINDINGS} <= set(facts.tags)
    assert {answer_tag(kind, finding) for kind in ANSWER_KINDS for finding in FINDINGS} <= set(facts.tags)
    assert {NORMAL_TAG, *prompt_words()} <= set(facts.tags)
    assert Tokenizer.from_json(tokenizer.to_json()) == tokenizer


def test_both_write_the_same_text(tokenizer):
    agent = AgentTokenizer.model_validate(json.loads(tokenizer.to_json()))
    for words, text in [made_sentence(np.random.default_rng(seed)) for seed in range(50)]:
        numbers = tokenizer.encode(words, text)
        assert agent.sentence(numbers) == tokenizer.decode(numbers)


def test_words_are_unique(tokenizer):
    assert len(set(tokenizer.words)) == len(tokenizer.words)


def test_an_unknown_word_is_named(tokenizer):
    with pytest.raises(UnknownWord, match="broken"):
        tokenizer.encode([tag("present", Finding.LUNG_NODULE)], "A broken leg .")


def test_capitals_stay(tokenizer):
    numbers = tokenizer.encode([NORMAL_TAG], "Normal CT of the chest .")
    assert tokenizer.decode(numbers) == "Normal CT of the chest."


def test_a_true_sentence_has_the_prompt_of_its_attributes():
    text = fill(Finding.LUNG_NODULE, "{q} {grade} nodule{s} {in_} .", NODULES)
    licensed = true_sentence(TrueSentence("present", Finding.LUNG_NODULE, text, NODULES))
    assert licensed.prompt == (
        "<present:lung_nodule>",
        "<place:right upper lobe>",
        "<grade:0>",
        "<count:few>",
    )
    assert licensed.text == "A few small nodules in the right upper lobe ."
    normal = true_sentence(TrueSentence("impression", None, "Normal CT of the chest ."))
    assert normal.prompt == (NORMAL_TAG, "<place:none>", "<grade:none>", "<count:none>")


def test_made_sentences_cover_every_kind_and_finding():
    rng = np.random.default_rng(0)
    tags = {made_sentence(rng).prompt[0] for _ in range(2500)}
    assert tags == {*(tag(kind, finding) for kind in KINDS for finding in FINDINGS), NORMAL_TAG}


def test_a_made_sentence_is_licensed_by_its_prompt():
    licensed = dict(every_prompt())
    rng = np.random.default_rng(1)
    for words, text in (make(rng) for _ in range(200) for make in (made_sentence, made_answer)):
        assert text in licensed[words]


def test_absence_and_doubt_name_no_place_whatever_the_prompt_says():
    for kind in ("absent", "uncertain"):
        said = all_said(Finding.LUNG_NODULE)
        assert len({tuple(wordings(kind, Finding.LUNG_NODULE, each)) for each in said}) == 1
