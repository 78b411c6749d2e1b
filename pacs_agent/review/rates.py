"""How often people accept, edit and reject what a model says: for each model, version and finding."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.db import HandledFinding, Review


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


def rates(session: Session, since: datetime) -> list[Rate]:
    """Counts of handled findings in reviews saved since then, the newest version of each review only."""
    newest = select(func.max(Review.id)).group_by(Review.job_id)
    row = HandledFinding
    by = (row.model_name, row.model_version, row.finding, row.presence, row.action)
    query = select(*by, func.count(row.id), func.avg(row.probability)).join(Review)
    found = query.where(Review.created_at >= since, Review.id.in_(newest)).group_by(*by).order_by(*by)
    return [Rate(**dict(zip(Rate.model_fields, one, strict=True))) for one in session.execute(found)]
