"""Users and tokens: who may use the agent, as whom, and since when.

In: what an administrator changes. Out: accounts and tokens, each change in the audit trail with before and after. What
may fail: a change that would give somebody more than he has, or leave nobody who administers.
"""

from pacs_agent.console.people.blueprint import people_blueprint

__all__ = ["people_blueprint"]
