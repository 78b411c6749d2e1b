"""Answers of a peer reach whoever asked.

Two threads of pynetdicom's requestor take messages from one queue: the one that waits for the answer to its request,
and the association's own, which serves the peer's requests. The latter is asked to pause first, but where it has just
looked whether it should, it takes what comes next once more. An answer that comes within that moment it drops as
unexpected, and who asked waits until the DIMSE timeout.
"""

from typing import Any

from pynetdicom.association import Association


def keep_answers(association: Association) -> None:
    """Lets the association's own thread take requests alone: what is none goes back to the head of the queue."""
    take, queue = association.dimse.get_msg, association.dimse.msg_queue

    def take_own(block: bool = False) -> tuple[int | None, Any]:
        taken: tuple[int | None, Any] = take(block)
        message = taken[1]
        if block or message is None or message.is_valid_request:
            return taken
        with queue.mutex:
            queue.queue.appendleft(taken)
            queue.not_empty.notify()
        return None, None

    association.dimse.get_msg = take_own
