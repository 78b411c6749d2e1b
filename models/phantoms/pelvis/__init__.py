"""Procedural pelvic MR with ground truth: a seed goes in; T2 in three planes, DWI, ADC and T1 of one anatomy come out.

A rectal tumour is drawn or not; its seven items of staging are measured on the painted geometry. Needs only numpy and
scipy (and pydicom for `models.phantoms.pelvis.dicom`). Nothing here can fail but on wrong arguments. Phantoms teach and
test; they say nothing about patients.
"""

from models.phantoms.pelvis.geometry import Geometry
from models.phantoms.pelvis.person import Person, Sex
from models.phantoms.pelvis.report import Item, ReportSentence
from models.phantoms.pelvis.sequence import PROTOCOL, Plane, Sequence, Weighting
from models.phantoms.pelvis.series import Series
from models.phantoms.pelvis.spread import EmviTruth, NodeTruth
from models.phantoms.pelvis.study import PelvisAnatomy, PelvisPhantom, generate_pelvis, grow_pelvis
from models.phantoms.pelvis.tissue import Tissue
from models.phantoms.pelvis.truth import Sphincter, Truth, TumourTruth
from models.phantoms.pelvis.volume import Volume

__all__ = [
    "PROTOCOL",
    "EmviTruth",
    "Geometry",
    "Item",
    "NodeTruth",
    "PelvisAnatomy",
    "PelvisPhantom",
    "Person",
    "Plane",
    "ReportSentence",
    "Sequence",
    "Series",
    "Sex",
    "Sphincter",
    "Tissue",
    "Truth",
    "TumourTruth",
    "Volume",
    "Weighting",
    "generate_pelvis",
    "grow_pelvis",
]
