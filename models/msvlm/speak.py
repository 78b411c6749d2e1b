"""Sentences from prompts with the decoder as trained; the exported one speaks in `runtime.py` and in the agent."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.msvlm.decoder import Decoder
from models.msvlm.tokenizer import END, Tokenizer


@torch.no_grad()
def speak(
    decoder: Decoder,
    tokenizer: Tokenizer,
    prompts: Sequence[Sequence[str]],
    visual_tokens: Tensor,
    max_words: int,
) -> list[str | None]:
    """One sentence per prompt and study [b, Q, k], all as one batch; None where one comes to no end."""
    prompted = torch.tensor([[tokenizer.number[word] for word in prompt] for prompt in prompts])
    keys, values = decoder.empty_cache(len(prompts))
    for column in prompted.T:
        logits, keys, values = decoder.step(column[:, None], visual_tokens, keys, values)
    words = [logits.argmax(1)]
    ended = words[0] == tokenizer.number[END]
    while len(words) < max_words and not ended.all():
        logits, keys, values = decoder.step(words[-1][:, None], visual_tokens, keys, values)
        words.append(logits.argmax(1))
        ended |= words[-1] == tokenizer.number[END]
    rows = torch.stack(words, dim=1).tolist()
    return [tokenizer.decode(row) if over else None for row, over in zip(rows, ended.tolist(), strict=True)]
