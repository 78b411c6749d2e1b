"""What a person says of a reading: checked, kept in versions, and handed to a job that writes it in DICOM.

In: a review of one reading by a known person. Out: rows in `reviews` and `finding_reviews`, a job of pipeline `review`,
an audit line, all in one transaction. Fails with ReviewRefused in words, and with ReviewConflict when somebody was
faster.
"""

from pacs_agent.review.errors import NothingToReview, ReviewConflict, ReviewRefused
from pacs_agent.review.model import DeliveryNow, DocumentNow, ReviewNow, ReviewRequest
from pacs_agent.review.rates import Rate, WeekRate, rates, rates_by_week
from pacs_agent.review.reviewers import has_left, is_here, others_here
from pacs_agent.review.saving import save_review
from pacs_agent.review.stored import current_review, documents_now

__all__ = [
    "DeliveryNow",
    "DocumentNow",
    "NothingToReview",
    "Rate",
    "ReviewConflict",
    "ReviewNow",
    "ReviewRefused",
    "ReviewRequest",
    "WeekRate",
    "current_review",
    "documents_now",
    "has_left",
    "is_here",
    "others_here",
    "rates",
    "rates_by_week",
    "save_review",
]
