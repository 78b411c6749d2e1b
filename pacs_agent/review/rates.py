"""How often people accept, edit and reject what a model says: for each model, version and finding, week by week."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Label, case, func, select
from sqlalchemy.orm import Session

from pacs_agent.db import HandledFinding, Review

WEEK = timedelta(days=7)


class Rate(BaseModel):
    """How often one thing became of one finding of one model."""

    model_config = ConfigDict(frozen=True)

    model_name: str
    model_version: str
    finding: str
    presence: str
    """As the model said."""
    action: str
    count: int
    mean_probability: float


class WeekRate(BaseModel):
    """The same in one week, whatever the model had said of the finding."""

    model_config = ConfigDict(frozen=True)

    week: int
    """Number of the week, from 0."""
    model_name: str
    model_version: str
    finding: str
    action: str
    count: int


def rates(session: Session, since: datetime) -> list[Rate]:
    """Counts of handled findings in reviews saved since then, the newest version of each review only."""
    row = HandledFinding
    by = (row.model_name, row.model_version, row.finding, row.presence, row.action)
    query = select(*by, func.count(row.id), func.avg(row.probability)).join(Review).where(*_newest(since))
    found = session.execute(query.group_by(*by).order_by(*by))
    return [Rate(**dict(zip(Rate.model_fields, one, strict=True))) for one in found]


def rates_by_week(session: Session, begins: Sequence[datetime]) -> list[WeekRate]:
    """The same for each of some weeks, given by when they begin, in order; the last one may not be over yet."""
    row = HandledFinding
    by = (_week(begins), row.model_name, row.model_version, row.finding, row.action)
    query = select(*by, func.count(row.id)).join(Review).where(*_newest(begins[0]))
    query = query.where(Review.created_at < begins[-1] + WEEK)
    found = session.execute(query.group_by("week", *by[1:]).order_by("week", *by[1:]))
    return [WeekRate(**dict(zip(WeekRate.model_fields, one, strict=True))) for one in found]


def _newest(since: datetime) -> tuple[ColumnElement[bool], ...]:
    """Of each review saved since then the newest version. A later one is saved later, so none before counts."""
    newest = select(func.max(Review.id)).where(Review.created_at >= since).group_by(Review.job_id)
    return Review.created_at >= since, Review.id.in_(newest)


def _week(begins: Sequence[datetime]) -> Label[int]:
    """The number of the week in which a review was saved, in words that every database understands."""
    from_last = [(Review.created_at >= begin, number) for number, begin in reversed(list(enumerate(begins)))]
    return case(*from_last, else_=0).label("week")
