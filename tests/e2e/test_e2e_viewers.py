"""The plugin in other viewers: a stock OHIF served from another origin, and every pinned version of OHIF."""

import json
import re
from typing import Any

import pytest

from tests.e2e.browser import Browser
from tests.e2e.conftest import viewer
from tests.e2e.hospital_viewer import HospitalViewer
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.plugin import EXTENSION, REPOSITORY
from tests.e2e.site import ADA, Site

VERSIONS = sorted(json.loads((EXTENSION / "viewer.json").read_text(encoding="utf-8"))["versions"])
DOCUMENTED_AGENT = "https://pacs-agent.hospital.example"
FINDING = "pleural_effusion"


@pytest.fixture(scope="module")
def read(site: Site, effusion: PhantomStudy) -> dict[str, Any]:
    if not site.agent.jobs_of(effusion.uid):
        return site.read(effusion.files, effusion.uid)
    return site.result(effusion.uid)


def documented_lines(title: str) -> str:
    """The JavaScript below a heading of docs/ohif.md."""
    text = (REPOSITORY / "docs" / "ohif.md").read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(title)}$.*?```js\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/ohif.md has no JavaScript under {title}"
    return found[1]


def smoke(browser: Browser, address: str, read: dict[str, Any], **given: Any) -> None:
    """The study opens, the panel fills, a click and a key lead to slices of the finding."""
    finding = next(one for one in read["result"]["findings"] if one["key"] == FINDING)
    best = max(finding["evidence"], key=lambda one: one["weight"])
    following = next_slice(read, finding, best["index"])
    seen = browser.play(
        "smoke",
        address,
        account=ADA.given(),
        study=read["study_instance_uid"],
        finding=FINDING,
        slice=best["sop_instance_uid"],
        **given,
    )
    assert {row["finding"] for row in seen["findings"]} == {one["key"] for one in read["result"]["findings"]}
    assert seen["chosen"] == best["sop_instance_uid"]
    assert seen["next"] != seen["chosen"]
    assert seen["next"] in following
    assert seen["strips"] > 0


def next_slice(read: dict[str, Any], finding: dict[str, Any], index: int) -> set[str]:
    """The evidence beside a slice on either side; which of them is next depends on how the viewer sorts the stack."""
    order = sorted(finding["evidence"], key=lambda one: read["result"]["series"]["slices"][one["index"]]["z_mm"])
    at = next(place for place, one in enumerate(order) if one["index"] == index)
    return {order[(at + step) % len(order)]["sop_instance_uid"] for step in (1, -1)}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_pinned_version_opens_fills_and_jumps(
    browser: Browser, site: Site, read: dict[str, Any], version: str
) -> None:
    with site.also_serving(viewer(version)) as address:
        smoke(browser, address, read)


@pytest.mark.parametrize(
    ("way", "given"),
    [("A mode of its own", {"mode": "pacs-agent"}), ("In the mode you have", {"mode": "viewer", "folded": True})],
)
def test_a_hospitals_own_viewer_loads_the_plugin_by_two_lines(
    browser: Browser, site: Site, read: dict[str, Any], way: str, given: dict[str, Any]
) -> None:
    with (
        HospitalViewer(viewer(), f"{site.address}/dicom-web", site.bearer) as own,
        site.also_serving(viewer(), viewer_origins=[own.address]) as agent,
    ):
        own.configure(documented_lines(way).replace(DOCUMENTED_AGENT, agent))
        smoke(browser, own.address, read, agent=agent, origins=[agent], **given)
