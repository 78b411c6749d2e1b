"""The panel in windows from a laptop's to 4K: everything can be reached, nothing lies over anything, nothing shifts."""

from typing import Any

import pytest

from tests.e2e.browser import Browser
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.site import ADA, Site

SIZES = [(1280, 800), (1920, 1080), (2560, 1440), (3840, 2160)]
FINDING = "pleural_effusion"


@pytest.mark.parametrize("language", ["en-US", "de-DE"])
def test_panel_and_strip_fit_every_window(browser: Browser, site: Site, effusion: PhantomStudy, language: str) -> None:
    seen = browser.play(
        "sizes",
        site.address,
        account=ADA.given(),
        study=effusion.uid,
        finding=FINDING,
        slice=best_slice(site, effusion),
        language=language,
        sizes=[{"width": width, "height": height} for width, height in SIZES],
    )
    assert seen["underNotice"]["covered"] == [], "the viewer's notice lies over the buttons"
    assert seen["form"]["covered"] == [], "the edit form opens out of view"
    assert [one["width"] for one in seen["seen"]] == [width for width, _ in SIZES]
    for one in seen["seen"]:
        check(one)


def best_slice(site: Site, study: PhantomStudy) -> str:
    """The slice on which the finding rests most."""
    if not site.agent.jobs_of(study.uid):
        site.read(study.files, study.uid)
    said = site.result(study.uid)["result"]["findings"]
    evidence = next(finding["evidence"] for finding in said if finding["key"] == FINDING)
    return str(max(evidence, key=lambda one: float(one["weight"]))["sop_instance_uid"])


def check(one: dict[str, Any]) -> None:
    """No part is cut off, covered or pushed into another row, and the strip stands beside the image."""
    width = one["width"]
    assert one["out"] == [], f"parts stick out of the panel at {width} px"
    assert one["wider"] == [], f"the panel would scroll sideways at {width} px"
    assert one["covered"] == [], f"controls cannot be reached at {width} px"
    assert one["rows"] == 1, f"the answers stand in several rows at {width} px"
    strip = one["strip"]
    assert strip["hit"], f"something lies over the strip at {width} px"
    assert 0 <= strip["fromRight"] < 60
    assert strip["below"] >= 0
    assert strip["height"] > 0.4
