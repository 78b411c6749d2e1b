"""What reading ahead shares with the jobs of its worker, so that a model is in memory once."""

from collections.abc import Callable
from dataclasses import dataclass

from pacs_agent.ahead.allowance import Allowance
from pacs_agent.imaging import RecentHeaders
from pacs_agent.inference import Reader


@dataclass(frozen=True)
class Kit:
    """The models in use, which are asked in this order, and headers read lately."""

    readers: tuple[Reader, ...]
    headers: RecentHeaders
    rehearse: Callable[[Allowance], bool]
    """Reads the study of an allowance as far as it came, for its jobs to find it read. Raises nothing.

    False where it gave way to a job, and should be tried again.
    """
