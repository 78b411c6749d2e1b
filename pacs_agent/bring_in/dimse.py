"""Studies of a DICOM node: found by C-FIND, fetched by C-GET or C-MOVE. PS3.4 C, study root."""

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs_agent.archive import STORAGE_SOP_CLASSES, TRANSFER_SYNTAXES
from pacs_agent.bring_in.errors import BringInError, Canceled
from pacs_agent.bring_in.query import MOST_FOUND, RETURN_KEYS, FoundStudy, StudyQuery, found_study
from pacs_agent.bring_in.transfers import Progress
from pacs_agent.deliver import DimseDestination
from pacs_agent.receive import Intake, Tally, serve_store

_FIND, _GET, _MOVE = (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
_PENDING = (0xFF00, 0xFF01)
_MOVE_DESTINATION_UNKNOWN = 0xA801
_OUT_OF_RESOURCES = 0xA700
PATIENCE_S = 600.0
"""Longest silence of a node that fetches a study from its own slow store."""
MOSTLY_COMPRESSED = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4")
"""CT, Enhanced CT and MR: each transfer syntax gets a context of its own, so that the node need not decompress.

The 128 contexts of an association (PS3.8 9.3.2.2) do not suffice for all classes.
"""


def find_studies(node: DimseDestination, query: StudyQuery) -> list[FoundStudy]:
    """The studies that match, at most MOST_FOUND. Raises DeliveryError and BringInError."""
    identifier = Dataset()
    identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = ""
    for keyword in RETURN_KEYS:
        setattr(identifier, keyword, None if keyword == "NumberOfStudyRelatedInstances" else "")
    for keyword, value in query.keys.items():
        setattr(identifier, keyword, value)
    found: list[FoundStudy] = []
    with node.association([build_context(_FIND)]) as association:
        for status, answer in association.send_c_find(identifier, _FIND):
            code = _code(status, node)
            if code in _PENDING and answer is not None and (study := found_study(answer)):
                found.append(study)
            if code not in (0, *_PENDING):
                raise BringInError(f"{node.address} answers C-FIND with 0x{code:04X}{_comment(status)}")
            if len(found) >= MOST_FOUND:
                association.abort()
                break
    return found


def get_study(node: DimseDestination, study_instance_uid: str, intake: Intake, progress: Progress) -> None:
    """Fetches a study by C-GET: the node stores it at us over the association that asks for it (PS3.4 C.4.3).

    Raises DeliveryError, BringInError and Canceled.
    """
    tally = Tally(f"{node.address.called_ae}@{node.address.host}")
    stopped: Canceled | None = None

    def store(event: Event) -> int | Dataset:
        nonlocal stopped
        if stopped:
            return _OUT_OF_RESOURCES
        refused = tally.refused
        answer = serve_store(event, intake, tally, study_instance_uid)
        try:
            progress.refuse(tally.reason) if tally.refused > refused else progress.took()
        except Canceled as canceled:
            stopped = canceled
        return answer

    roles = [build_role(uid, scp_role=True) for uid in STORAGE_SOP_CLASSES]
    contexts = [build_context(_GET), *_storage_contexts()]
    with node.association(contexts, roles, [(evt.EVT_C_STORE, store)]) as association:
        _be_patient(association)
        if not any(context.abstract_syntax == _GET for context in association.accepted_contexts):
            raise BringInError(f"{node.address} does not offer C-GET; fetch the study by C-MOVE")
        for status, _ in association.send_c_get(_study(study_instance_uid), _GET):
            code = _code(status, node)
            if stopped:
                association.abort()
                raise stopped
            _count_expected(status, progress)
            if code not in _PENDING:
                _check_end(code, status, node, "C-GET", progress)


def move_study(node: DimseDestination, study_instance_uid: str, own_ae_title: str, progress: Progress) -> None:
    """Has a node send a study to our listener by C-MOVE (PS3.4 C.4.2).

    Raises DeliveryError, BringInError and Canceled.
    """
    with node.association([build_context(_MOVE)]) as association:
        _be_patient(association)
        for status, _ in association.send_c_move(_study(study_instance_uid), own_ae_title, _MOVE):
            if status.get("Status", _MOVE_DESTINATION_UNKNOWN) == _MOVE_DESTINATION_UNKNOWN:  # some just hang up
                raise BringInError(
                    f"{node.address} does not know where {own_ae_title} is, or broke the association off: add our AE "
                    f"title {own_ae_title}, host and DICOM port there as a move destination, or fetch by C-GET"
                )
            code = _code(status, node)
            done = _number(status, "NumberOfCompletedSuboperations")
            progress.done = progress.done if done is None else done
            try:
                _count_expected(status, progress)
            except Canceled:
                association.send_c_cancel(1, query_model=_MOVE)  # PS3.7 9.3.4.3: of the request's message id
                association.abort()
                raise
            if code not in _PENDING:
                _check_moved(status, node, progress)
                _check_end(code, status, node, "C-MOVE", progress)


def _study(study_instance_uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_instance_uid
    return identifier


def _storage_contexts() -> list[PresentationContext]:
    contexts = [build_context(uid, syntax) for uid in MOSTLY_COMPRESSED for syntax in TRANSFER_SYNTAXES]
    others = [uid for uid in STORAGE_SOP_CLASSES if uid not in MOSTLY_COMPRESSED]
    return contexts + [build_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]) for uid in others]


def _be_patient(association: Association) -> None:
    association.dimse_timeout = association.network_timeout = PATIENCE_S


def _code(status: Dataset, node: DimseDestination) -> int:
    if "Status" not in status:
        raise BringInError(f"{node.address} broke the association off, or fell silent; start it again")
    return int(status.Status)


def _comment(status: Dataset) -> str:
    comment = str(status.get("ErrorComment", "") or "")
    return f" ({comment})" if comment else ""


def _number(status: Dataset, keyword: str) -> int | None:
    value = status.get(keyword)
    return int(value) if isinstance(value, int) else None


def _count_expected(status: Dataset, progress: Progress) -> None:
    """Sub-operations are counted in each pending answer, PS3.7 9.1.3 and 9.1.4."""
    parts = [
        _number(status, f"NumberOf{state}Suboperations") for state in ("Remaining", "Completed", "Failed", "Warning")
    ]
    known = [part for part in parts if part is not None]
    if parts[0] is not None:
        progress.expected = sum(known)
    progress.write()


def _check_moved(status: Dataset, node: DimseDestination, progress: Progress) -> None:
    failed = _number(status, "NumberOfFailedSuboperations") or 0
    if failed:
        progress.refuse(
            f"{node.address.called_ae} could not send {failed} of them to us: is it among the peers with the right to "
            "store, and does it have our host and DICOM port?",
            failed,
        )


def _check_end(code: int, status: Dataset, node: DimseDestination, service: str, progress: Progress) -> None:
    if code not in (0, 0xB000) or (code == 0xB000 and not progress.done):
        why = progress.refusals[0] if progress.refusals else "ask who runs it"
        raise BringInError(f"{node.address} answers {service} with 0x{code:04X}{_comment(status)}; {why}")
