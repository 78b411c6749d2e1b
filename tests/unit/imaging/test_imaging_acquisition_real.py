"""Grouping of real studies: two of PROSTATEx in MR, as they came and without words; LIDC-IDRI-0001 in CT."""

from pathlib import Path

import numpy as np
import pytest
from imaging_slices import headers
from mr_acquisitions import T2_TSE, mr_slice
from pydicom import Dataset
from test_imaging_real import lidc, prostate  # noqa: F401 (fixtures)

from pacs_agent.imaging import HeaderFile, Plane, Weighting, group_study, order_series
from pacs_agent.imaging.acquisition import AcquiredStudy

pytestmark = pytest.mark.real_images

Sequence = tuple[str, str, float | None, int]
"""Weighting, plane, b-value and number of slices."""

SEQUENCES: list[Sequence] = [
    ("ADC", "axial", None, 19),
    ("DWI", "axial", 50, 19),
    ("DWI", "axial", 400, 19),
    ("DWI", "axial", 800, 19),
    ("DWI", "axial", 1000, 19),  # calculated
    ("PD", "axial", None, 16),
    ("T2", "axial", None, 19),
    ("T2", "coronal", None, 15),
    ("T2", "sagittal", None, 19),
]


def sequences(study: AcquiredStudy) -> list[Sequence]:
    found = [
        (one.weighting.value.value, one.plane.value.value, one.b_value.value, len(one.frames)) for one in study.stacks
    ]
    return in_order(found)


def in_order(found: list[Sequence]) -> list[Sequence]:
    return sorted(found, key=lambda one: (one[0], one[1], one[2] or 0))


def test_prostate_study(prostate: list[HeaderFile]) -> None:  # noqa: F811
    study = group_study(prostate)
    assert study.left_out == ()
    assert sequences(study) == SEQUENCES
    assert {one.weighting.value for one in study.stacks if one.is_derived} == {Weighting.ADC, Weighting.DIFFUSION}
    assert all(one.phase.value is None and one.repetition is None for one in study.stacks)
    order = [one.series_number for one in study.stacks]
    assert order == sorted(order)


def test_every_stack_is_an_even_volume(prostate: list[HeaderFile]) -> None:  # noqa: F811
    for stack in group_study(prostate).stacks:
        ordered = order_series([frame.header for frame in stack.frames])
        assert [one.sop_instance_uid for one in ordered.slices] == [f.header.sop_instance_uid for f in stack.frames]
        assert [one.z_mm for one in ordered.slices] == pytest.approx([frame.z_mm for frame in stack.frames])
        assert ordered.plane is stack.plane.value


def test_prostate_study_without_words_and_private_elements(prostate: list[HeaderFile]) -> None:  # noqa: F811
    """As a strict de-identification leaves it: only sequence names hold b-values, but of calculated images none."""
    plain = [HeaderFile(header.path, Dataset(header.dataset)) for header in prostate]
    for header in plain:
        header.dataset.remove_private_tags()
        for keyword in ("SeriesDescription", "ProtocolName", "StudyDescription"):
            header.dataset.pop(keyword, None)
    found = sequences(group_study(plain))
    assert found == in_order([(*one[:2], None if one[2] == 1000 else one[2], one[3]) for one in SEQUENCES])


def test_angled_stacks_of_a_prostate_study_stay_together(prostate: list[HeaderFile]) -> None:  # noqa: F811
    """Axial and coronal stacks are perpendicular to each other, turned about the same axis."""
    tilts = {round(one.tilt_deg, 1) for one in group_study(prostate).stacks if one.plane.value is not Plane.SAGITTAL}
    assert tilts in ({18.5}, {6.3})


def test_the_axial_oblique_stack_of_a_rectal_cancer(shared_data: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.load(shared_data / "mr_rectal" / "rectal_t2_axial_oblique.nii.gz")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # RAS to the patient's coordinates of DICOM
    row, column = (affine[:3, i] / np.linalg.norm(affine[:3, i]) for i in (0, 1))
    positions = [affine[:3, 3] + affine[:3, 2] * i for i in range(image.shape[2])]
    [stack] = group_study(headers([mr_slice(place, [*row, *column], **T2_TSE) for place in positions])).stacks
    assert (len(stack.frames), stack.plane.value) == (30, Plane.AXIAL)
    assert np.diff([frame.z_mm for frame in stack.frames]) == pytest.approx(3.0, abs=0.35)


@pytest.mark.slow
def test_chest_ct(lidc: list[HeaderFile]) -> None:  # noqa: F811
    [stack] = group_study(lidc).stacks
    assert (stack.name, len(stack.frames)) == ("CT axial, after contrast, kernel STANDARD", 133)
