"""How many event streams are open at a time, of all kinds together: each holds a thread of the web server."""

from collections.abc import Sequence
from typing import Protocol

from flask import current_app
from flask.sansio.app import App

from pacs_agent.config import WebSettings

_NAME = "pacs_agent.streams"


class Watched(Protocol):
    """Something that streams wait for."""

    @property
    def watchers(self) -> int:
        """How many streams wait for it."""
        ...


def streams_at_most(settings: WebSettings) -> int:
    """Never more than half of the threads, so that requests are served besides."""
    return min(settings.events_max, settings.threads // 2)


def count_with_others(app: App, watched: Watched) -> None:
    """Has the streams of one kind counted together with those of all others."""
    app.extensions.setdefault(_NAME, []).append(watched)


def open_elsewhere(watched: Watched) -> int:
    """How many streams of the other kinds are open."""
    kinds: Sequence[Watched] = current_app.extensions.get(_NAME, ())
    return sum(one.watchers for one in kinds if one is not watched)
