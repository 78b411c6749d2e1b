"""What reading ahead shares with the jobs of its worker, so that a model is in memory once."""

from dataclasses import dataclass

from pacs_agent.imaging import DecodingPool, RecentHeaders
from pacs_agent.inference import Reader


@dataclass(frozen=True)
class Kit:
    """The models in use, headers read lately and the decoders."""

    readers: tuple[Reader, ...]
    headers: RecentHeaders
    decoding: DecodingPool
