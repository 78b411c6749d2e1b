"""The models of a worker: those in use, looked for again when that changes, each loaded when it is first needed."""

import threading

from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.imaging import DecodingPool
from pacs_agent.inference import Bundle, BundlesInUse, Reader, SegmenterBundle, Turns, bundles_in_use, uses_stamp


class ModelsInUse:
    """Bundles that read slice by slice, and segmenters. Safe for any number of threads."""

    def __init__(self, settings: Settings, database: Database, decoding: DecodingPool, turns: Turns) -> None:
        self._settings = settings
        self._database = database
        self._decoding = decoding
        self._turns = turns
        self._found = BundlesInUse()
        self._found_at = ""
        self._readers: dict[str, Reader] = {}
        self._loading = threading.Lock()

    def bundles(self) -> tuple[Bundle, ...]:
        """Those in use, looked for after each activation, recall and installation; while there is none, always."""
        with self._database.reading() as session:
            stamp = uses_stamp(session, self._settings)
        with self._loading:
            if not self._found.bundles or self._found_at != stamp:
                self._found = bundles_in_use(self._settings, self._database)
                self._found_at = stamp
            return self._found.bundles

    def installed(self) -> tuple[Bundle, ...]:
        """All bundles that load, in use or not."""
        return (*self.bundles(), *self._found.beside)

    def asked(self, model: str) -> tuple[Bundle, ...]:
        """Those in use of a name; all where it is empty."""
        return tuple(bundle for bundle in self.bundles() if model in ("", bundle.manifest.name))

    def why_none(self, model: str) -> str:
        """Why there is none of a name, in words."""
        refused = "; ".join(str(refusal) for refusal in self._found.refused)
        named = f"model {model}" if model else "model"
        return f"no {named} is in use from {self._settings.inference.bundles_dir}{f': {refused}' if refused else ''}"

    def segmenters(self) -> tuple[SegmenterBundle, ...]:
        """The segmenters in use, as they were when bundles were looked for last."""
        return self._found.segmenters

    def segmenter(self, digest: str) -> SegmenterBundle | None:
        """A segmenter that loads, in use or not; None where it is recalled, or not installed any more."""
        self.bundles()
        known = (*self._found.segmenters, *self._found.segmenters_beside)
        return next((bundle for bundle in known if bundle.digest == digest), None)

    def reader(self, bundle: Bundle) -> Reader:
        """A bundle, loaded."""
        with self._loading:
            if bundle.digest not in self._readers:
                tokens = self._settings.data_dir / "tokens"
                self._readers[bundle.digest] = Reader(
                    bundle, self._settings.inference, tokens, self._decoding, self._turns
                )
            return self._readers[bundle.digest]
