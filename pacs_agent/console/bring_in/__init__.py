"""Bring in: files that are dropped, studies of a peer, the watched folder, each with its progress.

In: uploads, searches and choices of people. Out: rows in `transfers`, which the process `bring-in` carries out. What a
search finds holds names of patients: it is asked by POST and kept in memory, so that no address has a name in it.
"""

from pacs_agent.console.bring_in.blueprint import bring_in_blueprint

__all__ = ["bring_in_blueprint"]
