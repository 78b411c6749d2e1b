"""Stage 4: resampler and decoder learn to write each sentence from its tag; encoder and Z-former stay as they are."""

from collections.abc import Sequence

import torch
from rich.progress import track
from torch import Tensor

from models.msvlm.losses import sentence_loss
from models.msvlm.network import Network
from models.msvlm.stage_encoder import set_rate
from models.msvlm.studies import EncodedStudy, StudyBatch, pad, random_batch
from models.msvlm.tokenizer import PAD, Tokenizer, tag
from models.phantoms import FINDINGS
from models.phantoms.wording import WORDINGS

STUDIES_PER_STEP = 16


def sentence_words(tokenizer: Tokenizer, study: EncodedStudy) -> list[list[int]]:
    """Numbers of all sentences a study teaches: its report, and what would be said of an uncertain finding."""
    uncertain = [(tag("uncertain", finding), WORDINGS[finding].uncertain[0]) for finding in FINDINGS]
    return [tokenizer.encode(first, text) for first, text in (*study.sentences, *uncertain)]


def _draw(
    sentences: Sequence[list[list[int]]], chosen: Sequence[int], count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Padded words [count, w] and the row of the study each belongs to; sentences with facts come more often."""
    rows, words = [], []
    for row, study in enumerate(chosen):
        longest_first = sorted(sentences[study], key=len, reverse=True)
        for _ in range(count // len(chosen)):
            among = longest_first[:8] if torch.rand(1, generator=generator).item() < 0.7 else longest_first
            rows.append(row)
            words.append(torch.tensor(among[int(torch.randint(len(among), (1,), generator=generator))]))
    return torch.nn.utils.rnn.pad_sequence(words, batch_first=True), torch.tensor(rows)


def train_decoder(network: Network, studies: Sequence[EncodedStudy]) -> float:
    """Trains resampler and decoder; gives the last loss."""
    preset, generator = network.preset, torch.Generator().manual_seed(network.preset.seed + 4)
    amounts, sentences = preset.decoder, [sentence_words(network.tokenizer, study) for study in studies]
    parameters = [*network.reader.resampler.parameters(), *network.decoder.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=amounts.rate, weight_decay=0.02)
    pad_number, mean = network.tokenizer.number[PAD], 0.0
    for step in track(range(amounts.steps), "decoder"):
        set_rate(optimiser, amounts.rate, step, amounts.steps)
        chosen = torch.randint(len(studies), (STUDIES_PER_STEP,), generator=generator).tolist()
        words, rows = _draw(sentences, chosen, amounts.batch, generator)
        visual = visual_tokens(network, random_batch_of(studies, chosen, generator))
        loss = sentence_loss(network.decoder(words[:, :-1], visual[rows]), words, pad_number)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
    return mean


def random_batch_of(studies: Sequence[EncodedStudy], chosen: Sequence[int], generator: torch.Generator) -> StudyBatch:
    """The chosen studies with random slices dropped."""
    parts = [random_batch([studies[i]], 1, generator) for i in chosen]
    whole = [
        EncodedStudy(part.tokens[0], part.z_mm[0], part.slices[0], part.labels[0], studies[i].sentences)
        for part, i in zip(parts, chosen, strict=True)
    ]
    return pad(whole)


def visual_tokens(network: Network, batch: StudyBatch) -> Tensor:
    """Visual tokens [b, Q, k] with gradients only through the resampler."""
    reader = network.reader
    with torch.no_grad():
        facts = reader.facts(*batch.inputs)
    return reader.resampler(*facts.resampler_inputs)
