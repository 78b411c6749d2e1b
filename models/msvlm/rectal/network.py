"""The whole network with what belongs to it: preset, vocabulary, calibration; kept in one file when it is finished."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from models.msvlm.decoder import ReportDecoder
from models.msvlm.rectal.encoder import SeriesEncoder
from models.msvlm.rectal.items import STEPS
from models.msvlm.rectal.preset import SeriesPreset
from models.msvlm.rectal.reader import SeriesReader
from models.msvlm.rectal.sentences import Vocabulary
from models.msvlm.whole_file import save_whole


@dataclass(frozen=True)
class StepPoint:
    """How a step's logit becomes a probability: sigmoid(scale × logit + bias)."""

    scale: float = 1.0
    bias: float = 0.0


@dataclass
class SeriesNetwork:
    """Encoder, reader and decoder of one preset."""

    preset: SeriesPreset
    vocabulary: Vocabulary
    encoder: SeriesEncoder
    reader: SeriesReader
    decoder: ReportDecoder
    points: tuple[StepPoint, ...] = field(default_factory=lambda: (StepPoint(),) * STEPS)

    def parts(self) -> dict[str, nn.Module]:
        """The trainable parts by name."""
        return {"encoder": self.encoder, "reader": self.reader, "decoder": self.decoder}

    def eval(self) -> "SeriesNetwork":
        """All parts in inference mode."""
        for part in self.parts().values():
            part.eval()
        return self


def new_series_network(preset: SeriesPreset) -> SeriesNetwork:
    """An untrained network, the same for the same preset."""
    torch.manual_seed(preset.seed)
    vocabulary, shape = Vocabulary.of_reports(), preset.network
    decoder = ReportDecoder(shape, len(vocabulary.words))
    return SeriesNetwork(preset, vocabulary, SeriesEncoder(shape), SeriesReader(shape), decoder)


def save_network(network: SeriesNetwork, path: Path) -> None:
    """Writes weights, calibration and preset; a cut run leaves no half."""
    facts = {
        "preset": network.preset.model_dump_json(),
        "points": [vars(point) for point in network.points],
        **{name: part.state_dict() for name, part in network.parts().items()},
    }
    save_whole(facts, path)


def load_network(path: Path) -> SeriesNetwork:
    """The network of `save_network`, in inference mode."""
    facts = torch.load(path, weights_only=True)
    network = new_series_network(SeriesPreset.model_validate_json(facts["preset"]))
    for name, part in network.parts().items():
        part.load_state_dict(facts[name])
    network.points = tuple(StepPoint(**point) for point in facts["points"])
    return network.eval()
