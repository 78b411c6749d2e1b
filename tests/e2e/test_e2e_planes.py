"""A press on evidence leads all planes to its point, in stacks side by side and in reformats."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.browser import Browser
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.planes import EVERY, ThreePlanes, in_three_planes
from tests.e2e.site import ADA, Site

FINDING = "pleural_effusion"
PIXEL_MM = 1.0
"""What the middle of a mark may be off within its slice."""


@pytest.fixture
def planes(site: Site, effusion: PhantomStudy, tmp_path: Path) -> ThreePlanes:
    """The phantom in three planes, read by the agent."""
    made = in_three_planes(effusion.files, tmp_path / "planes", "three planes")
    site.read(made.files, made.study)
    return made


def test_evidence_leads_all_planes_to_its_point(browser: Browser, site: Site, planes: ThreePlanes) -> None:
    result = site.result(planes.study)["result"]
    assert (result["series"]["series_instance_uid"], result["series"]["plane"]) == (planes.series["axial"], "axial")
    finding = next(one for one in result["findings"] if one["key"] == FINDING)
    evidence = sorted(finding["evidence"], key=lambda one: -float(one["weight"]))[:3]
    slices = [one["sop_instance_uid"] for one in evidence]
    seen = browser.play(
        "planes",
        site.address,
        account=ADA.given(),
        study=planes.study,
        series=[planes.series[plane] for plane in ("axial", "sagittal", "coronal")],
        finding=FINDING,
        slices=slices,
    )
    points = {one["sop_instance_uid"]: one["peak_mm"] for one in evidence}
    check_marks(seen["stacks"]["chosen"], points[slices[0]], "stack", EVERY * 0.7 / 2)
    for slice_ in slices[1:]:
        check_marks(seen["stacks"][slice_], points[slice_], "stack", EVERY * 0.7 / 2)
    check_marks(seen["reformats"], points[slices[0]], "orthographic", PIXEL_MM)
    assert (seen["afterEscape"], seen["afterClick"]) == (0, 0)


def check_marks(seen: list[dict[str, Any]], point_mm: list[float], kind: str, through_mm: float) -> None:
    """Each of three planes has the mark at the point, but for a pixel and half the way to the next slice."""
    assert [one["type"] for one in seen] == [kind] * 3
    normals = np.abs([one["normal"] for one in seen]).round()
    assert sorted(normals.argmax(axis=1)) == [0, 1, 2], "three planes are shown"
    for one, normal in zip(seen, normals, strict=True):
        off = np.array(one["point"]) - point_mm
        assert np.abs(off * (1 - normal)).max() <= PIXEL_MM, f"the mark is {off} mm off"
        assert abs(off @ normal) <= through_mm + 0.1, f"the slice is {off} mm off"
