"""What must end before the server can: whoever holds a request for long registers how it is let go."""

from collections.abc import Callable

from flask.sansio.app import App

_NAME = "pacs_agent.ending"


def at_the_end(app: App, end: Callable[[], None]) -> None:
    """Has `end` called when the server stops, before it waits for the requests being served."""
    app.extensions.setdefault(_NAME, []).append(end)


def end_all(app: App) -> None:
    """Calls all that was registered, in its order."""
    for end in app.extensions.get(_NAME, ()):
        end()
