"""`/app-config.js`, by which the viewer knows where images are and which plugin to load."""

import json
from pathlib import Path
from typing import Any

from pacs_agent.archive.dicomweb import PREFIX as ARCHIVE_ROOT
from pacs_agent.config import WebSettings
from pacs_agent.console.proxy import PREFIX as PACS_ROOT
from pacs_agent.console.viewer.plugin import MODE_ROUTE, MODULES, PREFIX, VIEWER_ROUTE, missing_modules

_SCRIPT = Path(__file__).with_name("app_config.js")


def app_config(settings: WebSettings) -> str:
    """The script: app_config.js and a call of its function with what the settings say."""
    routes = {"ours": MODE_ROUTE, "viewer": VIEWER_ROUTE}
    facts = {"sources": _sources(settings), "plugin": _plugin(settings.plugin_dir), "routes": routes}
    return f"{_SCRIPT.read_text(encoding='utf-8')}\nconfigureViewer({json.dumps(facts)});\n"


def _sources(settings: WebSettings) -> list[dict[str, Any]]:
    """Where images are, the usual place first: the PACS where one is configured, and the agent's own archive."""
    archive = {"name": "archive", "title": "Archive of the agent", "root": ARCHIVE_ROOT}
    pacs = {"name": "pacs", "title": "PACS", "root": PACS_ROOT}
    return [pacs, archive] if settings.pacs else [archive]


def _plugin(folder: Path) -> dict[str, str] | None:
    if missing_modules(folder):
        return None
    return {module.removesuffix(".js"): f"{PREFIX}/{module}" for module in MODULES}
