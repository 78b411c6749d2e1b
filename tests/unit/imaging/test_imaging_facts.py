"""What follows from a header is derived once, so that a study may be looked at again for each image that comes."""

import weakref
from pathlib import Path

import pytest
from imaging_slices import ct_slice, enhanced_ct, stack
from pydicom import Dataset

from pacs_agent.imaging import (
    HeaderFile,
    UnusableSeries,
    choose_series,
    frames_of,
    order_series,
    read_headers,
    slices_ahead,
)
from pacs_agent.imaging.accept import AcceptedInput
from pacs_agent.imaging.headers import fact
from pacs_agent.imaging.series import Plane

ACCEPTED = AcceptedInput(
    modalities=("CT",),
    body_parts=("CHEST",),
    planes=(Plane.AXIAL,),
    min_slices=2,
    max_slices=100,
    min_thickness_mm=0.5,
    max_thickness_mm=5,
    min_coverage_mm=1,
)


def _read(folder: Path) -> list[HeaderFile]:
    for number, dataset in enumerate(stack(5)):
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return read_headers(sorted(folder.glob("*.dcm")))


def test_a_series_is_chosen_again_without_a_look_into_its_headers(tmp_path: Path) -> None:
    headers = _read(tmp_path)
    first = choose_series(headers, ACCEPTED)
    assert first.chosen is not None
    for header in headers[1:]:
        header.dataset.clear()  # only the first one speaks for the series
    assert choose_series(headers, ACCEPTED) == first


def test_facts_are_those_of_their_own_header(tmp_path: Path) -> None:
    headers = _read(tmp_path)
    again = read_headers([header.path for header in headers])
    order_series(headers)
    assert order_series([again[3], headers[0], headers[4], again[1], headers[2]]) == order_series(again)


def test_a_fact_is_derived_once_but_a_refusal_each_time() -> None:
    asked = list[str]()

    @fact
    def thickness(header: HeaderFile) -> float:
        asked.append(header.name)
        if "SliceThickness" not in header.dataset:
            raise ValueError("no thickness")
        return float(header.dataset.SliceThickness)

    whole, broken = (HeaderFile(Path(name), ct_slice((0, 0, 0))) for name in ("whole", "broken"))
    whole.dataset.SliceThickness = 2.5
    broken.dataset.pop("SliceThickness", None)
    assert [thickness(whole), thickness(whole)] == [2.5, 2.5]
    for _ in range(2):
        with pytest.raises(ValueError, match="no thickness"):
            thickness(broken)
    assert len(asked) == 3


@pytest.mark.parametrize("dataset", [ct_slice((0, 0, 1)), enhanced_ct([(0, 0, 1), (0, 0, 2)])], ids=["CT", "enhanced"])
def test_facts_do_not_keep_their_header_in_memory(dataset: Dataset) -> None:
    header = HeaderFile(Path("one.dcm"), dataset)
    assert list(frames_of(header)) == list(frames_of(header))
    slices_ahead(header, ACCEPTED)
    gone = weakref.ref(header)
    del header
    assert gone() is None, "no cycle: the header is not left to the collector"


@pytest.mark.parametrize("dataset", [ct_slice((0, 0, 1)), enhanced_ct([(0, 0, 1), (0, 0, 2)])], ids=["CT", "enhanced"])
def test_how_many_frames_a_file_says_it_has_costs_no_memory(dataset: Dataset) -> None:
    """RecentHeaders keeps more than a thousand, of images that need not be what they say."""
    header = HeaderFile(Path("one.dcm"), dataset)
    header.dataset.NumberOfFrames = 2
    assert len(list(frames_of(header))) == 2
    kept = {key: value for key, value in header.facts.items() if isinstance(value, tuple)}
    assert not kept, "what grows with the frames is not kept"


def test_what_cannot_be_used_is_refused_again() -> None:
    header = HeaderFile(Path("one.dcm"), ct_slice((0, 0, 1)))
    del header.dataset.ImagePositionPatient
    for _ in range(2):
        with pytest.raises(UnusableSeries, match="ImagePositionPatient is missing"):
            list(frames_of(header))
