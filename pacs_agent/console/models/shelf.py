"""The installed bundles as they are known to the web process: loaded once, and anew when a file has changed."""

import threading

from werkzeug.exceptions import NotFound

from pacs_agent.config import InferenceSettings
from pacs_agent.inference import AnyBundle, BundleRefused, bundle_folders, installed_stamp, load_any


class Shelf:
    """Bundles by the name of their folder; in their place the reason why one is refused."""

    def __init__(self, settings: InferenceSettings) -> None:
        self.settings = settings
        self._stamp = ""
        self._known: dict[str, AnyBundle | BundleRefused] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[str, AnyBundle | BundleRefused]:
        """All that the folder of bundles holds, by name."""
        stamp = installed_stamp(self.settings)
        with self._lock:
            if stamp != self._stamp:
                folders = bundle_folders(self.settings.bundles_dir)
                self._known = {folder.name: self._loaded(folder.name) for folder in folders}
                self._stamp = stamp
            return self._known

    def bundle(self, folder: str) -> AnyBundle:
        """One that is not refused. Raises NotFound with what to do."""
        found = self.all().get(folder)
        if found is None:
            raise NotFound("there is no such bundle; the page of the models lists those installed")
        if isinstance(found, BundleRefused):
            raise NotFound(f"this bundle is refused: {found}")
        return found

    def _loaded(self, folder: str) -> AnyBundle | BundleRefused:
        try:
            return load_any(self.settings.bundles_dir / folder, self.settings.trusted_keys)
        except BundleRefused as refusal:
            return refusal
