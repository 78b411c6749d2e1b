"""What the model says of one study: the facts from which every DICOM object and the panel are made."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_agent.imaging import Measured
from pacs_agent.imaging.series import OrderedSeries, Slice
from pacs_agent.inference.attributes import Attributes


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Code(_Frozen):
    """A coded concept. PS3.3 8.1."""

    value: str
    scheme: str
    meaning: str


class FindingLabel(_Frozen):
    """A finding a model can report, from the label table of its manifest."""

    key: str
    name: str
    code: Code
    site: Code


class Presence(StrEnum):
    """What is said of a finding: by its calibrated probability and its operating point."""

    PRESENT = "present"
    UNCERTAIN = "uncertain"
    ABSENT = "absent"


class EvidenceMethod(StrEnum):
    """How slice evidence is found."""

    SLICE_WEIGHTS = "slice_weights"
    """The model's own weight of each slice."""
    LEAVE_SLICES_OUT = "leave_slices_out"
    """How far the finding's score falls without a slice and those around it."""
    ATTENTION = "attention"
    """How much the finding's score attends to a slice."""


class SliceEvidence(_Frozen):
    """A slice on which a finding rests, and where in it the finding is strongest."""

    index: int
    sop_instance_uid: str
    frame_number: int | None
    weight: float
    peak_px: tuple[float, float] | None = None
    """Row and column, in the layout of the Slice; whole numbers are centres of pixels. None: not known."""
    peak_mm: tuple[float, float, float] | None = None
    """The same point in the patient coordinate system. PS3.3 C.7.6.2.1.1."""
    peak_heat: float | None = None
    """The heat there, in [0, 1]."""


class FindingReading(_Frozen):
    """One finding in one study. `slice_weights[i]` in [0, 1] belongs to slice i of all series that were read."""

    label: FindingLabel
    probability: float
    operating_point: float
    uncertain_from: float | None = None
    """From here to the operating point the finding is uncertain. None in readings made before this was kept."""
    presence: Presence
    attributes: Attributes = Attributes()
    """What is said of it; empty when absent."""
    applies: tuple[Literal["side", "lobe", "grade", "count"], ...] | None = None
    """Which attributes can be said of it. None in readings made before this was kept."""
    grades: tuple[str, ...] = ()
    """The words for its grades, from the least to the most."""
    concern: int = 0
    """How soon it wants attention, 0 to 3, as the manifest said. 0 in readings made before this was kept."""
    slice_weights: tuple[float, ...]
    evidence: tuple[SliceEvidence, ...]
    """The strongest slices, strongest first; empty when absent."""

    @property
    def grade(self) -> str:
        """The word for its grade; empty when it has none."""
        grade = self.attributes.grade
        return self.grades[grade] if grade is not None and grade < len(self.grades) else ""


class Sentence(_Frozen):
    """One sentence of the draft report and the findings (keys) that license it."""

    text: str
    findings: tuple[str, ...]
    positive: bool
    fixed: bool = False
    """Written by the agent, because the decoder came to no end, said what the scores do not, or was not asked."""


class BundleIdentity(_Frozen):
    """Which model spoke. `digest` is over the manifest, which names the digest of every graph."""

    name: str
    version: str
    digest: str
    device_uid: str
    manufacturer: str
    intended_use: str
    training_data: str
    demo: bool
    """True for a model that learned from phantoms: every object then says that it is not for clinical use."""


class MeasuredRegion(_Frozen):
    """A region that a segmenter outlined, and its measurements."""

    structure: str
    """Key of the structure in the segmenter's manifest."""
    name: str
    category: Code
    type: Code
    kind: Literal["organ", "lesion"]
    finding: str | None
    """Key of the finding that it measures; None where it measures none."""
    side: Literal["", "left", "right"]
    number: int
    """From 1 within the structure."""
    segment_number: int
    """From 1; the segment of the segmentation object that is this region."""
    measured: Measured


class Measurements(_Frozen):
    """All regions of the series that was read, and the model that outlined them."""

    model: BundleIdentity
    regions: tuple[MeasuredRegion, ...]
    mask_digest: str
    """SHA-256 over the masks and where they lie."""

    def of_finding(self, key: str) -> tuple[MeasuredRegion, ...]:
        """The regions that measure a finding, by segment number."""
        return tuple(region for region in self.regions if region.finding == key)


class MeasuredDistance(_Frozen):
    """A straight distance in the patient that belongs to a finding, and the points between which it was measured."""

    finding: str
    """Key of the finding that it measures."""
    name: str
    type: Code
    """What was measured."""
    value_mm: float
    ends_mm: tuple[tuple[float, float, float], tuple[float, float, float]]
    """In the patient coordinate system. PS3.3 C.7.6.2.1.1."""
    series_instance_uid: str
    """Of the series that it was measured on."""
    frame_of_reference_uid: str
    """Of that series; empty where its images name none."""


class Change(StrEnum):
    """How a finding stands beside the prior study."""

    NEW = "new"
    GONE = "gone"
    LARGER = "larger"
    SMALLER = "smaller"
    UNCHANGED = "unchanged"
    """By what it was compared by, within the tolerance of that."""
    NOT_COMPARABLE = "not_comparable"


