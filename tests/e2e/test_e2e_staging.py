"""Real MR studies from the PACS and back: the shipped staging model reads all their series, the viewer shows it.

Two prostates, so there is no rectal tumour: what counts is the way, not what a model that learned from phantoms says.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from tests import shipped
from tests.e2e.browser import Browser
from tests.e2e.conftest import viewer
from tests.e2e.site import ADA, Site
from tests.peers import Missing, Orthanc
from tests.peers.studies import PELVIS_MR, SECOND_PELVIS_MR, real_study, study_uid

pytestmark = [pytest.mark.peers, pytest.mark.real_images]

RULES = """
rules:
  - name: MR of the pelvis
    when: {attribute: Modality, equals: MR}
    pipeline: staging
    destinations: [pacs]
"""
GROUPED = [
    ("axial", "ADC"),
    ("axial", "DWI b1000"),
    ("axial", "DWI b400"),
    ("axial", "DWI b50"),
    ("axial", "DWI b800"),
    ("axial", "PD"),
    ("axial", "T2"),
    ("coronal", "T2"),
    ("sagittal", "T2"),
]
"""Planes and sequences of both studies, as their README tells them."""
PICTURES = Path(__file__).resolve().parents[2] / "build" / "e2e"


@pytest.fixture(scope="module")
def hospital(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An Orthanc that routes to the agent, which reads by the shipped staging model and delivers to that Orthanc."""
    viewer()
    if not shipped.staging():
        pytest.skip("no model of task staging is shipped")
    folder = tmp_path_factory.mktemp("staging-site")
    pacs = Orthanc(folder / "pacs")
    site = Site(folder, pacs)
    pacs.route_to(site.agent.ae_title, site.agent.port)
    site.agent.allow(pacs.ae_title)
    site.agent.route(RULES)
    with pacs, site:
        yield site


@pytest.mark.parametrize("archive", [PELVIS_MR, SECOND_PELVIS_MR], ids=["ProstateX-0000", "ProstateX-0001"])
def test_a_real_study_is_read_by_all_its_series(
    browser: Browser, hospital: Site, tmp_path: Path, archive: Path
) -> None:
    try:
        files = real_study(archive, tmp_path / "study")
    except Missing as missing:
        pytest.skip(str(missing))
    study = study_uid(files)
    assert hospital.pacs
    hospital.pacs.upload(files)
    documents = hospital.documents(study, 2, timeout_s=280)
    hospital.judge(documents, tmp_path)
    result = hospital.result(study)["result"]
    series = [result["series"], *result["further_series"]]
    assert sorted((one["plane"], one["sequence"]) for one in series) == GROUPED
    item, slice_ = strongest(result)
    planes = [one["series_instance_uid"] for one in series if one["sequence"] == "T2"]
    shown = [gap_mm for plane in planes if (gap_mm := gap_around(slice_["peak_mm"], plane, files))]
    seen = browser.play(
        "staging",
        hospital.address,
        account=ADA.given(),
        study=study,
        series=planes,
        item=item,
        slice=slice_["sop_instance_uid"],
        marks=len(shown),
        picture=str(PICTURES / f"staging-{archive.name.split('_')[0]}.png"),
    )
    assert set(seen["rows"]) == {one["key"] for one in result["findings"]}
    assert len({int(np.abs(one["normal"]).argmax()) for one in seen["marks"]}) == len(shown)
    for one in seen["marks"]:
        off = np.array(one["point"]) - slice_["peak_mm"]
        assert abs(off @ one["normal"]) <= max(shown), f"the slice is {off} mm off"


def gap_around(point_mm: Sequence[float], series: str, files: Sequence[Path]) -> float:
    """The distance of neighbouring slices of a series where its slices reach to a point of the patient, else 0."""
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    own = [one for one in headers if one.SeriesInstanceUID == series]
    along, down = np.reshape([float(value) for value in own[0].ImageOrientationPatient], (2, 3))
    normal = np.cross(along, down)
    depths = np.sort([np.array(one.ImagePositionPatient, float) @ normal for one in own])
    gap_mm = float(np.diff(depths).max())
    depth = np.array(point_mm) @ normal
    return gap_mm if depths[0] - gap_mm / 2 <= depth <= depths[-1] + gap_mm / 2 else 0.0


def strongest(result: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The item that is present with the strongest slice, and that slice."""
    there = [(one["key"], slice_) for one in result["findings"] for slice_ in one["evidence"]]
    assert there, "no item is present"
    return max(there, key=lambda one: float(one[1]["weight"]))
