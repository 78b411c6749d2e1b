"""When a study is complete, and which jobs it then becomes.

In: the archive's index, counts in images and at the source, quiet times, what rules expect, an operator's force. Out:
studies that are complete, held or ignored, queued jobs, audit lines, all in one transaction. Fails with UnknownStudy; a
study whose files cannot be read is ignored with the reason.
"""

from pacs_agent.assemble.assembler import Assembler
from pacs_agent.assemble.completion import Completion, UnknownStudy, force, orders_now
from pacs_agent.assemble.jobs import Order, image_digests, input_digest
from pacs_agent.assemble.priors import last_own_transfer
from pacs_agent.assemble.quiet import QuietWatch
from pacs_agent.assemble.source import Ask, SourceAnswer

__all__ = [
    "Ask",
    "Assembler",
    "Completion",
    "Order",
    "QuietWatch",
    "SourceAnswer",
    "UnknownStudy",
    "force",
    "image_digests",
    "input_digest",
    "last_own_transfer",
    "orders_now",
]
