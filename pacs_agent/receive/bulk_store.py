"""C-STORE from the wire (PS3.7 9.1.1, PS3.4 B.2): the data set goes to the archive as it comes, the answer after it."""

from contextlib import suppress

from pacs_agent.receive.contexts import is_storage
from pacs_agent.receive.incoming import Announced, Incoming
from pacs_agent.receive.intake import Intake, discard
from pacs_agent.receive.refusal import IdentityMismatch, OutOfResources, Refusal
from pacs_agent.receive.store import NOT_AUTHORISED, SUCCESS, Tally, comment_of
from pacs_agent.receive.wire.association import Association, Message
from pacs_agent.receive.wire.breach import Breach
from pacs_agent.receive.wire.commands import store_response

C_STORE_RQ = 0x0001
_NOWHERE = memoryview(bytearray(1 << 17))


class Nowhere:
    """Where bytes go that nobody keeps."""

    def room(self, count: int) -> memoryview:
        """Always the same memory."""
        return _NOWHERE[:count]

    def advance(self, count: int) -> None:
        """Nothing is kept."""


class Arriving:
    """The data set of one C-STORE: kept until a refusal, then read to nowhere, as its sender goes on with the next."""

    def __init__(self, intake: Intake, announced: Announced, most_bytes: int, objection: Refusal | None = None) -> None:
        self._intake = intake
        self._announced = announced
        self._most_bytes = most_bytes
        self.incoming: Incoming | None = None
        self.refusal: Refusal | None = None
        if objection is not None:
            self._refuse(objection)
            return
        try:
            self.incoming = intake.begin(announced)
        except Refusal as early:
            self.refusal = early

    def room(self, count: int) -> memoryview:
        """Where the next bytes go."""
        if self.incoming is None:
            return _NOWHERE[:count]
        try:
            if self.incoming.size_bytes + count > self._most_bytes:
                raise OutOfResources(f"more than {self._most_bytes >> 20} MB in one instance: dimse.max_object_mb")
            return self.incoming.room(count)
        except OutOfResources as refusal:
            self._refuse(refusal)
            return _NOWHERE[:count]

    def advance(self, count: int) -> None:
        """So many bytes were put there."""
        if self.incoming is not None:
            self.incoming.advance(count)

    def discard(self) -> None:
        """Leaves nothing behind. Does no harm when the instance is archived."""
        if self.incoming is not None:
            discard(self.incoming)

    def _refuse(self, refusal: Refusal) -> None:
        self.discard()
        self.incoming, self.refusal = None, refusal
        with suppress(Refusal):
            self._intake.refuse(refusal, self._announced)


def receive_instance(
    association: Association, message: Message, intake: Intake, source: str, most_bytes: int
) -> Arriving:
    """Reads the data set of a C-STORE request. Raises Breach, PeerGone; nothing is left then."""
    command = message.command
    if not command.has_data_set:
        raise Breach("a C-STORE request without a data set")
    announced = Announced(command.sop_class_uid, command.sop_instance_uid, message.context.transfer_syntax_uid, source)
    arriving = Arriving(intake, announced, most_bytes, _objection(message))
    try:
        association.read_data_set(message, arriving, 2 * most_bytes)
    except BaseException:
        arriving.discard()
        raise
    return arriving


def answer(message: Message, arriving: Arriving, intake: Intake, tally: Tally) -> bytes:
    """Archives what arrived, and gives the C-STORE-RSP: Success only when the instance is safe on disk."""
    size_bytes = 0
    try:
        if arriving.refusal is not None or arriving.incoming is None:
            raise arriving.refusal or OutOfResources("the instance was not kept")
        size_bytes = arriving.incoming.size_bytes
        receipt = intake.finish(arriving.incoming)
    except Refusal as refusal:
        arriving.refusal = refusal
        tally.refuse(refusal)
        return store_response(message.command, refusal.status, comment_of(refusal))
    tally.count(receipt, size_bytes)
    return store_response(message.command, SUCCESS)


def not_authorised(message: Message) -> bytes:
    """The answer to a peer whose association holds no context for storage."""
    return store_response(message.command, NOT_AUTHORISED, "this peer may not store")


def _objection(message: Message) -> Refusal | None:
    """Why an instance cannot be of its presentation context."""
    announced, agreed = message.command.sop_class_uid, message.context.sop_class_uid
    if not is_storage(agreed) or announced != agreed:
        return IdentityMismatch(f"SOP class {announced[:64]!r} on a context of {agreed}")
    return None
