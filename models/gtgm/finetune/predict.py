"""Whole volumes through a trained network, by the functions with which the agent segments a study."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.gtgm.finetune.examples import Example
from models.gtgm.finetune.heads import Segmenter
from models.gtgm.finetune.instances import Grouping, instances_of
from models.gtgm.volume import Modality
from models.msvlm.distributed import device
from pacs_agent.inference.segment import Network, Windows, body_of, probabilities_of


def predicted(
    network: Segmenter, example: Example, windows: Windows, grouping: Grouping = "watershed"
) -> NDArray[np.uint8] | NDArray[np.uint32]:
    """Labels [z, y, x] of a volume, or its instances where the network gives affinities."""
    if network.output == "affinities":
        return instances_of(affinities(network, example, windows), grouping)
    return probabilities(network, example, windows).argmax(0).astype(np.uint8)


def probabilities(network: Segmenter, example: Example, windows: Windows) -> NDArray[np.float16]:
    """Probabilities of the classes [classes, z, y, x]."""
    values, outputs = example.values.astype(np.float32), network.last.out_channels
    where = body_of(values) if example.modality is Modality.CT else None
    return probabilities_of(values, as_function(network), outputs, windows, where)


def affinities(network: Segmenter, example: Example, windows: Windows) -> NDArray[np.float16]:
    """Probabilities of affinities [offsets, z, y, x]."""
    values = example.values.astype(np.float32)
    return probabilities_of(values, as_function(network), network.last.out_channels, windows)


def as_function(network: Segmenter) -> Network:
    """The network as a function of arrays: patches [n, 1, d, h, w] → probabilities [n, outputs, d, h, w]."""
    on_gpu = device().type == "cuda"  # on some CPUs, transposed convolutions in bfloat16 are an illegal instruction

    @torch.inference_mode()
    def run(patches: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.autocast(device().type, torch.bfloat16, enabled=on_gpu):
            logits = network(torch.from_numpy(patches).to(device()))
        shares = logits.float().softmax(1) if network.output == "classes" else logits.float().sigmoid()
        return shares.cpu().numpy()

    return run
