"""Studies and files that people bring in: dropped files, a watched folder, studies fetched from a PACS.

In: what people choose in the console, each choice a durable row in `transfers`. Out: instances in the archive, by the
same door as those that peers send. What may fail: a transfer ends `failed` with the reason, and may be started again.
"""

from pacs_agent.bring_in.errors import BringInError, UnknownTransfer
from pacs_agent.bring_in.peers import begin_pull, find_studies, ways_of
from pacs_agent.bring_in.process import BringIn, run_bring_in
from pacs_agent.bring_in.query import MOST_FOUND, FoundStudy, StudyQuery
from pacs_agent.bring_in.spool import begin_upload
from pacs_agent.bring_in.transfers import PULLS, SILENCE_S, UNDER_WAY, Act, cancel, start_again

__all__ = [
    "MOST_FOUND",
    "PULLS",
    "SILENCE_S",
    "UNDER_WAY",
    "Act",
    "BringIn",
    "BringInError",
    "FoundStudy",
    "StudyQuery",
    "UnknownTransfer",
    "begin_pull",
    "begin_upload",
    "cancel",
    "find_studies",
    "run_bring_in",
    "start_again",
    "ways_of",
]
