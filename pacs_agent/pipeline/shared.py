"""What all pipelines of a worker share, so that each gives way to the jobs of every other."""

from dataclasses import dataclass, replace

from pacs_agent.config import Settings
from pacs_agent.imaging import DecodingPool, RecentHeaders
from pacs_agent.inference import Turns
from pacs_agent.pipeline.places import Places


@dataclass(frozen=True)
class Shared:
    """One for each worker process. Safe for any number of threads."""

    decoding: DecodingPool
    """Runs the codecs."""
    headers: RecentHeaders
    turns: Turns
    """Held by each step of a job that uses a model: slices that are read ahead give way to it."""
    jobs: Places
    """One is held by each job while it reads: rehearsals give way to it."""

    @classmethod
    def of(cls, settings: Settings) -> "Shared":
        """As the settings want it. Processes of the codecs start when they are first needed."""
        return cls(DecodingPool(settings.decoding), RecentHeaders(), Turns(), Places(settings.work.concurrency))

    @property
    def unhurried(self) -> "Shared":
        """The same for jobs that nobody waits for: what is read ahead does not give way to them."""
        return replace(self, turns=Turns())
