"""`python -m tests.e2e.pictures`: takes the pictures of docs/img anew, from the running agent and viewer."""

import argparse
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e.browser import Browser, check_tools
from tests.e2e.pelvis import pelvis_at, play
from tests.e2e.phantoms import phantom
from tests.e2e.plugin import REPOSITORY, build_plugin, fetch_viewer
from tests.e2e.site import ADA, GRACE, Site
from tests.e2e.studies import copy_of, plain_study
from tests.peers.running import executable

SHOWN = REPOSITORY / "docs" / "img"
COLOURS = (256, 192, 128, 96, 80, 64, 48)
LARGEST_BYTES = 150_000
FINDINGS = ("pleural_effusion", "lung_nodule", "coronary_artery_wall_calcification")


def main() -> None:
    """Takes all of them, and makes them small."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SHOWN, help="folder that they are written to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    check_tools()
    build_plugin()
    fetch_viewer()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Site(folder / "site") as site, Browser(folder, folder / "driver.log") as browser:
            take(site, browser, folder, out)
    for picture in sorted(out.glob("ohif-*.png")):
        make_small(picture)
        print(f"{picture.name}  {picture.stat().st_size / 1000:.0f} kB")


def take(site: Site, browser: Browser, folder: Path, out: Path) -> None:
    """Sends the studies and plays the scenario."""
    study = phantom(7, 96, FINDINGS)
    said = site.read(study.files, study.uid)
    copied, copy = copy_of(study.files, folder / "reviewed", "reviewed")
    reviewed = findings_of(site.read(copied, copy))
    play(browser, site, pelvis_at(site, folder / "pelvis"), out / "ohif-pelvis.png")
    states = without_result(site, folder)
    late, late_uid = copy_of(study.files, folder / "late", "late", new_pixels=True)
    worker = site.worker()

    def stop(_: Any) -> None:
        worker.send_signal(signal.SIGSTOP)

    def go_on(_: Any) -> None:
        worker.send_signal(signal.SIGCONT)

    def arrive(_: Any) -> None:
        stop(_)
        site.send(late)

    try:
        browser.play(
            "pictures",
            site.address,
            account=ADA.given(),
            other=GRACE.given(),
            ready={"study": study.uid, "findings": findings_of(said), "measured": measured_of(said)},
            reviewed={"study": copy, "findings": reviewed},
            states=states,
            late=late_uid,
            folder=str(out),
            answers={"a study arrives": arrive, "the agent goes on": go_on, "the agent stops": stop},
        )
    finally:
        go_on(None)


def findings_of(said: dict[str, Any]) -> list[dict[str, str]]:
    """Key and best slice of what stands to be handled, the surest finding first."""
    standing = [finding for finding in said["result"]["findings"] if finding["presence"] != "absent"]
    return [
        {"key": finding["key"], "slice": max(finding["evidence"], key=lambda one: one["weight"])["sop_instance_uid"]}
        for finding in sorted(standing, key=lambda finding: -finding["probability"])
    ]


def measured_of(said: dict[str, Any]) -> dict[str, str]:
    """Key of a finding that was measured, and the slice of its first region's diameters."""
    result = said["result"]
    region = next(one for one in result["measurements"]["regions"] if one["stated"] and one["finding"])
    slice_ = result["series"]["slices"][region["diameter_index"]]
    return {"key": region["finding"], "slice": slice_["sop_instance_uid"]}


def without_result(site: Site, folder: Path) -> dict[str, str]:
    """A study that no model reads, and one whose reading fails."""
    few = plain_study(folder / "few", 3)
    broken = plain_study(folder / "broken", 4)
    site.send(sorted((folder / "few").iterdir()))
    site.agent.ended_job(few)
    with site.held() as go_on:
        site.send(sorted((folder / "broken").iterdir()))
        with site.without_files(broken):
            go_on(None)
            site.agent.ended_job(broken)
    return {"not-applicable": few, "failed": broken}


def make_small(picture: Path) -> None:
    """As many colours as fit into LARGEST_BYTES, without dithering: noise would cost more than it shows."""
    program = executable("pngquant", "pngquant")
    taken = picture.read_bytes()
    for colours in COLOURS:
        command = [program, "--nofs", "--speed", "1", str(colours), "-"]
        small = subprocess.run(command, input=taken, capture_output=True, check=True).stdout
        if len(small) <= LARGEST_BYTES:
            break
    picture.write_bytes(small)


if __name__ == "__main__":
    main()
