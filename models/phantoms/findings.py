"""The findings a thorax phantom can carry, in the order in which a radiologist reports them."""

from enum import StrEnum


class Finding(StrEnum):
    """A finding of the CT-RATE label set; the value is its key in labels, masks, manifests and report tags."""

    LUNG_NODULE = "lung_nodule"
    CONSOLIDATION = "consolidation"
    ATELECTASIS = "atelectasis"
    EMPHYSEMA = "emphysema"
    PLEURAL_EFFUSION = "pleural_effusion"
    CARDIOMEGALY = "cardiomegaly"
    PERICARDIAL_EFFUSION = "pericardial_effusion"
    CORONARY_CALCIFICATION = "coronary_artery_wall_calcification"
    ARTERIAL_CALCIFICATION = "arterial_wall_calcification"
    HIATAL_HERNIA = "hiatal_hernia"


FINDINGS: tuple[Finding, ...] = tuple(Finding)


class Side(StrEnum):
    """Side of the patient, not of the image."""

    RIGHT = "right"
    LEFT = "left"
    BILATERAL = "bilateral"
