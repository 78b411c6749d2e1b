"""A reading with a person's review of it: what both documents of a review are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from pydicom.dataset import Dataset

from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.reading import FindingReading, Presence, SincePrior, StudyReading
from pacs_agent.results.author import Author, author_of
from pacs_agent.results.facts import DocumentFacts, UnusableEvidence
from pacs_agent.results.handled import Action, Edited, FindingReview, Reviewer, SliceSeen
from pacs_agent.results.sources import InstanceReference


@dataclass(frozen=True)
class ReviewedReading:
    """A reading, the objects that said it, and one version of a review."""

    reading: StudyReading
    read_at: datetime
    """When the reading's objects were composed."""
    version: int
    verified: bool
    reviewer: Reviewer
    organization: str
    """In whose name the reviewer verifies."""
    findings: tuple[FindingReview, ...]
    text: str | None
    ai_result: InstanceReference
    draft_report: InstanceReference
    images: Mapping[str, InstanceReference]
    """By SOP Instance UID, the images in which the reviewer saw findings."""
    header: Dataset
    """A header of an image of the study."""

    @cached_property
    def handled(self) -> dict[str, FindingReview]:
        """What became of the findings that were handled, by their keys."""
        return {one.finding: one for one in self.findings}

    def left(self, finding: FindingReading) -> FindingReading | None:
        """A finding as the reviewer leaves it; None where it was rejected."""
        handled = self.handled.get(finding.label.key)
        if handled is None or handled.action is Action.ACCEPTED:
            return finding
        if handled.action is Action.REJECTED or handled.edited is None:
            return None
        return _edited(finding, handled.edited)

    def is_changed(self, key: str) -> bool:
        """Whether the reviewer says anything else of a finding than the model."""
        handled = self.handled.get(key)
        return handled is not None and handled.action is not Action.ACCEPTED

    @cached_property
    def since_prior(self) -> SincePrior | None:
        """What changed since the prior study, of the findings that the reviewer left as they were.

        None where nothing of it is left to say, and where the reviewer wrote the text: he compares in his own words.
        """
        since = self.reading.since_prior
        if since is None or self.text is not None:
            return None
        left = tuple(one for one in since.findings if not self.is_changed(one.finding))
        return since.model_copy(update={"findings": left}) if left or not since.findings else None

    def image_seen(self, seen: SliceSeen) -> InstanceReference:
        """The image in which the reviewer saw a finding. Raises UnusableEvidence when it is not known."""
        try:
            return self.images[seen.sop_instance_uid]
        except KeyError:
            raise UnusableEvidence(
                f"a finding was seen on {seen.sop_instance_uid}, which is not in the archive; send it again"
            ) from None

    def model(self, facts: DocumentFacts) -> Author:
        """The model that was reviewed."""
        return author_of(self.reading.bundle, facts)


def _edited(finding: FindingReading, edited: Edited) -> FindingReading:
    said = Attributes(sides=edited.sides, lobes=edited.lobes, grade=edited.grade, count=edited.count)
    absent = edited.presence is Presence.ABSENT
    evidence = () if absent else finding.evidence
    return finding.model_copy(update={"presence": edited.presence, "attributes": said, "evidence": evidence})
