"""Where the panel saves reviews, and learns who else is reviewing.

In: a review as JSON, of a person who is logged in as a reviewer. Out: the review as it was kept. What may fail: a
review that says what cannot be (422), or that somebody was faster than (409), answered in words.
"""

from pacs_agent.console.reviews.blueprint import reviews_blueprint

__all__ = ["reviews_blueprint"]
