"""The JSON of the readings API, as the panel reads it. Field names are on the wire; times are ISO 8601 with a zone."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.db import StepState
from pacs_agent.imaging import Plane
from pacs_agent.inference import Presence
from pacs_agent.inference.reading import Change, Obstacle
from pacs_agent.review import DocumentNow, ReviewNow

Pixel = tuple[float, float]
"""Row and column, whole numbers at centres of pixels, in the layout of the Slice; a stored file may lie otherwise."""
Place = tuple[float, float, float]
"""In the patient coordinate system, in mm. PS3.3 C.7.6.2.1.1."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class State(StrEnum):
    """What there is of a study."""

    NONE = "none"
    """Nothing: the agent does not know the study, or its reading was canceled."""
    PENDING = "pending"
    """Images are still arriving, or the study is being read, and there is no result to show meanwhile."""
    NOT_APPLICABLE = "not_applicable"
    """No rule or no model reads it; the reason says why."""
    FAILED = "failed"
    """The reading broke off; the reason says why."""
    READY = "ready"
    """There is a result. `job` tells when a newer reading is under way."""


class Coded(_Frozen):
    """A coded concept. PS3.3 8.1."""

    value: str
    scheme: str
    meaning: str


class StepNow(_Frozen):
    """One step of a job."""

    name: str
    """For example `encode_missing`, or `deliver:` with the name of a destination."""
    state: StepState
    detail: str
    started_at: datetime
    finished_at: datetime | None


class JobNow(_Frozen):
    """How far a reading job is."""

    id: str
    state: str
    progress: float = Field(ge=0, le=1)
    created_at: datetime
    finished_at: datetime | None
    steps: tuple[StepNow, ...]


class Model(_Frozen):
    """Which model spoke."""

    name: str
    version: str
    digest: str
    """SHA-256 of the bundle's manifest."""
    device_uid: str
    manufacturer: str
    intended_use: str
    training_data: str
    demo: bool
    """True for a model that learned from phantoms: not for clinical use."""


class SliceOfSeries(_Frozen):
    """A slice that was read: an instance, or one frame of it (from 1)."""

    sop_instance_uid: str
    frame_number: int | None
    z_mm: float
    """Along the slice normal, towards the head, the left or posterior."""
    instance_number: int | None
    rows: int
    columns: int


class SeriesRead(_Frozen):
    """A series that was read, its slices in ascending z."""

    series_instance_uid: str
    """Several may have the same: a DICOM series of two b-values is two that were read."""
    frame_of_reference_uid: str | None
    modality: str
    description: str
    plane: Plane
    """By the normal of its slices, never by its description."""
    sequence: str
    """What its images show, such as `T2` or `DWI b800`; empty where it is not known, and of CT."""
    slices: tuple[SliceOfSeries, ...]


class Evidence(_Frozen):
    """A slice on which a finding rests, and the point at which the finding is strongest there."""

    index: int
    """Of the slice among those of `series` and then of `further_series`."""
    series_instance_uid: str
    sop_instance_uid: str
    frame_number: int | None
    weight: float
    peak_px: Pixel | None
    peak_mm: Place | None
    peak_heat: float | None


class Finding(_Frozen):
    """What is said of one finding."""

    key: str
    name: str
    code: Coded
    site: Coded
    concern: int
    """How soon it wants attention, 0 to 3."""
    probability: float
    operating_point: float
    """From here on the finding is said to be present."""
    uncertain_from: float | None
    """From here to the operating point it is uncertain. Null: not known."""
    presence: Presence
    sides: tuple[Literal["right", "left"], ...]
    lobes: tuple[str, ...]
    grade: int | None
    grade_word: str
    grades: tuple[str, ...]
    """The words for its grades, from the least to the most."""
    count: Literal["one", "few", "many"] | None
    applies: tuple[Literal["side", "lobe", "grade", "count"], ...]
    """Which of these a reviewer may say of it."""
    slice_weights: tuple[float, ...]
    """One for each slice of `series` and then of `further_series`, in [0, 1]."""
    evidence: tuple[Evidence, ...]
    """Strongest first; empty when absent."""


class SentenceSaid(_Frozen):
    """One sentence of the draft report and the keys of the findings that license it."""

    text: str
    findings: tuple[str, ...]
    positive: bool
    fixed: bool
    """Written by the agent, not by the model's decoder."""


class RegionMeasured(_Frozen):
    """A region that a segmenter outlined, and what was measured of it."""

    structure: str
    name: str
    """Of the structure."""
    kind: Literal["organ", "lesion"]
    finding: str | None
    """Key of the finding that it measures. Null: none."""
    side: Literal["", "left", "right"]
    number: int
    """From 1 within the structure."""
    segment_number: int
    """Of the object of kind `segmentation`."""
    stated: bool
    """Whether the draft may say its numbers: only of a finding that is present, on a side where it is said to be."""
    volume_ml: float
    longest_diameter_mm: float
    short_diameter_mm: float
    """At right angles to the longest, in the same slice."""
    diameter_index: int
    """Of that slice in the series."""
    diameter_image: int | None
    """What people find the slice by, as the draft says it: its frame, or its Instance Number. Null: it has none."""
    diameter_ends_mm: tuple[Place, Place]
    mean_hu: float | None
    sd_hu: float | None


