"""Staging of a pelvis: an item, its slices of several series, and a distance lead T2 of three planes to one point."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.browser import Browser
from tests.e2e.pelvis import ITEM, Pelvis, evidence_of, pelvis_at, play
from tests.e2e.site import Site

pytestmark = pytest.mark.peers

PIXEL_MM = 1.2
"""What the middle of a mark may be off within its slice."""
ROUNDED_MM = 0.1


@pytest.fixture
def pelvis(orthanc_site: Site, tmp_path: Path) -> Pelvis:
    return pelvis_at(orthanc_site, tmp_path / "pelvis")


def test_an_item_of_staging_leads_three_planes_to_its_point(
    browser: Browser, orthanc_site: Site, pelvis: Pelvis, tmp_path: Path
) -> None:
    result = orthanc_site.result(pelvis.study)["result"]
    series = [result["series"], *result["further_series"]]
    sequences = [(one["plane"], one["sequence"]) for one in series]
    assert sequences[:3] == [("axial", "T2"), ("sagittal", "T2"), ("coronal", "T2")]
    assert sequences[3:] == [("axial", "DWI b50"), ("axial", "DWI b1000"), ("axial", "ADC")]
    evidence = evidence_of(orthanc_site, pelvis, ITEM)
    seen = play(browser, orthanc_site, pelvis, tmp_path / "pelvis.png")
    check_marks(seen["item"], evidence[0]["peak_mm"], pelvis)
    for one in evidence:
        check_marks(seen["slices"][one["sop_instance_uid"]], one["peak_mm"], pelvis)
    check_marks(seen["distance"], np.mean(pelvis.ends_mm, axis=0), pelvis)
    assert seen["levels"] == ["present", "middle third", "free", "T3", "clear", "free", "Uncertain"]
    assert sorted(seen["named"]) == ["Ax T2", "Cor T2", "Sag T2"]
    assert seen["measured"] == "Distance to the mesorectal fascia 6.7 mm"
    assert seen["drawn"] >= 1, "the distance is drawn where it lies"
    assert seen["stickingOut"] == []


def check_marks(seen: list[dict[str, Any]], point_mm: Any, pelvis: Pelvis) -> None:
    """Each of three planes has the mark at the point, but for a pixel and half the way to the next slice."""
    normals = np.array([one["normal"] for one in seen])
    assert sorted(np.abs(normals).argmax(axis=1)) == [0, 1, 2], "three planes are shown"
    gaps_mm = [np.diff([one.z_mm for one in each.slices]).max() for each in pelvis.series[:3]]
    for one, normal in zip(seen, normals, strict=True):
        off = np.array(one["point"]) - point_mm
        through_mm = off @ normal
        assert np.linalg.norm(off - through_mm * normal) <= PIXEL_MM, f"the mark is {off} mm off"
        assert abs(through_mm) <= max(gaps_mm) / 2 + ROUNDED_MM, f"the slice is {off} mm off"
