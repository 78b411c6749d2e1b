"""The rules as people write them: in order, checked while they write, tried on a file and on the last studies.

In: the text of the rules, and the version that it rests on. Out: a new version in force, or what it would change. What
may fail: a text that is wrong (with line and field), and a save when somebody else was faster.
"""

from pacs_agent.console.rules.blueprint import rules_blueprint

__all__ = ["rules_blueprint"]
