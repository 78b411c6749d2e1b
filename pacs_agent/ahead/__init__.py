"""Slices are read while the rest of their study still arrives, so that little is left to do when it is complete.

In: new rows of the index. Out: slice tokens in the cache of the models in use, and rows that count what was used of
them. Nothing may fail for anybody else: what was not read ahead is read when its study is complete.
"""

from pacs_agent.ahead.allowance import Allowance
from pacs_agent.ahead.counts import AheadOfStudy, ahead_of_study
from pacs_agent.ahead.kit import Kit
from pacs_agent.ahead.reading import ReadAhead

__all__ = ["AheadOfStudy", "Allowance", "Kit", "ReadAhead", "ahead_of_study"]
