"""The log: the last lines of every process of this agent on this machine, without patient data.

In: what is asked for (level, room, text, time). Out: a page that follows the log, and its JSON. Lines that were dropped
because newer ones needed the room are gone.
"""

from pacs_agent.console.logs.blueprint import logs_blueprint

__all__ = ["logs_blueprint"]
