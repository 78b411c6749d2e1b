"""Whether the models say what they should: what reviewers made of their findings, and how scores and images drift.

In: some weeks. Out: rates with their intervals, distributions against what is usual, and sentences where it is not.
What may fail: nothing but a query that is none.
"""

from pacs_agent.console.quality.blueprint import quality_blueprint

__all__ = ["quality_blueprint"]
