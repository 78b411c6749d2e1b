"""How long, how fast and with which terms the reader learns from unreported studies."""

from typing import Literal

from models.msvlm.preset import StageSettings


class SequenceSettings(StageSettings):  # type: ignore[misc]  # models are not followed by mypy
    """The stage that stands between masked embedding modelling and the findings."""

    steps: int = 150
    batch: int = 24
    rate: float = 6.0e-4
    loss: Literal["both", "contrastive", "correlation"] = "both"
    embedding_width: int = 96
    text_channels: int = 64
    text_heads: int = 4
    text_layers: int = 2
    queue: int = 96
    queue_warm_up_steps: int = 30
