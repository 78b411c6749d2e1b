"""Why a review is not saved."""

from datetime import datetime


class ReviewRefused(Exception):
    """The review says something that cannot be; the text says what and what to do."""


class NothingToReview(ReviewRefused):
    """The study has no such reading."""


class ReviewConflict(Exception):
    """Somebody was faster: the review rests on what is not the newest any more.

    `by`, `at` and `version` are of the newest review; empty, None and 0 when there is none.
    """

    def __init__(self, text: str, by: str = "", at: datetime | None = None, version: int = 0) -> None:
        super().__init__(text)
        self.by = by
        self.at = at
        self.version = version
