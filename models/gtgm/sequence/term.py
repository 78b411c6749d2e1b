"""The term on slice-token sequences: the reader's features of two views agree, and each finds the study's text."""

import torch
from torch import Tensor, nn

from models.gtgm.pretrain.losses import CORRELATION_SHARE, cross_correlation_loss, info_nce
from models.gtgm.pretrain.network import LossNotFinite, new_head
from models.gtgm.pretrain.queue import EmbeddingQueue
from models.gtgm.pretrain.text_tower import WordTransformer
from models.gtgm.sequence.settings import SequenceSettings
from models.msvlm.reader import StudyReader
from models.msvlm.relation import log_span, study_geometry
from models.msvlm.studies import StudyBatch


class SequenceTerm(nn.Module):
    """L = InfoNCE(s₁, t) + InfoNCE(s₂, t) + 0.01 · cross-correlation(s₁, s₂) over studies, or one part of it."""

    def __init__(self, reader: StudyReader, settings: SequenceSettings) -> None:
        super().__init__()
        width = reader.predict_token.in_features
        self.settings, self.reader = settings, reader
        self.text = WordTransformer(settings.text_channels, settings.text_heads, settings.text_layers)
        self.pool = nn.Linear(width, 1)
        self.study_head = new_head(2 * width, settings.embedding_width)
        self.text_head = new_head(self.text.width, settings.embedding_width)
        self.queue = EmbeddingQueue(settings.queue, settings.embedding_width, settings.queue_warm_up_steps)

    def forward(self, first: StudyBatch, second: StudyBatch, texts: tuple[str, ...], numbers: Tensor) -> Tensor:
        """The loss of two views of n studies with their texts; the queue takes the batch in."""
        views = [self.embed_studies(view) for view in (first, second)]
        loss = views[0].new_zeros(())
        if self.settings.loss != "correlation":
            loss = loss + self._contrastive(views, self.text_head(self.text(texts)), numbers)
        if self.settings.loss != "contrastive":
            loss = loss + CORRELATION_SHARE * cross_correlation_loss(views[0], views[1])
        if not torch.isfinite(loss):
            raise LossNotFinite(f"the loss is {loss.item()}: lower the rate, or look at the tokens")
        return loss

    def embed_studies(self, batch: StudyBatch) -> Tensor:
        """Vectors [b, width] of studies: their features over mm, as a mean and where the pool looks."""
        features, spans = sequence_features(self.reader, batch)
        everywhere = torch.softmax(spans, dim=1)
        somewhere = torch.softmax(spans + self.pool(features)[..., 0], dim=1)
        pooled = [torch.einsum("bl,blw->bw", weights, features) for weights in (everywhere, somewhere)]
        embedded: Tensor = self.study_head(torch.cat(pooled, dim=1))
        return embedded

    def _contrastive(self, views: list[Tensor], texts: Tensor, numbers: Tensor) -> Tensor:
        earlier, same = self.queue.earlier(), numbers[:, None] == numbers[None, :]
        same_earlier = numbers[:, None] == earlier.numbers[None, :]
        terms = [info_nce(view, texts, same, earlier.volumes, earlier.texts, same_earlier) for view in views]
        self.queue.push(views[0].detach(), texts.detach(), numbers)
        return torch.stack(terms).sum()


def sequence_features(reader: StudyReader, batch: StudyBatch) -> tuple[Tensor, Tensor]:
    """The Z-former's features [b, L, width] and the logarithm of the mm that each slice stands for [b, L].

    The encoder's own slice logits take part, but are not moved.
    """
    tokens, z_mm, plane, sequence, phase, mask = batch.inputs
    geometry = study_geometry(z_mm, plane, sequence, phase, mask)
    standard = reader.standardise(tokens)
    streams = reader.relation(standard, reader.heads.skip(tokens).detach(), geometry)
    features: Tensor = reader.zformer(standard, streams, geometry, plane, sequence, phase)
    return features, log_span(geometry)