class Obstacle(StrEnum):
    """Why a finding cannot be compared with the prior study."""

    UNCERTAIN = "uncertain"
    """It is uncertain in one of the two."""
    PLACE = "place"
    """In one of the two no side is said of it."""
    LOBES = "lobes"
    """It lies in other lobes of the same side."""
    COUNT = "count"
    """Another number of them is said."""
    EXTENT = "extent"
    """It lies on another number of sides, and its grade is of all of it."""
    GRADE = "grade"
    """Its grades are one apart, which is no more than a grading may err, or one of them is not known."""
    CONTRADICTION = "contradiction"
    """Its grade has gone one way, its measurement the other."""


class PriorSlice(_Frozen):
    """A slice of the prior study on which a finding rests."""

    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None
    series_instance_uid: str = ""
    """Empty where it is of the series that is named for the whole."""


class FindingChange(_Frozen):
    """How one finding stands beside the prior study, as a whole or on some sides."""

    finding: str
    """Its key."""
    change: Change
    sides: tuple[Literal["right", "left"], ...] = ()
    """Where this is said of it. Empty: of all of it."""
    by: Literal["presence", "grade", "volume", "diameter"] = "presence"
    """What was compared: whether it is present, its grade, mL of its regions, or its longest extent in mm."""
    value: float | None = None
    """What it is by now: index of the grade, mL or mm. None: compared by presence alone."""
    prior_value: float | None = None
    obstacle: Obstacle | None = None
    prior_slices: tuple[PriorSlice, ...] = ()
    """Those on which the finding rests in the prior study, strongest first; empty where it is absent there."""


class PriorStudy(_Frozen):
    """An earlier study of the same patient, and the job whose reading of it is compared."""

    study_instance_uid: str
    study_date: str
    """YYYYMMDD. PS3.5 6.2, DA."""
    job_id: str


class SincePrior(_Frozen):
    """What changed since the prior study; where nothing is compared, why."""

    prior: PriorStudy | None = None
    """None where it is in doubt whether it is of the same patient: nothing of it is named."""
    series_instance_uid: str = ""
    """Of the prior study, the series that was read first; empty where nothing is compared."""
    not_compared: str = ""
    """Why nothing is compared, a sentence; empty where findings are."""
    search_failed: bool = False
    """An earlier study could not be looked for, or not be had in time. `prior` is None, and documents say so."""
    findings: tuple[FindingChange, ...] = ()
    """In the order of the model; those that are absent in both studies are left out."""

    def of_finding(self, key: str) -> tuple[FindingChange, ...]:
        """What is said of one finding; nothing where it is absent in both studies."""
        return tuple(one for one in self.findings if one.finding == key)


class TokensRead(_Frozen):
    """Where the slice tokens of a reading lie in the cache, and what of each slice they cover: enough for its heat."""

    encoder_digest: str
    """SHA-256 of the slice encoder that made them."""
    keys: tuple[str, ...]
    """One for each slice of all series."""
    token_width: int
    patch_grid: tuple[int, int]
    field_px: tuple[int, int]
    pixel_mm: float
    structures: int = 0
    """How many structures the patches mark where these are not the findings one by one; 0 where they are."""
    structure_of: dict[str, int] = {}
    """By the key of a finding, the place of the structure that shows it."""


class SaliencyMap(_Frozen):
    """A map of where the encoder sees a finding, made beside the reports."""

    finding: str
    """Its key."""
    series: Annotated[int, Field(ge=0)] = 0
    """Place of the series on whose slices it lies, among all that were read."""
    form: Literal["patches", "images"]
    """A grid of patches, or the same laid on the stored images pixel for pixel."""
    digest: str
    """SHA-256 over the values of all slices and where they lie."""


class StudyReading(_Frozen):
    """Everything a model says of one study."""

    bundle: BundleIdentity
    series: OrderedSeries
    further_series: tuple[OrderedSeries, ...] = ()
    """The other series of the study that were read together with it. Slices are counted through all of them."""
    sequences: tuple[str, ...] = ()
    """How each of all series is weighted, as `T2`; empty where the model is not told."""
    findings: tuple[FindingReading, ...]
    sentences: tuple[Sentence, ...]
    impression: tuple[Sentence, ...]
    evidence_method: EvidenceMethod | None = None
    """How the slice weights were found. None in readings made before this was kept."""
    tokens: TokensRead | None = None
    """None in readings made before this was kept."""
    measurements: Measurements | None = None
    """None where no segmenter looked."""
    distances: tuple[MeasuredDistance, ...] = ()
    """Those that the model measured itself; a segmenter's are among `measurements`."""
    since_prior: SincePrior | None = None
    """None where there is no earlier study of the patient, or none is looked for."""
    saliency_maps: tuple[SaliencyMap, ...] = ()
    """Those that were made; of a finding one at most on each series."""

    @property
    def all_series(self) -> tuple[OrderedSeries, ...]:
        """Every series that was read, in the order in which their slices are counted."""
        return self.series, *self.further_series

    @property
    def all_slices(self) -> tuple[Slice, ...]:
        """The slices of all series: a slice weight and the index of an evidence slice are places among these."""
        return tuple(one for series in self.all_series for one in series.slices)

    def finding(self, key: str) -> FindingReading:
        """The reading of one finding. Raises KeyError for a label this model does not know."""
        for reading in self.findings:
            if reading.label.key == key:
                return reading
        raise KeyError(key)
