"""The frame of the admin console: what every page and every request of `/api/v1` has in common.

In: a room's views, which take checked queries and bodies and give pydantic models. Out: for each a page under
`/console` and its JSON twin under `/api/v1`, described in the OpenAPI document. What may fail: a `Refusal` in words.
"""

from pacs_agent.console.frame.blueprint import frame_blueprint
from pacs_agent.console.frame.operations import Operation, Problem
from pacs_agent.console.frame.paging import Asked, Page, page_of
from pacs_agent.console.frame.room import Done, Nothing, Refusal, Room, acting

__all__ = [
    "Asked",
    "Done",
    "Nothing",
    "Operation",
    "Page",
    "Problem",
    "Refusal",
    "Room",
    "acting",
    "frame_blueprint",
    "page_of",
]
