"""The patients of the open real chest CTs in `../shared/data`: where their scans lie and what was read off the images.

Four patients. Both totalseg CTA files show one patient: they are two crops of one scan, so only the larger is read.
LIDC-IDRI: Armato et al., Med. Phys. 38(2), 2011, CC BY 3.0; RIDER: CC BY 4.0, both TCIA; CTA: TotalSegmentator test
data (Wasserthal et al., Radiology AI 2023;5(5)), Apache-2.0.
"""

from dataclasses import dataclass

from models.phantoms.canvas import Point
from models.phantoms.findings import Finding

Voxel = tuple[float, float, float]
"""Slice, row, column."""


@dataclass(frozen=True)
class Landmarks:
    """Places read off a scan, as slice, row and column of the volume that `real_ct.load_scan` gives."""

    heart: Voxel
    heart_axes_mm: Point
    """Half axes of an ellipsoid about the heart: long axis, short axis, height."""
    carina: float
    """Slice in which the trachea divides."""
    aorta: tuple[Voxel, ...]
    """Way of the aorta from the diaphragm over the arch to its root."""
    aorta_mm: float
    """Radius of the descending aorta."""


@dataclass(frozen=True)
class RealCase:
    """What is known of one patient's scan. Read off the images with the collection's own annotations beside them."""

    patient: str
    file: str
    held_out: bool
    """Whether the patient is kept for tests."""
    aorta_hu: float
    """CT number of blood in the aorta."""
    landmarks: Landmarks
    own: frozenset[Finding]
    """Findings that the scan shows or may show: never labelled, never implanted."""
    clear_mm: tuple[float, float] | None = None
    """A stretch along z, from the first slice, in which the patient only has `own_when_clear`."""
    own_when_clear: frozenset[Finding] = frozenset()


_ONE_SIDED_LUNG = frozenset(
    {
        Finding.LUNG_NODULE,
        Finding.LUNG_OPACITY,
        Finding.CONSOLIDATION,
        Finding.ATELECTASIS,
        Finding.FIBROTIC_SEQUELA,
        Finding.PERIBRONCHIAL_THICKENING,
        Finding.SEPTAL_THICKENING,
        Finding.PLEURAL_EFFUSION,
        Finding.LYMPHADENOPATHY,
    }
)
"""What a lung with a large process and loss of volume shows or may show."""


def _way(*stretches: str) -> tuple[Voxel, ...]:
    """Voxels written as "slice row column, …"."""
    voxels = (voxel.split() for stretch in stretches for voxel in stretch.split(","))
    return tuple((float(slice_), float(row), float(column)) for slice_, row, column in voxels)


CASES = (
    # A mass in the left lower lobe; otherwise healthy.
    RealCase(
        "LIDC-IDRI-0001",
        "ct_dicom/LIDC-IDRI-0001_CT.tar.xz",
        held_out=False,
        aorta_hu=350.0,
        landmarks=Landmarks(
            heart=(62, 120, 160),
            heart_axes_mm=(58.0, 44.0, 38.0),
            carina=86,
            aorta=_way(
                "50 166 152, 57 173 151, 64 180 151, 71 183 150, 79 184 150, 86 182 149, 90 179 149, 93 176 149",
                "97 169 151, 99 151 150, 98 136 144, 97 124 138, 93 116 134, 86 113 135, 79 112 138, 72 124 142",
            ),
            aorta_mm=10.5,
        ),
        own=frozenset({Finding.LUNG_NODULE}),
        clear_mm=(0.0, 205.0),
    ),
    # A large right effusion with opacities; the left lung is healthy.
    RealCase(
        "RIDER-Pilot-0109",
        "ct_nifti/RIDER-Pilot-0109_CT_chest_contrast_1.25x1.25x5.nii.gz",
        held_out=False,
        aorta_hu=205.0,
        landmarks=Landmarks(
            heart=(25.5, 118, 168),
            heart_axes_mm=(56.0, 40.0, 34.0),
            carina=38,
            aorta=_way(
                "16 145 147, 18 148 147, 20 157 150, 22 164 157, 24 170 160, 26 174 163, 28 178 163, 30 183 161",
                "32 185 161, 34 186 161, 36 185 162, 38 184 160, 40 185 157, 42 183 157, 44 172 159, 45 155 157",
                "45 135 145, 44 135 141, 42 132 137, 40 131 137, 36 129 147, 34 124 150",
            ),
            aorta_mm=12.5,
        ),
        own=_ONE_SIDED_LUNG | {Finding.MEDICAL_MATERIAL},
    ),
    # A process with loss of volume in the right upper lobe and hilum; the left lung is healthy. No contrast medium.
    RealCase(
        "LIDC-IDRI-0314",
        "ct_nifti/LIDC-IDRI-0314_CT_chest_1.25x1.25x1.5.nii.gz",
        held_out=True,
        aorta_hu=40.0,
        landmarks=Landmarks(
            heart=(74, 150, 163),
            heart_axes_mm=(56.0, 46.0, 42.0),
            carina=112,
            aorta=_way(
                "60 200 150, 65 203 150, 71 203 151, 77 202 153, 83 203 155, 89 205 156, 95 208 157, 101 210 157",
                "107 210 157, 112 208 157, 118 203 161, 124 196 166, 128 184 169, 126 172 169, 118 165 164",
                "107 160 160, 101 163 162",
            ),
            aorta_mm=11.0,
        ),
        own=_ONE_SIDED_LUNG,
        clear_mm=(0.0, 145.0),
    ),
    # Aortic dissection with a stent graft and sternal wires; healthy lungs, cut at the sides by the field of view.
    RealCase(
        "TotalSegmentator-CTA",
        "totalseg/cta_aorta/ct_cropped.nii.gz",
        held_out=True,
        aorta_hu=430.0,
        landmarks=Landmarks(
            heart=(71, 48, 66),
            heart_axes_mm=(62.0, 50.0, 42.0),
            carina=113,
            aorta=_way(
                "45 83 55, 57 90 62, 69 97 68, 82 102 70, 94 101 68, 106 97 63, 119 90 63, 125 86 62, 131 72 60",
                "135 60 57, 131 50 48, 125 52 51, 119 52 52, 112 49 51, 106 48 51, 100 46 51, 94 45 51",
            ),
            aorta_mm=15.0,
        ),
        own=frozenset({Finding.MEDICAL_MATERIAL, Finding.ARTERIAL_CALCIFICATION}),
    ),
)
