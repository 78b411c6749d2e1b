"""The overview: whether anything is wrong, in words and with what to do, and what the agent is doing.

In: the checks and figures of `ops`. Out: one page and its JSON, and the last 24 hours as charts and as a table. It
costs the same with a thousand jobs and with a million: recent rows by index, remembered for some seconds.
"""

from pacs_agent.console.overview.blueprint import overview_blueprint

__all__ = ["overview_blueprint"]
