"""Bridge and decoder learn to write each item's sentence from its prompt; encoder and reader stay as they are."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from models.msvlm.distributed import device
from models.msvlm.loop import Stage, run_stage, step_seed
from models.msvlm.losses import sentence_loss
from models.msvlm.rectal.network import SeriesNetwork
from models.msvlm.rectal.sentences import PAD, Vocabulary, licensed
from models.msvlm.rectal.studies import SeriesBatch, SeriesStudy, pad, some_series

STUDIES_PER_STEP = 4
PROCESS = 8
WEIGHT_DECAY = 0.02


class SentenceBatch(NamedTuple):
    """Studies, words [n, w + 1] from prompt to end, and the study each sentence is learned with [n]."""

    studies: SeriesBatch
    words: Tensor
    rows: Tensor


class SentenceLearning(nn.Module):
    """Bridge and decoder; the reader beside them is not learned."""

    def __init__(self, network: SeriesNetwork) -> None:
        super().__init__()
        self.bridge, self.decoder = network.reader.bridge, network.decoder
        self.pad = network.vocabulary.number[PAD]
        self._reader = [network.reader]

    def forward(self, batch: SentenceBatch, step: int) -> Tensor:
        """Loss of a batch."""
        with torch.no_grad():
            read = self._reader[0].read(batch.studies.placed(device()).inputs)
        visual, words = self.bridge(*read.for_bridge)[batch.rows], batch.words.to(device())
        return sentence_loss(self.decoder(words[:, :-1], visual), words, self.pad)


def train_sentences(network: SeriesNetwork, studies: Sequence[SeriesStudy], folder: Path) -> None:
    """Trains bridge and decoder in place, then fits the choice of wordings; goes on from a checkpoint in `folder`."""
    preset = network.preset
    network.reader.to(device()).eval()
    network.decoder.to(device()).train()
    learned = SentenceLearning(network)

    def batches(steps: range) -> Iterator[SentenceBatch]:
        for step in steps:
            rng = np.random.default_rng(step_seed(preset.seed, PROCESS, step))
            chosen = [studies[index] for index in rng.integers(len(studies), size=STUDIES_PER_STEP)]
            words, rows = _sentences(network.vocabulary, preset.decoder.batch, rng)
            yield SentenceBatch(pad(chosen, [some_series(study, 0.5, 0.5, rng) for study in chosen]), words, rows)

    stage = Stage(
        *("decoder", preset.decoder, learned, batches, learned),
        weight_decay=WEIGHT_DECAY,
        speed="sentences_per_s",
    )
    run_stage(stage, folder, preset.decoder.checkpoint_every)
    _fit_wordings(network, studies)
    network.reader.cpu()
    network.decoder.cpu().eval()


@torch.no_grad()
def _fit_wordings(network: SeriesNetwork, studies: Sequence[SeriesStudy]) -> None:
    """Fits how a study chooses among wordings to the visual tokens of these studies."""
    parts = [network.reader.read(pad([study]).placed(device()).inputs).for_bridge for study in studies]
    network.decoder.wording.fit(torch.cat([network.reader.bridge(*part) for part in parts]))


def _sentences(vocabulary: Vocabulary, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random prompts with a sentence that each licenses: padded words, and the study that each is learned with.

    What a sentence says is in its prompt; of the study it learns no more than a manner of speaking.
    """
    known = list(licensed().items())
    lines = []
    for place in rng.integers(len(known), size=count):
        (item, level), texts = known[place]
        lines.append(torch.tensor(vocabulary.encode(item, level, texts[rng.integers(len(texts))])))
    rows = torch.from_numpy(rng.integers(STUDIES_PER_STEP, size=count))
    return pad_sequence(lines, batch_first=True, padding_value=vocabulary.number[PAD]), rows
