"""Stage 4: resampler and decoder learn to write each sentence from its prompt; encoder and Z-former stay as are."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.msvlm.decoder import PROMPT_WORDS
from models.msvlm.distributed import device
from models.msvlm.loop import set_rate
from models.msvlm.network import Network
from models.msvlm.recorder import recorded
from models.msvlm.sentences import Licensed, every_prompt, made_answer, made_sentence, true_sentence
from models.msvlm.speak import speak
from models.msvlm.studies import EncodedStudy, pad
from models.msvlm.tokenizer import PAD, Tokenizer, as_text

STUDIES_PER_STEP = 8
ANSWERS = 0.5
"""Share of the sentences of a step that answer a question: as many as stand in reports (MS-VLM, stage 3)."""
OWN_SENTENCES = 0.3
"""Share of the report sentences that come from the studies' own reports."""
CHECKED_STUDIES = 4


class Fallbacks(NamedTuple):
    """Shares of all prompts for which the decoder says what the prompt does not license, or comes to no end."""

    unlicensed: float
    endless: float


def train_decoder(network: Network, studies: Sequence[EncodedStudy], folder: Path | None = None) -> float:
    """Trains resampler and decoder, then fits the choice of wordings; gives the mean of the last losses.

    Curves go to `folder`.
    """
    settings, seed = network.preset.decoder, network.preset.seed + 4
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    parameters = [p for p in _learned(network) if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=0.02)
    network.reader.to(device()).eval()
    network.decoder.to(device()).train()
    mean = 0.0
    with recorded("decoder", settings, folder) as record:
        for step in range(settings.steps):
            set_rate(optimiser, settings.rate, step, settings.steps)
            chosen = torch.randint(len(studies), (STUDIES_PER_STEP,), generator=generator).tolist()
            words, rows = _draw(network.tokenizer, [studies[i] for i in chosen], settings.batch, rng)
            visual = visual_tokens(network, [studies[i] for i in chosen])
            loss = sentence_loss(network.decoder(words[:, :-1], visual[rows]), words, network.tokenizer)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
            record(step, loss.item())
    fit_wordings(network, studies)
    network.reader.cpu()
    network.decoder.cpu().eval()
    return mean


def sentence_loss(logits: Tensor, words: Tensor, tokenizer: Tokenizer) -> Tensor:
    """Cross-entropy of the words after the prompt; logits [b, w, V] from words [b, w + 1]."""
    said = logits[:, PROMPT_WORDS - 1 :].flatten(0, 1)
    return cross_entropy(said, words[:, PROMPT_WORDS:].flatten(), ignore_index=tokenizer.number[PAD])


def visual_tokens(network: Network, studies: Sequence[EncodedStudy]) -> Tensor:
    """Visual tokens [b, Q, k] with gradients only through the resampler."""
    place = next(network.reader.parameters()).device
    with torch.no_grad():
        facts = network.reader.facts(*(value.to(place) for value in pad(studies).inputs))
    visual: Tensor = network.reader.resampler(*facts.resampler_inputs)
    return visual


@torch.no_grad()
def fit_wordings(network: Network, studies: Sequence[EncodedStudy]) -> None:
    """Fits how a study chooses among wordings to the visual tokens of these studies."""
    parts = [visual_tokens(network, studies[at : at + 8]) for at in range(0, len(studies), 8)]
    network.decoder.wording.fit(torch.cat(parts))


def fallbacks(network: Network, studies: Sequence[EncodedStudy]) -> Fallbacks:
    """How often a fixed sentence must stand in for the decoder's: every prompt, on the first few of these studies."""
    prompts, licensed = zip(*every_prompt(), strict=True)
    unlicensed = endless = count = 0
    for visual in visual_tokens(network, studies[:CHECKED_STUDIES]).detach():
        batch = visual.expand(len(prompts), -1, -1)
        said = speak(network.decoder, network.tokenizer, prompts, batch, network.preset.network.max_words)
        count += len(said)
        endless += sum(text is None for text in said)
        unlicensed += sum(text not in _written(allowed) for text, allowed in zip(said, licensed, strict=True) if text)
    return Fallbacks(unlicensed / count, endless / count)


def _written(sentences: Sequence[str]) -> set[str]:
    return {as_text(sentence.lower().split()) for sentence in sentences}


def _learned(network: Network) -> list[Tensor]:
    return [*network.reader.resampler.parameters(), *network.decoder.parameters()]


def _draw(
    tokenizer: Tokenizer, studies: Sequence[EncodedStudy], count: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Padded words [count, w] and the row of the study [count] that each sentence is learned with."""
    rows = [index % len(studies) for index in range(count)]
    words = [torch.tensor(tokenizer.encode(*_sentence(studies[row], rng))) for row in rows]
    padded = torch.nn.utils.rnn.pad_sequence(words, batch_first=True, padding_value=tokenizer.number[PAD])
    return padded.to(device()), torch.tensor(rows, device=device())


def _sentence(study: EncodedStudy, rng: np.random.Generator) -> Licensed:
    if rng.random() < ANSWERS:
        return made_answer(rng)
    if study.sentences and rng.random() < OWN_SENTENCES:
        return true_sentence(study.sentences[int(rng.integers(len(study.sentences)))])
    return made_sentence(rng)
