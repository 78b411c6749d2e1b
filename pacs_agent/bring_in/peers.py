"""The destinations as places to fetch from: what each kind can do, one line a kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from pacs_agent.bring_in import dicomweb, dimse
from pacs_agent.bring_in.errors import BringInError
from pacs_agent.bring_in.query import FoundStudy, StudyQuery
from pacs_agent.bring_in.transfers import Progress, queue_pull
from pacs_agent.config import Settings
from pacs_agent.db import Destination, Transfer, TransferKind
from pacs_agent.deliver import open_destination
from pacs_agent.receive import Intake, is_uid

Fetch = Callable[[Any, str, Settings, Intake, Progress], None]


@dataclass(frozen=True)
class Place:
    """How a kind of destination is searched, and by which ways its studies are fetched; the first is the usual one."""

    find: Callable[[Any, StudyQuery], list[FoundStudy]]
    ways: dict[TransferKind, Fetch]


def _get(node: Any, study: str, _settings: Settings, intake: Intake, progress: Progress) -> None:
    dimse.get_study(node, study, intake, progress)


def _move(node: Any, study: str, settings: Settings, _intake: Intake, progress: Progress) -> None:
    dimse.move_study(node, study, settings.dimse.ae_title, progress)


def _wado(service: Any, study: str, _settings: Settings, intake: Intake, progress: Progress) -> None:
    dicomweb.fetch_study(service, study, intake, progress)


PLACES: dict[str, Place] = {
    "dimse": Place(dimse.find_studies, {TransferKind.C_MOVE: _move, TransferKind.C_GET: _get}),
    "stow": Place(dicomweb.find_studies, {TransferKind.WADO: _wado}),
}
"""By kind of destination."""


def ways_of(kind: str) -> tuple[TransferKind, ...]:
    """By which ways studies can be fetched from a kind of destination; the first is the usual one."""
    return tuple(PLACES[kind].ways) if kind in PLACES else ()


def begin_pull(
    session: Session, row: Destination, study_instance_uid: str, way: TransferKind | None, *, actor: str
) -> Transfer:
    """Queues the fetching of a study from a destination, by the usual way or another. Raises BringInError."""
    if not is_uid(study_instance_uid):
        raise BringInError("this is no Study Instance UID")
    ways = ways_of(row.kind)
    if not row.enabled:
        raise BringInError(f"{row.name} is disabled; enable it first")
    if not ways or (way is not None and way not in ways):
        raise BringInError(f"{row.name} offers {' and '.join(ways) or 'nothing to fetch'}")
    return queue_pull(session, way or ways[0], row.name, study_instance_uid, actor=actor)


def find_studies(row: Destination, settings: Settings, query: StudyQuery) -> list[FoundStudy]:
    """The studies of a destination that match, newest first. Raises DeliveryError and BringInError."""
    if row.kind not in PLACES:
        raise BringInError(f"{row.name} cannot be searched")
    found = PLACES[row.kind].find(open_destination(row, settings), query)
    return sorted(found, key=lambda study: (study.study_date, study.study_time), reverse=True)


def fetch_study(
    row: Destination, way: TransferKind, study: str, settings: Settings, intake: Intake, progress: Progress
) -> None:
    """Fetches a study. Raises DeliveryError, BringInError and Canceled."""
    ways = PLACES[row.kind].ways if row.kind in PLACES else {}
    if way not in ways:
        raise BringInError(f"{row.name} offers no {way}")
    ways[way](open_destination(row, settings), study, settings, intake, progress)
