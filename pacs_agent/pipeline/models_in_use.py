"""The models of a worker: those in use, looked for again when that changes, each loaded when it is first needed."""

import threading
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from pacs_agent.config import Settings
from pacs_agent.db import Database
from pacs_agent.inference import (
    Bundle,
    BundleIdentity,
    BundlesInUse,
    SegmenterBundle,
    StagingBundle,
    bundles_in_use,
    uses_stamp,
)
from pacs_agent.pipeline.errors import JobFailed, NothingToSay

AnyBundle = TypeVar("AnyBundle", Bundle, StagingBundle)
AnyReader = TypeVar("AnyReader")
OfTask: TypeAlias = Callable[[BundlesInUse], tuple[tuple[AnyBundle, ...], tuple[AnyBundle, ...]]]

_FAILED_CODE = "model_failed"


class ModelsInUse(Generic[AnyBundle, AnyReader]):
    """Bundles of one task that read studies, and the segmenters. Safe for any number of threads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        of_task: OfTask[AnyBundle],
        load: Callable[[AnyBundle], AnyReader],
        called: str = "model",
    ) -> None:
        """`of_task`: of all bundles those in use, and those installed beside them; `called`: what people call one."""
        self._settings = settings
        self._database = database
        self._of_task: OfTask[AnyBundle] = of_task
        self._load: Callable[[AnyBundle], AnyReader] = load
        self._called = called
        self._found = BundlesInUse()
        self._found_at = ""
        self._readers: dict[str, AnyReader] = {}
        self._loading = threading.Lock()

    def bundles(self) -> tuple[AnyBundle, ...]:
        """Those in use, looked for after each activation, recall and installation; while there is none, always."""
        with self._database.reading() as session:
            stamp = uses_stamp(session, self._settings)
        with self._loading:
            if not self._of_task(self._found)[0] or self._found_at != stamp:
                self._found = bundles_in_use(self._settings, self._database)
                self._found_at = stamp
            return self._of_task(self._found)[0]

    def installed(self) -> tuple[AnyBundle, ...]:
        """All bundles that load, in use or not."""
        return self.bundles() + self._of_task(self._found)[1]

    def asked(self, model: str) -> tuple[AnyBundle, ...]:
        """Those in use of a name; all where it is empty."""
        return tuple(bundle for bundle in self.bundles() if model in ("", bundle.manifest.name))

    def chosen(self, digest: str) -> AnyBundle:
        """The bundle that was chosen for a job. Raises JobFailed where it is not installed any more."""
        for bundle in self.installed():
            if bundle.digest == digest:
                return bundle
        raise JobFailed(f"the model {digest[:12]} that was chosen for this job is not installed any more; rerun it")

    def identity(self, digest: str) -> BundleIdentity | None:
        """Which model a digest is; None where it is not in use."""
        return next((bundle.identity() for bundle in self.bundles() if bundle.digest == digest), None)

    def why_none(self, model: str) -> str:
        """Why there is none of a name, in words."""
        refused = "; ".join(str(refusal) for refusal in self._found.refused)
        named = f"{self._called} {model}" if model else self._called
        return f"no {named} is in use from {self._settings.inference.bundles_dir}{f': {refused}' if refused else ''}"

    def segmenters(self) -> tuple[SegmenterBundle, ...]:
        """The segmenters in use, as they were when bundles were looked for last."""
        return self._found.segmenters

    def segmenter(self, digest: str) -> SegmenterBundle | None:
        """A segmenter that loads, in use or not; None where it is recalled, or not installed any more."""
        self.bundles()
        known = (*self._found.segmenters, *self._found.segmenters_beside)
        return next((bundle for bundle in known if bundle.digest == digest), None)

    def reader(self, bundle: AnyBundle) -> AnyReader:
        """A bundle, loaded."""
        with self._loading:
            if bundle.digest not in self._readers:
                self._readers[bundle.digest] = self._load(bundle)
            return self._readers[bundle.digest]


def failed(digest: str, error: Exception) -> NothingToSay:
    """What a study is told of whose model stopped."""
    return NothingToSay(_FAILED_CODE, str(error), digest)
