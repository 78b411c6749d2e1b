"""What a document is called once a person stands behind it, and who verified it."""

from dataclasses import dataclass
from datetime import datetime

from pacs_agent.results.author import Author
from pacs_agent.results.handled import Reviewer


@dataclass(frozen=True)
class Standing:
    """How a person stands to a document that rests on what a model said."""

    model: Author
    """The model that said it."""
    read_at: datetime
    verifier: Reviewer | None = None
    """Who verified the document. PS3.3 C.17.2: only a named person can."""
    organization: str = ""
    """In whose name the document was verified."""

    def series_description(self, title: str) -> str:
        """Series Description (0008,103E), at most 64 characters."""
        return f"{title}, not for clinical use" if self.model.demo else title
