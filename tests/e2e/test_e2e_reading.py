"""What the agent says, seen beside the images: the panel, the way to the slices, the heat, late and missing results."""

from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.e2e.browser import Browser
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.pixels import Placement, change, distance_px, strongest
from tests.e2e.site import ADA, Site
from tests.e2e.studies import compressed, copy_of, plain_study

WASHED = "pleural_effusion"
LEAST_SHIFT = 0.02
"""Sum of layout shift scores that nobody sees; web vitals call 0.1 good."""
POINTS = [(256, 256), (365, 157), (100, 256), (300, 300)]


@pytest.fixture(scope="module")
def read(a_site: Site, effusion: PhantomStudy) -> dict[str, Any]:
    """What the API says of the phantom, once it has been read."""
    return a_site.read(effusion.files, effusion.uid)


def findings_said(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["key"]: finding for finding in said["result"]["findings"]}


def standing(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that are present or uncertain."""
    return [finding for finding in said["result"]["findings"] if finding["presence"] != "absent"]


def walked(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Key and evidence slices, best first, of the findings that are present."""
    return [
        {"key": finding["key"], "slices": [slice_["sop_instance_uid"] for slice_ in by_weight(finding)]}
        for finding in standing(said)
        if finding["presence"] == "present"
    ]


def by_weight(finding: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(finding["evidence"], key=lambda evidence: -evidence["weight"])


def test_panel_shows_what_the_api_says(
    browser: Browser, a_site: Site, effusion: PhantomStudy, read: dict[str, Any]
) -> None:
    seen = browser.play("opens", a_site.address, account=ADA.given(), study=effusion.uid, points=POINTS)
    said = findings_said(read)
    assert {row["finding"] for row in seen["findings"]} == set(said)
    for row in seen["findings"]:
        assert said[row["finding"]]["name"] in row["text"]
        assert row["action"] == "none", "nothing is accepted by default"
    shown = [row["finding"] for row in seen["findings"][: len(standing(read))]]
    assert shown == [finding["key"] for finding in sorted(standing(read), key=in_order_of_concern)]
    for words in (
        "unverified",
        "Demo model",
        read["result"]["model"]["version"],
        read["result"]["sentences"][0]["text"],
    ):
        assert words in seen["panel"]


def in_order_of_concern(finding: dict[str, Any]) -> tuple[float, float]:
    return -finding["concern"], -finding["probability"]


def test_clicks_and_keys_lead_to_the_evidence(
    browser: Browser, a_site: Site, effusion: PhantomStudy, read: dict[str, Any]
) -> None:
    findings = walked(read)[:2]
    seen = browser.play("evidence", a_site.address, account=ADA.given(), study=effusion.uid, findings=findings)
    place = {one["sop_instance_uid"]: -one["z_mm"] for one in read["result"]["series"]["slices"]}
    for layout in ("stack", "planes"):
        for finding in findings:
            check_walk(seen[layout][finding["key"]], finding["slices"], place)
    assert seen["strip"]["slice"] == seen["strip"]["wanted"]
    assert seen["strip"]["colours"] > 3, "the strip is empty"


def check_walk(came: dict[str, Any], slices: list[str], place: dict[str, float]) -> None:
    """Every way came to every slice of the evidence, the keys from head to feet and back."""
    assert came["chosen"] == slices[0]
    assert set(came["clicked"]) == set(slices[:3])
    for way in ("buttons", "forward", "back"):
        assert sorted(came[way]) == sorted(slices)
    order = sorted(slices, key=place.__getitem__)
    assert is_round(came["forward"], order) or is_round(came["forward"], order[::-1])
    # the last step of either round ends where it began
    assert came["back"] == came["forward"][-2::-1] + came["forward"][-1:]
    assert came["buttons"] == came["forward"]


def is_round(came: list[str], order: list[str]) -> bool:
    """Whether the slices were come to in this order, begun anywhere."""
    start = order.index(came[0])
    return came == order[start:] + order[:start]


def test_heat_lies_on_the_lesion(
    browser: Browser, a_site: Site, effusion: PhantomStudy, read: dict[str, Any], tmp_path: Path
) -> None:
    best = by_weight(findings_said(read)[WASHED])[0]["sop_instance_uid"]
    seen = browser.play(
        "wash",
        a_site.address,
        account=ADA.given(),
        study=effusion.uid,
        finding=WASHED,
        slice=best,
        folder=str(tmp_path),
    )
    off, on, again = (Path(seen["pictures"][name]) for name in ("off", "on", "again"))
    changed = change(off, on, seen["beside"])
    assert changed.max() > 40, "the heat cannot be seen"
    assert (changed > 20).mean() < 0.6, "the heat covers the image"
    assert change(off, again, seen["beside"]).max() < 5, "the heat does not go away"
    hottest = Placement.of_corners(seen["corners"]).in_slice(*strongest(changed))
    patch_px = max(a_site.heat(effusion.uid, WASHED, best)["step_px"])
    assert distance_px(effusion.mask(WASHED, best), hottest) <= patch_px


def test_late_result_appears_by_itself(
    browser: Browser, a_site: Site, effusion: PhantomStudy, read: dict[str, Any], tmp_path: Path
) -> None:
    files, study = copy_of(effusion.files, tmp_path, "late", new_pixels=True)
    with a_site.held() as go_on:
        a_site.send(files)
        seen = browser.play(
            "late", a_site.address, account=ADA.given(), study=study, answers={"the agent goes on": go_on}
        )
    assert seen["same"], "the page was loaded again"
    assert seen["shifts"]["score"] < LEAST_SHIFT, f"these jumped: {seen['shifts']['parts']}"
    assert seen["step"], "no running step was shown"
    assert {row["finding"] for row in seen["findings"]} == set(findings_said(a_site.result(study)))


def test_jpeg_2000_is_shown_under_the_policy(
    browser: Browser, a_site: Site, effusion: PhantomStudy, read: dict[str, Any], tmp_path: Path
) -> None:
    files, study = copy_of(effusion.files, tmp_path / "copy", "jpeg 2000")
    compressed(files)
    a_site.read(files, study)
    seen = browser.play("opens", a_site.address, account=ADA.given(), study=study, points=POINTS)
    assert seen["values"] == values_hu(files, seen["slice"])
    assert len(set(seen["values"])) > 1, "the image is blank"
    assert {row["finding"] for row in seen["findings"]} == set(findings_said(read))


def values_hu(files: list[Path], sop_instance_uid: str) -> list[int]:
    """What the points of a slice are."""
    image = next(image for image in map(pydicom.dcmread, files) if image.SOPInstanceUID == sop_instance_uid)
    pixels = image.pixel_array.astype(int) + int(image.RescaleIntercept)
    return [int(pixels[point]) for point in POINTS]


def test_studies_without_a_result_say_why(browser: Browser, a_site: Site, tmp_path: Path) -> None:
    studies = {
        "too short": {"study": plain_study(tmp_path / "too short", 3), "state": "not_applicable"},
        "of no rule": {"study": plain_study(tmp_path / "of no rule", 3, Modality="DX"), "state": "not_applicable"},
        "unreadable": {"study": plain_study(tmp_path / "unreadable", 4), "state": "failed"},
        "arriving": {"study": plain_study(tmp_path / "arriving", 3), "state": "pending"},
    }
    if a_site.pacs:
        studies["never sent"] = {"study": plain_study(tmp_path / "never sent", 3), "state": "none"}
        a_site.pacs.upload(sorted((tmp_path / "never sent").iterdir()))
    for name in ("too short", "of no rule"):
        a_site.send(sorted((tmp_path / name).iterdir()))
    a_site.agent.ended_job(studies["too short"]["study"])
    with a_site.held() as go_on:
        a_site.send(sorted((tmp_path / "unreadable").iterdir()))
        with a_site.without_files(studies["unreadable"]["study"]):
            go_on(None)
            a_site.agent.ended_job(studies["unreadable"]["study"])
    with a_site.held():
        a_site.send(sorted((tmp_path / "arriving").iterdir()))
        seen = browser.play("states", a_site.address, account=ADA.given(), studies=studies)
        said = {name: a_site.result(one["study"]) for name, one in studies.items()}
    for name in studies:
        assert said[name]["reason"], name
        assert said[name]["reason"] in seen[name]["text"]
    assert "3 slices" in seen["too short"]["text"]
    assert "Modality" in seen["of no rule"]["text"]
    assert "rerun" in seen["unreadable"]["text"]
    assert "still arriving" in seen["arriving"]["text"]


def test_viewer_works_without_the_plugin(browser: Browser, site: Site, effusion: PhantomStudy, tmp_path: Path) -> None:
    if not site.agent.jobs_of(effusion.uid):
        site.read(effusion.files, effusion.uid)
    seen = browser.play("without", site.address, account=ADA.given(), study=effusion.uid)
    assert set(seen) == {"absent", "unreachable", "throwing"}
    for way, shown in seen.items():
        assert shown["slice"], way
        assert shown["panels"] == 0, way


def test_interface_is_german_for_a_german_reader(browser: Browser, site: Site, effusion: PhantomStudy) -> None:
    if not site.agent.jobs_of(effusion.uid):
        site.read(effusion.files, effusion.uid)
    seen = browser.play("opens", site.address, account=ADA.given(), study=effusion.uid, language="de-DE")
    for words in (
        "KI-Befund",
        "Befunde",
        "Pleuraerguss",
        "Freigeben",
        "nicht geprüft",
        "nicht für den klinischen Gebrauch",
    ):
        assert words in seen["panel"]
    for words in ("Findings", "Verify", "unverified", "Draft", "Present"):
        assert words not in seen["panel"]
