"""Procedural phantoms with ground truth: a seed goes in, a CT volume with masks, labels and a report comes out.

Needs only numpy and scipy (and pydicom for `models.phantoms.dicom`). Nothing here can fail but on wrong arguments.
Phantoms teach and test; they say nothing about patients.
"""

from models.phantoms.findings import FINDINGS, Finding, Side
from models.phantoms.thorax import Phantom, generate

__all__ = ["FINDINGS", "Finding", "Phantom", "Side", "generate"]
