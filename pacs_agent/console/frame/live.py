"""News of the console as server-sent events: pages are told which topics changed and ask for their parts again.

One look a second serves all pages together. The console may hold half of the event streams, so that administrators
never take the place of a radiologist's panel; a page that finds none free asks again every ten seconds instead.
"""

import json
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import ServiceUnavailable

from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.ending import at_the_end
from pacs_agent.console.frame.look import CONSOLE, ConsoleLook, marks_of
from pacs_agent.console.readings.events import EventStream
from pacs_agent.console.readings.watch import Sight, Watch
from pacs_agent.console.streams import count_with_others, open_elsewhere, streams_at_most
from pacs_agent.db import Database

OVERVIEW_S = 3.0
"""The overview is told of changes no more often: it changes with everything."""
BEAT_S = 15.0
"""So often it is told though nothing happened: disks fill and workers fall silent without a line in the database."""
RETRY_AFTER_S = 10


class LiveStream(EventStream):
    """The news of all topics for one page, as bytes to be sent."""

    def __init__(self, watch: Watch, **further: Any) -> None:
        super().__init__(watch, CONSOLE, login="", **further)
        self._told: dict[str, str] | None = None
        self._overview_s = self._clock()

    def _news(self, seen: Sight | None) -> bytes:
        """The topics that differ from what was told last; what is there at first the page knows already."""
        if seen is None:
            return b""
        marks = marks_of(seen)
        if self._told is None:
            self._told = marks
            return b""
        changed = [topic for topic, mark in marks.items() if topic != "overview" and self._told[topic] != mark]
        told = {**marks, "overview": self._told["overview"]}
        age_s = self._clock() - self._overview_s
        if age_s >= BEAT_S or (age_s >= OVERVIEW_S and marks["overview"] != self._told["overview"]):
            changed.append("overview")
            told["overview"], self._overview_s = marks["overview"], self._clock()
        self._told = told
        return f"event: changed\ndata: {json.dumps({'topics': changed})}\n\n".encode() if changed else b""


def add_live(blueprint: Blueprint, settings: Settings, database: Database) -> None:
    """Adds `GET /console/events`. It names topics alone, so that everybody who may see the console may hear it."""
    most = streams_at_most(settings.web)
    share = min(most, max(1, most // 2))
    watch = Watch(ConsoleLook(database, settings.data_dir))
    blueprint.record_once(lambda setup: at_the_end(setup.app, watch.close))
    blueprint.record_once(lambda setup: count_with_others(setup.app, watch))

    @blueprint.get("/console/events")
    @needs(*Role)
    def live() -> Response:
        if not watch.enter(CONSOLE, min(share, most - open_elsewhere(watch))):
            raise ServiceUnavailable(
                f"{share} pages of the console are live already, more need web.events_max and web.threads; "
                f"ask for the page again every {RETRY_AFTER_S} s",
                retry_after=RETRY_AFTER_S,
            )
        gone = request.environ.get("waitress.client_disconnected", _not_known)
        response = Response(LiveStream(watch, gone=gone), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would wait for more
        return response


def _not_known() -> bool:
    return False
