"""From a measured size to a grade: one table of thresholds, with where they come from."""

from models.phantoms.findings import Finding, Grade

THRESHOLDS: dict[Finding, tuple[float, float]] = {
    # Mean diameter of the largest in mm: below 8, to 15, above (Fleischner 2017; Lung-RADS 2022 category 4B).
    Finding.LUNG_NODULE: (8.0, 15.0),
    # Share of the lungs' volume: below 5 %, to 20 %, above (after Pan, Radiology 2020;295:715).
    Finding.LUNG_OPACITY: (0.05, 0.20),
    # Share of the lungs' volume: a part of a segment, about a segment, most of a lobe.
    Finding.CONSOLIDATION: (0.015, 0.05),
    # Largest extent in mm of a band; a collapse is measured by its depth times two.
    Finding.ATELECTASIS: (35.0, 60.0),
    # Share of the lungs' volume.
    Finding.FIBROTIC_SEQUELA: (0.004, 0.03),
    # Share of the lungs' volume that is air space: Fleischner 2015 (Lynch, Radiology 277:192), by the eye's steps.
    Finding.EMPHYSEMA: (0.05, 0.13),
    # Share of the lungs' volume that is dark.
    Finding.MOSAIC_ATTENUATION: (0.25, 0.42),
    # Height of the lung's share that it reaches.
    Finding.SEPTAL_THICKENING: (0.32, 0.52),
    # Lumen over artery: below 2, to 3, above (Reiff, AJR 1995;165:261).
    Finding.BRONCHIECTASIS: (2.0, 3.0),
    # Wall in mm of a segmental bronchus; normal is below 1.2 (Bhalla, Radiology 1991;179:783, relative to the artery).
    Finding.PERIBRONCHIAL_THICKENING: (2.0, 2.7),
    # Depth in mm at the base: below 25, to 50, above (by quarters of the chest: Moy, Chest 2013;143:1054).
    Finding.PLEURAL_EFFUSION: (25.0, 50.0),
    # Short axis in mm: above 10 is enlarged, above 15 a target of RECIST 1.1, above 22 bulky.
    Finding.LYMPHADENOPATHY: (15.0, 22.0),
    # Size of the heart relative to that which fits the person.
    Finding.CARDIOMEGALY: (1.20, 1.28),
    # Fluid in mm: below 10 small, to 20 moderate, above large (ESC 2015, Eur Heart J 36:2921).
    Finding.PERICARDIAL_EFFUSION: (10.0, 20.0),
    # Length in mm of calcified artery, all arteries together.
    Finding.CORONARY_CALCIFICATION: (25.0, 60.0),
    # Length in mm of calcified wall, all plaques together.
    Finding.ARTERIAL_CALCIFICATION: (50.0, 120.0),
    # Width in mm.
    Finding.HIATAL_HERNIA: (38.0, 56.0),
}


def grade_of(finding: Finding, size: float) -> Grade:
    """The grade of a size."""
    low, high = THRESHOLDS[finding]
    return Grade.SLIGHT if size < low else Grade.MODERATE if size < high else Grade.MARKED
