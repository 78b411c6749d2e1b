"""The OHIF viewer and our plugin, served at the root of the agent's address.

In: requests of a browser. Out: the viewer's files as they were published, a configuration made from the settings, the
plugin. What may fail: files that were not fetched or built; then a page says what to run, and the rest goes on.
"""

from pacs_agent.console.viewer.blueprint import viewer_blueprint
from pacs_agent.console.viewer.build import ViewerBuild, ViewerMissing, find_viewer
from pacs_agent.console.viewer.plugin import missing_modules, study_address

__all__ = ["ViewerBuild", "ViewerMissing", "find_viewer", "missing_modules", "study_address", "viewer_blueprint"]
