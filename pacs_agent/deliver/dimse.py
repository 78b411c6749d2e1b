"""Destinations of kind `dimse`: C-STORE SCU (PS3.4 B), confirmed by C-FIND at IMAGE level (PS3.4 C) where asked for.

Over TLS where the destination says so (PS3.15 B.9). That it is confirmed by storage commitment is in `commitment`.
"""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from pacs_agent.archive import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_agent.config import AETitle
from pacs_agent.deliver.answer import Answer, Confirmation, Verdict, Whereabouts, answer_for
from pacs_agent.deliver.errors import NothingTaken, Refused, Unreachable
from pacs_agent.deliver.means import Means
from pacs_agent.deliver.outgoing import Outgoing
from pacs_agent.deliver.requestor import keep_answers
from pacs_agent.ops.dicom_tls import WrongTls, client_context, fault_found
from pacs_agent.ops.outbound import AddressRefused

_PENDING = {0xFF00, 0xFF01}
_PLAIN = Means()
_REJECTED_PERMANENT = 1
_CALLING_AE_UNKNOWN, _CALLED_AE_UNKNOWN = 3, 7
_MAX_CONTEXTS = 128


class ScuAddress(BaseModel):
    """Where a C-STORE SCP listens, and the titles of both ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, max_length=255)
    port: int = Field(ge=1, le=65535)
    called_ae: AETitle
    calling_ae: AETitle = "PACSAGENT"
    confirm: Literal["none", "query", "commitment"] = Field(
        "none", description="query: by C-FIND at IMAGE level that objects are there; commitment: by storage commitment"
    )
    tls: bool = Field(False, description="over TLS, with the certificate of dimse.tls")
    certificate_name: str = Field("", max_length=255, description="name its certificate bears, where it is not `host`")
    segmentations: bool = Field(True, description="send segmentation objects, where it takes them")
    key_objects: bool = Field(True, description="send key object selections, where it takes them")
    saliency_maps: bool = Field(True, description="send saliency maps, where it takes them")
    secondary_captures: bool = Field(True, description="send summaries, where it takes them")

    @model_validator(mode="before")
    @classmethod
    def _once_called_query(cls, given: Any) -> Any:
        """`query: true` is how `confirm: query` was written before there was storage commitment."""
        if not isinstance(given, dict) or "query" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "query"}
        asked = TypeAdapter(bool).validate_python(given["query"])
        return {**rest, "confirm": "query"} if asked and rest.get("confirm", "none") == "none" else rest

    def __str__(self) -> str:
        return f"{self.called_ae} at {self.host}:{self.port}{' (TLS)' if self.tls else ''}"


class DimseDestination:
    """A C-STORE SCP."""

    settings_type: ClassVar[type[BaseModel]] = ScuAddress

    def __init__(self, settings: ScuAddress, means: Means = _PLAIN) -> None:
        self.address = settings
        self.timeout_s = means.timeout_s
        self._outbound = means.outbound
        self._tls = means.tls

    def send(self, objects: Sequence[Outgoing]) -> Iterator[Answer]:
        """Sends all objects in one association that offers only their own presentation contexts.

        When the association breaks, what was not answered yet is answered with TRY_AGAIN.
        """
        try:
            with self.association(_contexts(objects)) as association:
                accepted = {context.abstract_syntax for context in association.accepted_contexts}
                for one in objects:
                    yield self._store(association, one, accepted)
        except NothingTaken as error:
            yield from (Answer(one.sop_instance_uid, Verdict.NOT_TAKEN, str(error)) for one in objects)

    def confirm(self, objects: Sequence[Outgoing]) -> Iterator[Confirmation]:
        """Asks for each object by C-FIND; where `confirm` is not `query` nobody is asked."""
        if self.address.confirm != "query":
            yield from (_unknown(one, "not asked: the setting confirm is not query") for one in objects)
            return
        find = StudyRootQueryRetrieveInformationModelFind
        with self.association([build_context(find)]) as association:
            for one in objects:
                yield self._found(association, one)

    def probe(self) -> str:
        """C-ECHO. PS3.7 9.1.5."""
        with self.association([build_context(Verification)]) as association:
            status = association.send_c_echo()
        if "Status" not in status:
            raise Unreachable(f"{self.address} did not answer a C-ECHO within {self.timeout_s:g} s")
        if status.Status != 0:
            raise Refused(f"{self.address} answers C-ECHO with 0x{status.Status:04X}; ask who runs it")
        return f"{self.address} answers C-ECHO with 0x0000 (Success)"

    @contextmanager
    def association(
        self,
        contexts: list[PresentationContext],
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        handlers: Sequence[EventHandlerType] = (),
    ) -> Iterator[Association]:
        """An association with the node, released at the end. Raises Unreachable and Refused.

        `roles` for C-GET, where the node stores at us over the same association (PS3.7 D.3.3.4), with `handlers`.
        """
        self._check_address()
        context = self._tls_context() if self.address.tls else None
        association = self._entity().associate(
            self.address.host,
            self.address.port,
            contexts=contexts,
            ae_title=self.address.called_ae,
            ext_neg=list(roles),
            evt_handlers=[(evt.EVT_CONN_OPEN, _send_at_once), *handlers],
            tls_args=(context, self._certificate_name) if context else None,
        )
        if not association.is_established:
            raise self._why_not(association, context)
        keep_answers(association)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _check_address(self) -> None:
        try:
            self._outbound.addresses(self.address.host, self.address.port)
        except AddressRefused as error:
            raise Refused(str(error)) from error
        except OSError as error:
            raise Unreachable(f"nobody knows the host {self.address.host}; check its name") from error

    @property
    def _certificate_name(self) -> str:
        return self.address.certificate_name or self.address.host

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            raise Refused(
                f"{self.address} is set to TLS, and we have no certificate; set dimse.tls (docs/operations.md)"
            )
        try:
            return client_context(self._tls)
        except WrongTls as error:
            raise Refused(str(error)) from error

    def _entity(self) -> AE:
        entity = AE(self.address.calling_ae)
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.connection_timeout = entity.acse_timeout = self.timeout_s
        entity.dimse_timeout = entity.network_timeout = self.timeout_s
        return entity

    def _why_not(self, association: Association, context: ssl.SSLContext | None) -> Refused | Unreachable:
        if association.is_rejected:
            answer = association.acceptor.primitive
            reason = f"{self.address} rejected the association ({answer.result_str}: {answer.reason_str})"
            reason += self._what_to_do(answer.result_source, answer.diagnostic)
            return Refused(reason) if answer.result == _REJECTED_PERMANENT else Unreachable(reason)
        if rejected := association.rejected_contexts:  # pynetdicom aborts an association that leaves nothing to do
            names = ", ".join(sorted({UID(context.abstract_syntax).name for context in rejected}))
            return NothingTaken(f"{self.address} rejected every presentation context offered: {names}")
        where = self.address.host, self.address.port
        if context and (fault := fault_found(context, *where, self._certificate_name, self.timeout_s)):
            return Unreachable(f"{self.address}: {fault}")
        return Unreachable(
            f"{self.address} did not accept an association: no answer, or it was aborted; check host and port"
        )

    def _what_to_do(self, source: int, diagnostic: int) -> str:
        """PS3.8 9.3.4: the reasons of a service user that a person can mend."""
        if source == 1 and diagnostic == _CALLING_AE_UNKNOWN:
            return f"; register our AE title {self.address.calling_ae} there"
        if source == 1 and diagnostic == _CALLED_AE_UNKNOWN:
            return f"; it has another AE title than {self.address.called_ae}"
        return ""

    def _store(self, association: Association, one: Outgoing, accepted: set[str | None]) -> Answer:
        if one.sop_class_uid not in accepted:
            name = UID(one.sop_class_uid).name
            text = f"{self.address} rejected the presentation context of {name}: it does not take such objects"
            return Answer(one.sop_instance_uid, Verdict.NOT_TAKEN, text)
        if not association.is_established:
            return Answer(one.sop_instance_uid, Verdict.TRY_AGAIN, "the association broke before this object")
        try:
            status = association.send_c_store(dcmread(one.path))
        except (ValueError, AttributeError) as error:
            return Answer(one.sop_instance_uid, Verdict.REFUSED, f"cannot be encoded for {self.address}: {error}")
        except RuntimeError as error:
            return Answer(one.sop_instance_uid, Verdict.TRY_AGAIN, f"the association broke: {error}")
        if "Status" not in status:
            return Answer(one.sop_instance_uid, Verdict.TRY_AGAIN, f"no answer within {self.timeout_s:g} s")
        return answer_for(one.sop_instance_uid, status.Status, str(status.get("ErrorComment", "")))

    def _found(self, association: Association, one: Outgoing) -> Confirmation:
        if not association.is_established:
            raise Unreachable(f"{self.address} broke the association during a C-FIND")
        found, last = False, None
        for status, identifier in association.send_c_find(
            _image_query(one), StudyRootQueryRetrieveInformationModelFind
        ):
            if "Status" not in status:
                raise Unreachable(f"{self.address} did not answer a C-FIND within {self.timeout_s:g} s")
            last = status.Status
            found |= identifier is not None and identifier.get("SOPInstanceUID") == one.sop_instance_uid
        if found:
            return Confirmation(one.sop_instance_uid, Whereabouts.THERE, "found by C-FIND")
        if last != 0:
            return _unknown(one, f"C-FIND was answered with 0x{last or 0:04X}")
        return Confirmation(one.sop_instance_uid, Whereabouts.ABSENT, "not found by C-FIND")


def _send_at_once(event: Event) -> None:
    """Without Nagle's algorithm: with it, each object waits 40 ms for the acknowledgement of its own last packet."""
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _contexts(objects: Sequence[Outgoing]) -> list[PresentationContext]:
    """For each SOP class its own transfer syntax, and the default one in a context of its own (PS3.5 10.1)."""
    offered: dict[tuple[str, str], PresentationContext] = {}
    for one in objects:
        for syntax in (one.transfer_syntax_uid, ImplicitVRLittleEndian):
            if one.transfer_syntax_uid in (syntax, ExplicitVRLittleEndian):
                offered.setdefault((one.sop_class_uid, syntax), build_context(one.sop_class_uid, syntax))
    return list(offered.values())[:_MAX_CONTEXTS]


def _image_query(one: Outgoing) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = one.study_instance_uid
    query.SeriesInstanceUID = one.series_instance_uid
    query.SOPInstanceUID = one.sop_instance_uid
    return query


def _unknown(one: Outgoing, text: str) -> Confirmation:
    return Confirmation(one.sop_instance_uid, Whereabouts.UNKNOWN, text)
