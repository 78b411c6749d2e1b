"""When a study is complete, and which jobs it then becomes.

In: the archive's index, quiet times, an operator's force. Out: studies that are complete or ignored, queued jobs, audit
lines, all in one transaction. Fails with UnknownStudy; a study whose files cannot be read is ignored with the reason.
"""

from pacs_agent.assemble.completion import Completion, UnknownStudy, complete_quiet_studies, force
from pacs_agent.assemble.jobs import image_digests, input_digest
from pacs_agent.assemble.quiet import QuietWatch

__all__ = [
    "Completion",
    "QuietWatch",
    "UnknownStudy",
    "complete_quiet_studies",
    "force",
    "image_digests",
    "input_digest",
]
