"""The prior study beside what is read: chosen among those that were read here, else looked for at the source."""

from dataclasses import replace
from datetime import datetime

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import SincePrior
from pacs_agent.pipeline.places import Places
from pacs_agent.pipeline.prior import choose_prior, compared
from pacs_agent.pipeline.prior_at_source import NOBODY_TO_ASK, PriorAtSource, Reads, Wanted, not_had, source_to_ask
from pacs_agent.pipeline.stages import Choice, Earlier, JobFacts, Progress

__all__ = ["Priors", "Wanted"]


class Priors:
    """Priors of a pipeline's jobs. Safe for any number of threads."""

    def __init__(self, settings: Settings, archive: Archive, places: Places) -> None:
        self._settings = settings.results
        self._archive = archive
        self._database = archive.database
        self._at_source = PriorAtSource(settings, archive, places)

    def beside(self, choice: Choice, job: JobFacts) -> Choice:
        """A choice with the prior of its study, or with whom to ask for one; as it is where nothing is compared."""
        if not choice.selected or not job.job_id or not self._settings.compare_with_prior:
            return choice
        asks = self._settings.prior_at_source == "find"
        with self._database.reading() as session:
            prior = choose_prior(session, self._archive, job.job_id, choice.bundle)
            source = source_to_ask(session, job.job_id) if prior is None and asks else None
        prior = not_had(NOBODY_TO_ASK) if source == "" else prior
        return replace(choice, prior=prior.model_dump_json() if prior else "", source=source or "")

    def find(
        self, job: JobFacts, wanted: Wanted, read: Reads, began: datetime, progress: Progress
    ) -> SincePrior | None:
        """The earlier study that the source has. As `PriorAtSource.find`, and raises what that does."""
        return self._at_source.find(job, wanted, read, began, progress)

    def compared(self, reading: StudyReading, earlier: Earlier) -> StudyReading:
        """A reading with what changed since the prior that was chosen or found; as it is where there is none."""
        return compared(self._database, reading, earlier.get("prior", ""))
