"""The whole network with what belongs to it: preset, tokenizer, calibration; kept in one file between stages."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from models.msvlm.decoder import Decoder, ReportDecoder
from models.msvlm.encoder import new_encoder
from models.msvlm.preset import Preset
from models.msvlm.reader import StudyReader
from models.msvlm.tokenizer import Tokenizer
from models.msvlm.whole_file import save_whole
from models.phantoms.findings import FINDINGS


@dataclass(frozen=True)
class OperatingPoint:
    """How a finding's logit becomes a statement; see `FindingEntry` of the manifest."""

    scale: float = 1.0
    bias: float = 0.0
    operating_point: float = 0.5
    uncertain_from: float = 0.25
    side_from: float = 0.0
    lobe_from: float = 0.0
    """The logit from which a side or a lobe is said."""


@dataclass
class Network:
    """Encoder, reader and decoder of one preset."""

    preset: Preset
    tokenizer: Tokenizer
    encoder: nn.Module
    reader: StudyReader
    decoder: Decoder
    points: tuple[OperatingPoint, ...] = field(default_factory=lambda: tuple(OperatingPoint() for _ in FINDINGS))

    def parts(self) -> dict[str, nn.Module]:
        """The trainable parts by name."""
        return {"encoder": self.encoder, "reader": self.reader, "decoder": self.decoder}

    def eval(self) -> "Network":
        """All parts in inference mode."""
        for part in self.parts().values():
            part.eval()
        return self


def new_decoder(preset: Preset, tokenizer: Tokenizer) -> Decoder:
    """The decoder that the preset asks for, untrained."""
    stage, shape = preset.decoder, preset.network
    if stage.kind == "scratch":
        return ReportDecoder(shape, len(tokenizer.words))
    # Not at the top: it takes seconds to import, and few networks need it.
    from models.msvlm.language_model import language_model_decoder

    return language_model_decoder(shape, tokenizer.words, stage.base, stage.lora_rank, preset.seed)


def new_network(preset: Preset) -> Network:
    """An untrained network, the same for the same preset."""
    torch.manual_seed(preset.seed)
    tokenizer, shape = Tokenizer.of_wordings(), preset.network
    decoder = new_decoder(preset, tokenizer)
    return Network(preset, tokenizer, new_encoder(shape), StudyReader(shape), decoder)


def save_network(network: Network, path: Path) -> None:
    """Writes weights, vocabulary, calibration and preset; a cut run leaves no half."""
    facts = {
        "preset": network.preset.model_dump_json(),
        "tokenizer": network.tokenizer.to_json(),
        "points": [vars(point) for point in network.points],
        **{name: part.state_dict() for name, part in network.parts().items()},
    }
    save_whole(facts, path)


def load_network(path: Path) -> Network:
    """The network of `save_network`, in inference mode."""
    facts = torch.load(path, weights_only=True)
    network = new_network(Preset.model_validate_json(facts["preset"]))
    if network.tokenizer.to_json() != facts["tokenizer"]:
        network.tokenizer = Tokenizer.from_json(facts["tokenizer"])
        network.decoder = new_decoder(network.preset, network.tokenizer)
    for name, part in network.parts().items():
        part.load_state_dict(facts[name])
    network.points = tuple(OperatingPoint(**point) for point in facts["points"])
    return network.eval()
