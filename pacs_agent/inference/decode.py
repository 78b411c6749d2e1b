"""Sentences from tags and visual tokens: greedy, word by word with a key/value cache, all sentences as one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs_agent.inference.read import Floats
from pacs_agent.inference.refusal import ModelFailed
from pacs_agent.inference.sessions import Graph
from pacs_agent.inference.tokenizer import Tokenizer


@dataclass(frozen=True)
class Spoken:
    """What the decoder says after one tag, and whether it came to an end: what did not is no sentence."""

    text: str
    ended: bool


def decode_sentences(
    decoder: Graph, tokenizer: Tokenizer, tags: Sequence[str], visual_tokens: Floats, max_words: int
) -> list[Spoken]:
    """What is said after each tag, in at most `max_words` words. `visual_tokens` [Q, k]. Raises ModelFailed."""
    if not tags:
        return []
    first = np.array([[tokenizer.tags[tag]] for tag in tags], np.int64)
    numbers = _decode(decoder, first, visual_tokens, tokenizer.end, max_words)
    return [Spoken(tokenizer.sentence(row), tokenizer.end in row) for row in numbers.tolist()]


def _decode(
    decoder: Graph, first: NDArray[np.int64], visual_tokens: Floats, end: int, max_words: int
) -> NDArray[np.int64]:
    """Numbers of the words after the first ones [b, 1], shape [b, at most max_words]; stops once all have ended."""
    batch = len(first)
    visual = np.broadcast_to(visual_tokens, (batch, *visual_tokens.shape))
    keys: Floats = _empty_cache(decoder, batch)
    values = keys
    spoken = [first]
    ended = np.zeros(batch, np.bool_)
    while len(spoken) <= max_words and not ended.all():
        past = {"past_keys": keys, "past_values": values}
        outputs = decoder.run({"word": spoken[-1], "visual_tokens": visual, **past})
        keys, values = outputs["keys"], outputs["values"]
        spoken.append(outputs["logits"].argmax(axis=1).astype(np.int64)[:, None])
        ended |= spoken[-1][:, 0] == end
    return np.concatenate(spoken[1:], axis=1) if len(spoken) > 1 else np.empty((batch, 0), np.int64)


def _empty_cache(decoder: Graph, batch: int) -> Floats:
    """The cache before the first word, f32 [layers, b, heads, 0, width]."""
    layers, _, heads, _, width = decoder.input_shape("past_keys")
    if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(width, int)):
        raise ModelFailed(decoder.name, f"past_keys declares no fixed layers, heads and width: {layers, heads, width}")
    return np.zeros((layers, batch, heads, 0, width), np.float32)