class Measurements(_Frozen):
    """What was outlined and measured in the series, and by which model."""

    model: Model
    regions: tuple[RegionMeasured, ...]
    recalled: str | None
    """Why this version of the segmenter was recalled: its measurements are not to be relied on. Null: it was not."""


class DistanceMeasured(_Frozen):
    """A straight distance in the patient that the model measured, and its ends."""

    finding: str
    """Key of the finding that it measures."""
    name: str
    type: Coded
    value_mm: float
    ends_mm: tuple[Place, Place]
    series_instance_uid: str
    """Of the series that it was measured on."""
    frame_of_reference_uid: str | None
    index: int | None
    """Of the slice of that series in which its middle lies, among those of all series. Null: it was not read."""


class SliceNamed(_Frozen):
    """A slice by its instance, and its frame (from 1) where the instance has several."""

    sop_instance_uid: str
    frame_number: int | None


class ChangeOfFinding(_Frozen):
    """How a finding stands beside the prior study, as a whole or on some sides."""

    finding: str
    """Its key."""
    change: Change
    sides: tuple[Literal["right", "left"], ...]
    """Where this is said of it. Empty: of all of it."""
    by: Literal["presence", "grade", "volume", "diameter"]
    """What was compared. Of presence alone nothing is known of sizes."""
    value: float | None
    """What it is by now: index into `grades`, mL or mm."""
    prior_value: float | None
    obstacle: Obstacle | None
    """Why it cannot be compared. Null: it was."""
    slices: tuple[SliceNamed, ...]
    """On which it rests in this study, strongest first."""
    prior_slices: tuple[SliceNamed, ...]
    """On which it rests in the prior study, strongest first."""


class SincePrior(_Frozen):
    """What changed since the prior study, the latest earlier one of the patient that the model has read."""

    study_date: str | None
    """Of this study, as in 2026-05-03. Null: not known."""
    prior_study_instance_uid: str | None
    """Null: it is in doubt whether the study is of the same patient."""
    prior_study_date: str | None
    prior_series_instance_uid: str | None
    not_compared: str
    """Why nothing is compared, a sentence; empty where findings are."""
    findings: tuple[ChangeOfFinding, ...]
    """In the order of the model; those that are absent in both studies are left out."""


class Result(_Frozen):
    """What a model says of a study, and where the objects that say it in DICOM are."""

    job_id: str
    run: int
    created_at: datetime
    model: Model
    series: SeriesRead
    further_series: tuple[SeriesRead, ...]
    """Read together with it, in the order of the model; empty for models that read one series."""
    findings: tuple[Finding, ...]
    """In the order of the model."""
    sentences: tuple[SentenceSaid, ...]
    impression: tuple[SentenceSaid, ...]
    evidence_method: str | None
    measurements: Measurements | None
    """Null: no segmenter looked, or what it did is lost; `reason` says that."""
    distances: tuple[DistanceMeasured, ...]
    """Those that the model measured itself."""
    has_heat: bool
    """Whether heat was kept for its slices when they were read."""
    since_prior: SincePrior | None
    """Null: there is no earlier study of the patient, or none is looked for."""
    objects: tuple[DocumentNow, ...]
    recalled: str | None
    """Why this version of the model was recalled: its results are not to be relied on. Null: it was not."""


class Earlier(_Frozen):
    """One line of the history of a study's readings."""

    job_id: str
    created_at: datetime
    state: str
    model: str
    superseded: bool
    """A later reading took its place."""
    reason: str


class StudyAnswer(_Frozen):
    """All that the panel shows of a study."""

    study_instance_uid: str
    state: State
    reason: str
    """Why there is no result, or why the newest reading is not the one shown, and what to do. Then what the result
    that is shown lacks, and whether what measured for it was recalled. Else empty."""
    job: JobNow | None
    """The newest reading job, also while an older result is shown."""
    result: Result | None
    """The newest result there is."""
    history: tuple[Earlier, ...]
    """All reading jobs, newest first."""
    review: ReviewNow | None
    """The newest saved review of the result."""


class HeatOfSlice(_Frozen):
    """Where a finding lies in one slice: a grid of values in [0, 1], `values[row][column]`.

    The centre of the patch in row r and column c lies at `origin_px` + (r, c) × `step_px` in the slice's pixels, and at
    `origin_mm` + r × `row_step_mm` + c × `column_step_mm` in the patient. Patches may lie outside of the image.
    """

    values: tuple[tuple[float, ...], ...]
    origin_px: Pixel
    step_px: Pixel
    origin_mm: Place
    row_step_mm: Place
    column_step_mm: Place
    peak_px: Pixel
    peak_mm: Place
    peak_heat: float
