"""How many instances a study has at the peer that sent it: asked where a destination is that peer.

C-FIND at STUDY level (PS3.4 C.4.1, C.3.4) or QIDO-RS (PS3.18 10.6), with Number of Study Related Instances (0020,1208).
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.assemble import SourceAnswer
from pacs_agent.config import Settings
from pacs_agent.db import Database, Delivery, DeliveryState, Destination, Job, Peer, ResultObject, Study
from pacs_agent.deliver.dimse import DimseDestination
from pacs_agent.deliver.errors import DeliveryError, Refused, Unreachable
from pacs_agent.deliver.kinds import open_destination
from pacs_agent.deliver.stow import StowDestination

_FIND = StudyRootQueryRetrieveInformationModelFind
_COUNT = "NumberOfStudyRelatedInstances"
_COUNT_TAG, _UID_TAG = "00201208", "0020000D"
_PENDING = (0xFF00, 0xFF01)
_ARRIVED = (DeliveryState.STORED, DeliveryState.CONFIRMED)
_MOST_DIGITS = 8


class SourceQuery:
    """Asks the peers that send studies, by the destinations that people set up."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings

    def __call__(self, source: str, studies: Sequence[str]) -> Mapping[str, SourceAnswer]:
        """What a source (AE@address) has of studies; nothing when no destination is that peer."""
        with self.database.reading() as session:
            row = destination_of(session, source)
            ours = _own_results_there(session, row.name, studies) if row else {}
        if row is None:
            return {}
        try:
            counts = self._counts(row, studies)
        except DeliveryError as error:
            return dict.fromkeys(studies, SourceAnswer(None, trouble=str(error)))
        by = f"{'C-FIND' if row.kind == 'dimse' else 'QIDO-RS'} at {row.name}"
        return {uid: SourceAnswer(max(count - ours.get(uid, 0), 0), by) for uid, count in counts.items()}

    def _counts(self, row: Destination, studies: Sequence[str]) -> Mapping[str, int]:
        node = open_destination(row, self.settings)
        if isinstance(node, DimseDestination):
            with node.association([build_context(_FIND)]) as association:
                return {uid: _found(association, node, uid) for uid in studies}
        if isinstance(node, StowDestination):
            return {uid: _searched(node, uid) for uid in studies}
        raise Refused(f"{row.name} cannot be searched")


def destination_of(session: Session, source: str) -> Destination | None:
    """The destination that is the peer which sends as AE@address: by its AE title, else by its host."""
    ae_title, _, address = source.partition("@")
    rows = list(session.scalars(select(Destination).where(Destination.enabled).order_by(Destination.name)))
    by_title = [row for row in rows if row.kind == "dimse" and row.settings.get("called_ae") == ae_title]
    hosts = {address, session.scalar(select(Peer.host).where(Peer.ae_title == ae_title)) or address} - {""}
    by_host = [row for row in rows if row.kind == "stow" and urlsplit(str(row.settings.get("url"))).hostname in hosts]
    return next((row for row in by_title if row.settings.get("host") in hosts), next(iter([*by_title, *by_host]), None))


def _own_results_there(session: Session, destination: str, studies: Sequence[str]) -> dict[str, int]:
    """How many objects of ours each study has at a destination: its count has them too."""
    query = (
        select(Study.study_instance_uid, func.count())
        .join(Job, Job.study_pk == Study.id)
        .join(ResultObject, ResultObject.job_id == Job.id)
        .join(Delivery, Delivery.result_object_pk == ResultObject.id)
        .where(Study.study_instance_uid.in_(studies), Delivery.destination == destination)
        .where(Delivery.state.in_(_ARRIVED))
        .group_by(Study.study_instance_uid)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _found(association: Association, node: DimseDestination, study_instance_uid: str) -> int:
    """A study's count by C-FIND; 0 where it is not known. Raises Unreachable and Refused."""
    if not association.is_established:
        raise Unreachable(f"{node.address} broke the association during a C-FIND")
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_instance_uid
    identifier.NumberOfStudyRelatedInstances = None
    counts = [0]
    for status, answer in association.send_c_find(identifier, _FIND):
        code = status.get("Status")
        if code is None:
            raise Unreachable(f"{node.address} did not answer a C-FIND within {node.timeout_s:g} s")
        if code not in (0, *_PENDING):
            raise Refused(f"{node.address} answers C-FIND with 0x{code:04X}")
        if answer is not None and answer.get("StudyInstanceUID") == study_instance_uid:
            counts.append(_number(_value(answer), str(node.address)))
    return counts[-1]


def _searched(service: StowDestination, study_instance_uid: str) -> int:
    """A study's count by QIDO-RS; 0 where it is not known. Raises Unreachable and Refused."""
    asked = [("StudyInstanceUID", study_instance_uid), ("includefield", _COUNT_TAG), ("limit", "2")]
    for item in service.search("/studies", asked):
        if isinstance(item, dict) and _first(item, _UID_TAG) == study_instance_uid:
            return _number(_first(item, _COUNT_TAG), str(service.address))
    return 0


def _value(answer: Dataset) -> str:
    try:
        return str(answer.get(_COUNT, ""))
    except UNREADABLE_VALUE:
        return ""


def _first(item: Mapping[str, object], tag: str) -> str:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _number(text: str, where: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise Refused(f"{where} does not say how many instances a study has")
