"""Which archived instances a path of the Studies Service names (PS3.18 10.1)."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import contains_eager
from werkzeug.exceptions import NotFound

from pacs_agent.archive.archive import Archive
from pacs_agent.db import Instance, Series, Study


def instances_at(
    archive: Archive, study: str, series: str | None = None, instance: str | None = None
) -> Sequence[Instance]:
    """The instances of a study, a series, or the one instance; by series and instance number. Raises NotFound."""
    statement = (
        select(Instance)
        .join(Instance.series)
        .join(Series.study)
        .options(contains_eager(Instance.series))
        .where(Study.study_instance_uid == study)
    )
    if series is not None:
        statement = statement.where(Series.series_instance_uid == series)
    if instance is not None:
        statement = statement.where(Instance.sop_instance_uid == instance)
    with archive.database.reading() as session:
        found = session.scalars(statement.order_by(Series.number, Series.id, Instance.number, Instance.id)).all()
    if not found:
        raise NotFound("no such study, series or instance in the archive")
    return found
