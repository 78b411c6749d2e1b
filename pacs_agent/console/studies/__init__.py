"""The studies as the administrator sees them: a list to search, and of each all that happened to it.

In: what the archive, the rules, the pipeline and the audit trail know of a study. Out: pages with their JSON twins.
What may fail: an act that the study's state forbids, refused in words.
"""

from pacs_agent.console.studies.blueprint import studies_blueprint

__all__ = ["studies_blueprint"]
