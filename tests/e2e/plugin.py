"""The plugin as it is now, and the pinned viewers that it runs in."""

import subprocess
from pathlib import Path

from tests.e2e.browser import npm
from tests.peers.running import Missing

REPOSITORY = Path(__file__).resolve().parents[2]
EXTENSION = REPOSITORY / "ohif-extension"
VIEWERS = REPOSITORY / ".cache" / "viewer"


def build_plugin() -> None:
    """Builds `ohif-extension/dist`. Raises Missing with npm's words."""
    if not (EXTENSION / "node_modules" / "esbuild").is_dir():
        npm(EXTENSION, "ci")
    npm(EXTENSION, "run", "build")


def fetch_viewer(version: str | None = None) -> Path:
    """The folder of a pinned OHIF, the default one without `version`; fetched where it is not there. Raises Missing."""
    out = VIEWERS / version if version else EXTENSION / "viewer"
    asked = ["--version", version, "--out", str(out)] if version else []
    command = ["node", str(EXTENSION / "scripts" / "fetch-viewer.mjs"), *asked]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280)
    if ended.returncode:
        raise Missing(f"OHIF {version or ''} cannot be fetched: {ended.stderr[-500:]}")
    return out
