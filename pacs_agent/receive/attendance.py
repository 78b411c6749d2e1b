"""An established association served: each request is answered by its service, until release or abort."""

from collections.abc import Callable
from dataclasses import dataclass

from pacs_agent.receive.bulk_store import C_STORE_RQ, Nowhere, answer, not_authorised, receive_instance
from pacs_agent.receive.finishing import Finishing
from pacs_agent.receive.intake import Intake
from pacs_agent.receive.places import Place
from pacs_agent.receive.services import (
    UNRECOGNISED_OPERATION,
    AssociationFacts,
    ServiceAnswer,
    ServiceRequest,
    Services,
)
from pacs_agent.receive.store import Tally
from pacs_agent.receive.wire.association import Association, Message
from pacs_agent.receive.wire.breach import PeerGone
from pacs_agent.receive.wire.commands import service_response
from pacs_agent.receive.wire.fragments import ReleaseRequested

LARGEST_REQUEST_BYTES = 8 << 20
"""Data set of a request to a service that is not C-STORE: 50,000 instances in a storage commitment."""
READ_TO_NOWHERE_TIMES = 8
"""A larger one is read to nowhere and answered, up to so many times as much; then the association is aborted."""


@dataclass(frozen=True)
class Offer:
    """What one association may do, and with what."""

    facts: AssociationFacts
    may_store: bool
    intake: Intake
    services: Services
    most_object_bytes: int
    at_a_time: int
    """Operations that the peer may have under way."""
    place: Place
    """What the association brings is noted there."""
    interrupt: Callable[[], None]
    """Ends a wait for the peer, from any thread; what we have to say can still be sent."""


class RequestDataSet:
    """The data set of a request to a service, in memory up to a limit."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._piece = memoryview(b"")
        self.too_large = False

    def room(self, count: int) -> memoryview:
        """Where the next bytes go."""
        self.too_large = self.too_large or len(self._bytes) + count > LARGEST_REQUEST_BYTES
        self._piece = Nowhere().room(count) if self.too_large else memoryview(bytearray(count))
        return self._piece

    def advance(self, count: int) -> None:
        """So many bytes were put there."""
        if self.too_large:
            self._bytes.clear()
        else:
            self._bytes += self._piece[:count]

    @property
    def encoded(self) -> bytes:
        """All of it."""
        return bytes(self._bytes)


class Attendance:
    """Serves one association in the thread that calls `serve`."""

    def __init__(self, association: Association, offer: Offer, tally: Tally) -> None:
        self._association = association
        self._offer = offer
        self._tally = tally
        self._finishing = Finishing(offer.at_a_time, offer.interrupt)

    def serve(self) -> None:
        """Answers until the peer releases. Raises Breach, PeerGone, and what goes wrong with us."""
        with self._finishing:
            try:
                while True:
                    self._serve_one(self._association.next_message())
            except ReleaseRequested:
                self._finishing.wait()
            except PeerGone:
                self._finishing.check()  # perhaps it is not gone, but interrupted by an error of ours
                raise
        self._association.release()

    def _serve_one(self, message: Message) -> None:
        if message.command.field != C_STORE_RQ:
            self._serve_other(message)
        elif not self._offer.may_store:
            self._read_to_nowhere(message)
            self._association.respond(message, not_authorised(message))
        else:
            self._store(message)

    def _store(self, message: Message) -> None:
        offer = self._offer
        offer.place.begins()
        arriving = receive_instance(
            self._association, message, offer.intake, offer.facts.source, offer.most_object_bytes
        )

        def finish() -> None:
            response = answer(message, arriving, offer.intake, self._tally)
            if arriving.refusal is None:
                offer.place.brought(self._tally.study_instance_uid)
            self._association.respond(message, response)

        self._finishing.do(finish)

    def _serve_other(self, message: Message) -> None:
        service = self._offer.services.get((message.command.field, message.context.sop_class_uid))
        if service is None:
            self._read_to_nowhere(message)
            self._answer(message, ServiceAnswer.of(UNRECOGNISED_OPERATION))
            return
        data_set, command = self._data_set(message), message.command.data_set()
        request = ServiceRequest(
            command=command,
            data_set=data_set.encoded if message.command.has_data_set and not data_set.too_large else None,
            too_large=data_set.too_large,
            sop_class_uid=message.context.sop_class_uid,
            transfer_syntax_uid=message.context.transfer_syntax_uid,
            facts=self._offer.facts,
        )
        self._answer(message, service(request))

    def _data_set(self, message: Message) -> RequestDataSet:
        request = RequestDataSet()
        if message.command.has_data_set:
            self._association.read_data_set(message, request, READ_TO_NOWHERE_TIMES * LARGEST_REQUEST_BYTES)
        return request

    def _read_to_nowhere(self, message: Message) -> None:
        if message.command.has_data_set:
            self._association.read_data_set(message, Nowhere(), self._offer.most_object_bytes)

    def _answer(self, message: Message, answered: ServiceAnswer) -> None:
        has_data_set = answered.data_set is not None
        response = service_response(message.command, answered.command, has_data_set=has_data_set)
        self._association.respond(message, response, answered.data_set)
