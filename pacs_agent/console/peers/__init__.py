"""Peers: who sends to us and where results go, together as an administrator thinks of them.

In: the tables of peers and destinations, what was last seen of each. Out: pages, tests with the real answer, changes
that are audited before and after. Secrets come in and never go out.
"""

from pacs_agent.console.peers.blueprint import peers_blueprint

__all__ = ["peers_blueprint"]
