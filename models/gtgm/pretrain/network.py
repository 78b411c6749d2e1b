"""What is trained: encoder and text tower, each with a head into the common space, and the queue of earlier ones."""

from typing import cast

import torch
from torch import Tensor, nn

from models.gtgm.networks import embedding_width, new_encoder
from models.gtgm.pretrain.batches import ViewBatch
from models.gtgm.pretrain.gather import gathered
from models.gtgm.pretrain.losses import CORRELATION_SHARE, cross_correlation_loss, info_nce, retrieval
from models.gtgm.pretrain.preset import GtgmPreset
from models.gtgm.pretrain.queue import EmbeddingQueue
from models.gtgm.pretrain.sentence_encoder import FrozenSentenceEncoder, sentence_encoder_folder
from models.gtgm.pretrain.text_tower import TextTower, WordTransformer

HEAD_WIDTH = 256


class LossNotFinite(ArithmeticError):
    """The loss is infinite or not a number; says in which step, and what to try."""


class GtgmNetwork(nn.Module):
    """L = InfoNCE(v₁, t) + InfoNCE(v₂, t) + 0.01 · cross-correlation(v₁, v₂), or one part of it.

    v₁, v₂ and t are those of all processes; see `gather`.
    """

    def __init__(self, preset: GtgmPreset) -> None:
        super().__init__()
        self.preset = preset
        self.encoder = new_encoder(preset.encoder)
        self.text = _text_tower(preset)
        self.volume_head = new_head(embedding_width(preset.encoder), preset.embedding_width)
        self.text_head = new_head(self.text.width, preset.embedding_width)
        self.queue = EmbeddingQueue(preset.queue.size, preset.embedding_width, preset.queue.warm_up_steps)
        self.parts: dict[str, float] = {}
        """Terms of the last loss, and the share of texts that found their volume in the batch."""

    def forward(self, batch: ViewBatch) -> Tensor:
        """The loss of a batch; the queue takes it in."""
        first, second = self.embed_volumes(batch).chunk(2)
        if self.preset.loss == "correlation":
            return self._counted(correlation=CORRELATION_SHARE * cross_correlation_loss(first, second))
        texts, numbers = self.embed_texts(batch.texts), gathered(batch.numbers.to(first.device))
        contrastive = self._contrastive(first, texts, numbers) + self._contrastive(second, texts, numbers)
        self.queue.push(first.detach(), texts.detach(), numbers)
        self.parts["found"] = retrieval(first.detach(), texts.detach()).item()
        if self.preset.loss == "contrastive":
            return self._counted(contrastive=contrastive)
        correlation = CORRELATION_SHARE * cross_correlation_loss(first, second)
        return self._counted(contrastive=contrastive, correlation=correlation)

    def embed_volumes(self, batch: ViewBatch) -> Tensor:
        """Vectors [2n, width] in the common space, of all processes and not normalised, first views first.

        In inference mode those of this process alone: the leading process judges the run by itself.
        """
        place = next(self.parameters()).device
        # bfloat16 gradients of Conv3d are not finite on CPUs, so there everything is float32.
        with torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda"):
            features = self.encoder.embed(batch.channels(place))
        views = [self._of_all(view) for view in features.float().chunk(2)]
        return cast(Tensor, self.volume_head(torch.cat(views)))

    def embed_texts(self, texts: tuple[str, ...]) -> Tensor:
        """Vectors [n, width] in the common space, of all processes and not normalised."""
        return cast(Tensor, self.text_head(self._of_all(self.text(texts))))

    def _of_all(self, own: Tensor) -> Tensor:
        return gathered(own) if self.training else own

    def _contrastive(self, volumes: Tensor, texts: Tensor, numbers: Tensor) -> Tensor:
        earlier = self.queue.earlier()
        return info_nce(
            volumes,
            texts,
            numbers[:, None] == numbers[None, :],
            earlier.volumes,
            earlier.texts,
            numbers[:, None] == earlier.numbers[None, :],
        )

    def _counted(self, **terms: Tensor) -> Tensor:
        self.parts |= {name: term.item() for name, term in terms.items()}
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise LossNotFinite(f"the loss is {loss.item()} ({self.parts}): lower the rate, or look at the volumes")
        return loss


def new_head(width_in: int, width_out: int) -> nn.Sequential:
    """A head into the common space: two layers on features that are standardised over the batch.

    What all volumes, or all texts, have in common tells none of them apart: it is taken away first.
    """
    return nn.Sequential(
        nn.BatchNorm1d(width_in), nn.Linear(width_in, HEAD_WIDTH), nn.ReLU(), nn.Linear(HEAD_WIDTH, width_out)
    )


def _text_tower(preset: GtgmPreset) -> TextTower:
    if preset.text.kind == "sentence_encoder":
        return FrozenSentenceEncoder(sentence_encoder_folder())
    return WordTransformer(preset.text.channels, preset.text.heads, preset.text.layers)
