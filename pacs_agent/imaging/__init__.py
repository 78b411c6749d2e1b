"""Series of files become ordered slices with geometry in mm and stored values that mean HU or intensities.

In: Part 10 files of the archive. Out: an OrderedSeries, the choice among a study's series with its reasons, and decoded
slices. May fail: UnusableSeries and UnusableSlice, both UnusableImages with a ReasonCode and a sentence.
"""

from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.imaging.acquisition import (
    AcquiredStudy,
    Answer,
    BolusPhase,
    Component,
    Contrast,
    Correction,
    Corrections,
    LeftOut,
    Nulling,
    Stack,
    Values,
    Weighting,
    group_study,
    is_same_scan,
    no_corrections,
    reconstruction_order,
)
from pacs_agent.imaging.body_part import body_part_fault
from pacs_agent.imaging.choose import Promise, SeriesChoice, SeriesVerdict, choose_series, promise_of, slices_ahead
from pacs_agent.imaging.decoding import Decoded, DecodingPool, decoded_each
from pacs_agent.imaging.frames import SLICE_CLASSES, Frame, frames_of
from pacs_agent.imaging.geometry import Turn, canonical_normal, turn_between
from pacs_agent.imaging.headers import HeaderFile, RecentHeaders, read_headers, without_large_private_values
from pacs_agent.imaging.measure import Measured, measure
from pacs_agent.imaging.order import order_series
from pacs_agent.imaging.part import SeriesPart
from pacs_agent.imaging.pixels import decoded, hounsfield_units, read_slices
from pacs_agent.imaging.refusal import ReasonCode, UnusableImages, UnusableSeries, UnusableSlice
from pacs_agent.imaging.regrid import Lattice, grid_over, labels_on_source, lattice_of, nearest, onto_grid
from pacs_agent.imaging.series import OrderedSeries, Plane, Slice

__all__ = [
    "SLICE_CLASSES",
    "AcceptedInput",
    "AcquiredStudy",
    "Answer",
    "BolusPhase",
    "Component",
    "Contrast",
    "Correction",
    "Corrections",
    "Decoded",
    "DecodingPool",
    "Frame",
    "HeaderFile",
    "Lattice",
    "LeftOut",
    "Measured",
    "Nulling",
    "OrderedSeries",
    "Plane",
    "Promise",
    "ReasonCode",
    "RecentHeaders",
    "SeriesChoice",
    "SeriesPart",
    "SeriesVerdict",
    "Slice",
    "Stack",
    "Turn",
    "UnusableImages",
    "UnusableSeries",
    "UnusableSlice",
    "Values",
    "Weighting",
    "body_part_fault",
    "canonical_normal",
    "choose_series",
    "decoded",
    "decoded_each",
    "frames_of",
    "grid_over",
    "group_study",
    "hounsfield_units",
    "is_same_scan",
    "labels_on_source",
    "lattice_of",
    "measure",
    "nearest",
    "no_corrections",
    "onto_grid",
    "order_series",
    "promise_of",
    "read_headers",
    "read_slices",
    "reconstruction_order",
    "slices_ahead",
    "turn_between",
    "without_large_private_values",
]
