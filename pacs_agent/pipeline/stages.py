"""What a pipeline must be able to do with a study. The workflow knows pipelines only by this.

Each step is a function of the job and of what earlier steps gave; what it gives is text that survives a restart. It may
be called again after a crash, so it must do no harm twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.inference.reading import SincePrior
from pacs_agent.pipeline.errors import NothingToSay
from pacs_agent.pipeline.shared import Shared
from pacs_agent.results import Predecessor
from pacs_agent.route import Expected

Earlier: TypeAlias = Mapping[str, str]
"""What the earlier steps of this job gave, by their names.

Where a segmenter was chosen, `segmenter` has its digest, and `not_segmented` why it failed where it did. Where there is
an earlier study of the patient, `prior` says which, and where one is to be looked for, `source` has whom to ask.
"""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with how much is done and how much there is; raises JobStopped when the job is canceled."""

_SEGMENTER = "\nsegmenter "
_PRIOR = "\nprior "
_SOURCE = "\nsource "
"""Cannot be within what is selected: JSON escapes line breaks."""


@dataclass(frozen=True)
class JobFacts:
    """A job as its steps see it. `images` are the files of the images received, of all series.

    `expected`: what its rules expect, and what of the study met it; None where they expect nothing.
    `model`: name of the model that is to read; empty for any of those in use.
    """

    job_id: str
    study_instance_uid: str
    input_digest: str
    created_at: datetime
    images: tuple[Path, ...]
    predecessors: tuple[Predecessor, ...]
    expected: Expected | None = None
    model: str = ""

    @property
    def not_come(self) -> str:
        """What is expected and has not come, as a sentence; empty when nothing is missing."""
        missing = self.expected.missing if self.expected else ""
        return f"Expected, and has not come: {missing}." if missing else ""


@dataclass(frozen=True)
class Choice:
    """Which model reads which series: the choice as JSON with its reasons, and what later steps need of it.

    Where no series can be read, `why` says so and `selected` is empty.
    """

    bundle: str
    series_choice: dict[str, Any]
    selected: str = ""
    segmenter: str = ""
    """Digest of the bundle that outlines the series as well; empty where none does."""
    prior: str = ""
    """The prior study that is compared, a SincePrior as JSON; empty where there is none."""
    source: str = ""
    """The destination that is asked for a prior study; empty where none is."""
    why: NothingToSay | None = None


def kept(choice: Choice) -> str:
    """What the workflow keeps of a choice."""
    parts = ((_SEGMENTER, choice.segmenter), (_PRIOR, choice.prior), (_SOURCE, choice.source))
    return choice.selected + "".join(f"{name}{part}" for name, part in parts if part)


def parted(text: str) -> tuple[str, str, str, str]:
    """From what was kept of a choice: what was selected, segmenter, prior, source, each empty where there is none."""
    text, _, source = text.partition(_SOURCE)
    text, _, prior = text.partition(_PRIOR)
    selected, _, segmenter = text.partition(_SEGMENTER)
    return selected, segmenter, prior, source


@dataclass(frozen=True)
class Document:
    """A DICOM file made of a study: its kind (`results.ObjectKind`) and its bytes."""

    kind: str
    part10: bytes


@dataclass(frozen=True)
class Documents:
    """What a job says: the files, and the reading as JSON where there is one.

    `lacks`: what could not be said of it and why, in sentences for people; empty when nothing is missing.
    """

    files: tuple[Document, ...]
    reading: dict[str, Any] | None = None
    lacks: str = ""


class Stages(Protocol):
    """The work of one pipeline. Any method may raise NothingToSay; anything else it raises fails the job."""

    def select_series(self, job: JobFacts) -> Choice:
        """The series to be read."""
        ...

    def encode_missing(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """Encodes the slices that are not encoded yet."""
        ...

    def read_study(self, job: JobFacts, earlier: Earlier) -> str:
        """What the model says."""
        ...

    def weigh_evidence(self, job: JobFacts, earlier: Earlier) -> str:
        """What it rests on."""
        ...

    def segment(self, job: JobFacts, earlier: Earlier, progress: Progress) -> str:
        """What is outlined and measured, where the choice of the series names a segmenter.

        Whatever it raises but JobStopped costs the measurements, not the reading.
        """
        ...

    def find_prior(self, job: JobFacts, earlier: Earlier, began: datetime, progress: Progress) -> SincePrior | None:
        """The earlier study of the patient, where the choice of the series names whom to ask; `began`: when this did.

        Whatever it raises but JobStopped costs the comparison, not the reading.
        """
        ...

    def compose(self, job: JobFacts, earlier: Earlier) -> Documents:
        """The objects that say it in DICOM; always the same bytes for the same job."""
        ...

    def compose_no_result(self, job: JobFacts, why: NothingToSay) -> Documents:
        """The object that says in DICOM why nothing can be said."""
        ...


StagesFactory: TypeAlias = Callable[[Settings, Archive, Shared], Stages]
"""Makes the stages of a pipeline, once for each worker process, with what its pipelines share."""
