"""An association as its acceptor has it (PS3.8 9.2): request, then messages until release or abort."""

from dataclasses import dataclass

from pacs_agent.receive.policy import Rejection
from pacs_agent.receive.wire import pdus
from pacs_agent.receive.wire.breach import Breach, PeerGone
from pacs_agent.receive.wire.budget import Budget
from pacs_agent.receive.wire.commands import C_CANCEL_RQ, RESPONSE, CommandSet, read_command
from pacs_agent.receive.wire.fragments import Fragments, Sink, next_pdu
from pacs_agent.receive.wire.negotiation import Agreement, Context, Proposal, Titles, proposal, titles
from pacs_agent.receive.wire.stream import Stream
from pacs_agent.receive.wire.transport import Transport


@dataclass(frozen=True)
class Message:
    """A request on an accepted presentation context. Its data set, if it has one, waits to be read."""

    context_id: int
    context: Context
    command: CommandSet


class Association:
    """The acceptor's side. One thread calls it; `respond` may be called from any."""

    def __init__(self, transport: Transport, budget: Budget) -> None:
        self._transport = transport
        self._budget = budget
        self._stream = Stream(transport)
        self._agreement: Agreement | None = None
        self._fragments: Fragments | None = None
        self._body = b""

    @property
    def has_heard(self) -> bool:
        """Whether the peer ever said anything."""
        return self._stream.has_heard

    def requested(self) -> Titles:
        """Waits for the association request, and gives who asks. Raises Breach, PeerGone."""
        kind, length = next_pdu(self._stream, self._budget, pdus.AWAITING_REQUEST)
        self._body = self._stream.take(length)
        self._budget.end_pdu()
        if kind == pdus.PduType.ABORT:
            raise PeerGone("the peer aborted before it asked for anything")
        self._budget.end_negotiation()
        return titles(self._body)

    def proposal(self) -> Proposal:
        """What the request proposes. Raises Breach."""
        return proposal(self._body)

    def accept(self, agreement: Agreement) -> None:
        """Answers the request; from now on there are messages. Raises PeerGone."""
        self._transport.send(agreement.accept_pdu)
        self._body = b""
        self._agreement = agreement
        self._fragments = Fragments(self._stream, self._budget, agreement.contexts)

    def reject(self, rejection: Rejection) -> None:
        """Answers the request with A-ASSOCIATE-RJ. Raises PeerGone."""
        self._transport.send(pdus.reject(rejection.result, rejection.source, rejection.diagnostic))

    def next_message(self) -> Message:
        """Waits for the next request, to be read whole and answered. Raises ReleaseRequested, Breach, PeerGone."""
        fragments, agreement = self._established()
        while True:
            context_id, encoded = fragments.command()
            command = read_command(encoded)
            if not command.has_data_set:
                fragments.end_message()
            if command.field == C_CANCEL_RQ and not command.has_data_set:
                continue  # nothing that we do can be cancelled (PS3.7 9.3.2.3)
            if command.field & RESPONSE:
                raise Breach(f"a response, {command.field:#06x}, to nothing that was asked")
            _ = command.message_id
            if not command.has_data_set:
                self._budget.owe()
            return Message(context_id, agreement.contexts[context_id], command)

    def read_data_set(self, message: Message, sink: Sink, most_bytes: int) -> None:
        """Puts the message's data set into the sink. Raises Breach, PeerGone, and what the sink raises."""
        self._established()[0].data_set(message.context_id, sink, most_bytes)
        self._budget.owe()

    def respond(self, message: Message, command: bytes, data_set: bytes | None = None) -> None:
        """Sends a response in one piece. Raises PeerGone, TimeSpent."""
        maximum = self._established()[1].maximum_bytes
        parts = [*pdus.data_pdus(message.context_id, command, is_command=True, maximum_bytes=maximum)]
        if data_set is not None:
            parts += pdus.data_pdus(message.context_id, data_set, is_command=False, maximum_bytes=maximum)
        self._transport.send(b"".join(parts))
        self._budget.pay()

    def release(self) -> None:
        """Answers a release (PS3.8 7.2.2). Raises PeerGone."""
        self._transport.send(pdus.release_response())

    def abort(self, breach: Breach) -> None:
        """Sends the A-ABORT of a breach. Raises PeerGone."""
        self._transport.send(pdus.abort(breach.source, breach.reason))

    def _established(self) -> tuple[Fragments, Agreement]:
        if self._fragments is None or self._agreement is None:
            raise RuntimeError("there is no association yet")
        return self._fragments, self._agreement
