"""Sentences from prompts and visual tokens: greedy, word by word with a key/value cache, all sentences as one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs_agent.inference.read import Floats
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.tokenizer import Tokenizer

Words = NDArray[np.int64]
"""Numbers of words [b], one for each sentence."""


@dataclass(frozen=True)
class Spoken:
    """What the decoder says after one prompt, and whether it came to an end: what did not is no sentence."""

    text: str
    ended: bool


def decode_sentences(
    decoder: Graph, tokenizer: Tokenizer, prompts: Sequence[Sequence[str]], visual_tokens: Floats, max_words: int
) -> list[Spoken]:
    """What is said after each prompt (all of one length), in at most `max_words` words. `visual_tokens` [Q, k].

    Raises ModelFailed for a prompt that the vocabulary does not have, and when the decoder stops.
    """
    if not prompts:
        return []
    try:
        given = np.array([tokenizer.numbers(prompt) for prompt in prompts], np.int64)
    except KeyError as error:
        raise ModelFailed(decoder.name, f"the vocabulary has no word {error}") from error
    numbers = continued(decoder, visual_tokens, given, tokenizer.end, max_words)
    return [Spoken(tokenizer.sentence(row), tokenizer.end in row) for row in numbers.tolist()]


def continued(graph: Graph, visual_tokens: Floats, given: Words, end: int, max_words: int) -> Words:
    """Numbers of the words after the prompts [b, p], shape [b, at most max_words]; stops once all have ended.

    `visual_tokens` [Q, k]. Raises ModelFailed.
    """
    decoder = _Decoder(graph, visual_tokens, len(given))
    for words in given.T:
        word = decoder.next(words)
    spoken, ended = [word], word == end
    while len(spoken) < max_words and not ended.all():
        spoken.append(decoder.next(spoken[-1]))
        ended |= spoken[-1] == end
    return np.stack(spoken, axis=1)


class _Decoder:
    """The decoder with its growing cache, for b sentences on one study."""

    def __init__(self, graph: Graph, visual_tokens: Floats, batch: int) -> None:
        self._graph = graph
        self._visual = np.broadcast_to(visual_tokens, (batch, *visual_tokens.shape))
        self._keys = self._values = _empty_cache(graph, batch)

    def next(self, words: Words) -> Words:
        """The likeliest words [b] after the words [b]."""
        past = {"past_keys": self._keys, "past_values": self._values}
        outputs = self._graph.run({"word": words[:, None], "visual_tokens": self._visual, **past})
        self._keys, self._values = outputs["keys"], outputs["values"]
        likeliest: Words = outputs["logits"].argmax(axis=1).astype(np.int64)
        return likeliest


def _empty_cache(decoder: Graph, batch: int) -> Floats:
    """The cache before the first word, f32 [layers, b, heads, 0, width]."""
    layers, _, heads, _, width = decoder.input_shape("past_keys")
    if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(width, int)):
        raise ModelFailed(decoder.name, f"past_keys declares no fixed layers, heads and width: {layers, heads, width}")
    return np.zeros((layers, batch, heads, 0, width), np.float32)
