"""Rehearsals as a worker does them, without its loops."""

from collections.abc import Mapping
from functools import partial

from pacs_agent.ahead import Allowance
from pacs_agent.ahead.counts import Counts
from pacs_agent.ahead.waiting import Waiting
from pacs_agent.archive import Archive
from pacs_agent.config import AheadSettings
from pacs_agent.pipeline.places import Places
from pacs_agent.pipeline.rehearsable import Rehearsable
from pacs_agent.pipeline.rehearsal import Rehearsal


class Rehearsing:
    """Rehearsals with budgets of their own."""

    def __init__(
        self, archive: Archive, jobs: Places, stages: Mapping[str, Rehearsable], settings: AheadSettings | None = None
    ) -> None:
        self.rehearsal = Rehearsal(archive, jobs, stages)
        self.waiting, self.counts = Waiting(settings or AheadSettings()), Counts(archive.database)
        self.others_wait = False
        self.had_nothing = list[int]()

    def rehearse(self, study_pk: int) -> bool:
        """Whether it came to its end."""
        had_nothing = partial(self.had_nothing.append, study_pk)
        allowance = Allowance(study_pk, self.waiting, self.counts, lambda: self.others_wait, had_nothing)
        return self.rehearsal.rehearse(allowance)
