"""Which studies receive, and how much of those that changed is there: a few queries for all of them together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.db import Instance, Origin, Series, Study, StudyState

AT_ONCE = 500
"""Studies in one query."""


@dataclass(frozen=True)
class Receiving:
    """A study that receives."""

    pk: int
    study_instance_uid: str
    last_received_at: datetime
    commitment_asked_at: datetime | None
    expected_instances: int | None
    expected_from: str


@dataclass(frozen=True)
class SeriesGrown:
    """The instances received of a series: how many, and the keys of the first and the newest one in the index."""

    received: int
    first: int
    newest: int


@dataclass
class Grown:
    """The instances received of a study, by the series' key in the index."""

    series: dict[int, SeriesGrown] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """Instances of all series, documents too."""
        return sum(part.received for part in self.series.values())

    @property
    def newest(self) -> int:
        """The key of the instance that came last; 0 when none has."""
        return max((part.newest for part in self.series.values()), default=0)


def receiving_studies(session: Session) -> list[Receiving]:
    """All studies that receive, the one that has been quiet longest first."""
    query = select(
        Study.id,
        Study.study_instance_uid,
        Study.last_received_at,
        Study.commitment_asked_at,
        Study.expected_instances,
        Study.expected_from,
    )
    rows = session.execute(query.where(Study.state == StudyState.RECEIVING).order_by(Study.last_received_at))
    return [Receiving(*row) for row in rows]


def newest_instance(session: Session) -> int:
    """The key of the newest row of the index; 0 when there is none."""
    return session.scalar(select(func.max(Instance.id))) or 0


def studies_with_new_instances(session: Session, after: int) -> set[int]:
    """Keys of the studies of which instances were indexed after this one, documents too."""
    query = select(Series.study_pk).join(Instance, Instance.series_pk == Series.id).where(Instance.id > after)
    return set(session.scalars(query.distinct()))


def grown(session: Session, study_pks: Iterable[int]) -> dict[int, Grown]:
    """What was received of each of these studies."""
    keys = list(study_pks)
    found = {pk: Grown() for pk in keys}
    for start in range(0, len(keys), AT_ONCE):
        query = (
            select(Series.study_pk, Series.id, func.count(), func.min(Instance.id), func.max(Instance.id))
            .join(Instance, Instance.series_pk == Series.id)
            .where(Series.study_pk.in_(keys[start : start + AT_ONCE]), Instance.origin == Origin.RECEIVED)
            .group_by(Series.id, Series.study_pk)
        )
        for study_pk, series_pk, received, first, newest in session.execute(query):
            found[study_pk].series[series_pk] = SeriesGrown(received, first, newest)
    return found


def digests_and_sources(session: Session, instance_pks: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Digest and source of instances, by their keys."""
    found: dict[int, tuple[str, str]] = {}
    for start in range(0, len(instance_pks), AT_ONCE):
        some = instance_pks[start : start + AT_ONCE]
        for row in session.execute(select(Instance.id, Instance.digest, Instance.source).where(Instance.id.in_(some))):
            found[row.id] = (row.digest, row.source)
    return found
