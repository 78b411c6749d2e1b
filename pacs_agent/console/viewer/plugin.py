"""Our plugin of the viewer: two modules of JavaScript that `npm run build` makes."""

from pathlib import Path

from flask import Response
from werkzeug.exceptions import NotFound

from pacs_agent.config import WebSettings
from pacs_agent.console.viewer.files import small_file_response

PREFIX = "/plugins/pacs-agent"
MODULES = ("extension.js", "mode.js")
MODE_ROUTE = "pacs-agent"
"""Where the viewer shows a study in our mode: MODE_NAME of src/id.ts."""
VIEWER_ROUTE = "viewer"
"""The viewer's own mode for CT, which is there without us too."""
_GIVEN = {".js", ".map", ".txt"}


def missing_modules(folder: Path) -> list[str]:
    """The modules that have not been built."""
    return [name for name in MODULES if not (folder / name).is_file()]


def study_path(settings: WebSettings, study_instance_uid: str) -> str:
    """Where the viewer opens a study: in our mode, or in its own while ours is not built."""
    route = VIEWER_ROUTE if missing_modules(settings.plugin_dir) else MODE_ROUTE
    return f"/{route}?StudyInstanceUIDs={study_instance_uid}"


def study_address(settings: WebSettings, study_instance_uid: str) -> str:
    """Where a browser on this machine opens a study."""
    return f"http://{settings.host}:{settings.port}{study_path(settings, study_instance_uid)}"


def plugin_response(folder: Path, name: str) -> Response:
    """One file of the plugin. Viewers at other addresses may load it too: it is code, without patient data."""
    file = next((each for each in _files(folder) if each.name == name), None)
    if file is None:
        raise NotFound(f"the plugin has no file {name}; `make viewer` builds it")
    response = small_file_response(file)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _files(folder: Path) -> list[Path]:
    """What may be given: compared by name, so that no path is made of what was asked."""
    return [file for file in folder.iterdir() if file.suffix in _GIVEN] if folder.is_dir() else []
