"""The panel beside OHIF alone: how soon it is filled, how fast a jump is, and whether memory grows.

The same Chromium, agent and study serve both. "OHIF alone" is the same viewer with our plugin left out: it lists the
agent's SRs as thumbnails, and jumps to slices by its own command.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.report import Report, Row
from tests.e2e.browser import Browser, check_tools
from tests.e2e.phantoms import PhantomStudy, phantom
from tests.e2e.plugin import build_plugin, fetch_viewer
from tests.e2e.site import ADA, Site
from tests.e2e.studies import copy_of

FINDINGS = ("pleural_effusion", "lung_nodule", "coronary_artery_wall_calcification")
FINDING = FINDINGS[0]
SLICES = 300
PEER = "OHIF alone"
WARM_UP_SWITCHES = 10
SWITCHES = 50
SHARES = tuple((7 * step % 20 + 0.5) / 20 for step in range(20))
"""Places of the strip that are jumped to, 0 to 1: near and far ones in turn."""


def run(report: Report, rounds: int, slices: int, switches: int, folder: Path, say: Callable[[str], None]) -> None:
    """Takes the figures. Raises Missing without Node, Chromium or the viewer."""
    check_tools()
    build_plugin()
    fetch_viewer()
    study = phantom(7, slices, FINDINGS)
    with Site(folder / "site") as site, Browser(folder, folder / "driver.log") as browser:
        report.versions["Chromium"] = browser.version
        say(f"panel: a phantom of {slices} slices is being read")
        said = site.read(study.files, study.uid)
        _opening(report, browser, site, study, rounds, say)
        _jumps(report, browser, site, study, said, say)
        _memory(report, browser, site, _two_studies(site, folder), switches, say)


def _opening(
    report: Report, browser: Browser, site: Site, study: PhantomStudy, rounds: int, say: Callable[[str], None]
) -> None:
    ours: list[dict[str, float]] = []
    alone: list[dict[str, float]] = []
    for number in range(rounds):
        for plugin, into in ((True, ours), (False, alone)):
            into.append(browser.play("bench-open", site.address, account=ADA.given(), study=study.uid, plugin=plugin))
        say(f"panel: opened, round {number + 1} of {rounds}")
    report.rows += [
        _row(
            "panel_filled",
            f"panel filled after the first image, {len(study.files)} slices",
            "seconds from the first image on the screen until every finding is in the panel; OHIF alone: until it "
            "lists the agent's SRs",
            "s",
            [one["filled_ms"] / 1000 for one in ours],
            [one["filled_ms"] / 1000 for one in alone],
        ),
        _row(
            "first_image",
            f"first image, {len(study.files)} slices",
            "seconds from the address of a study, in a fresh browser, to its first image on the screen",
            "s",
            [one["image_ms"] / 1000 for one in ours],
            [one["image_ms"] / 1000 for one in alone],
        ),
    ]


def _jumps(
    report: Report,
    browser: Browser,
    site: Site,
    study: PhantomStudy,
    said: dict[str, Any],
    say: Callable[[str], None],
) -> None:
    finding = next(one for one in said["result"]["findings"] if one["key"] == FINDING)
    best = max(finding["evidence"], key=lambda one: float(one["weight"]))["sop_instance_uid"]
    seen = browser.play(
        "bench-jumps", site.address, account=ADA.given(), study=study.uid, finding=FINDING, slice=best, shares=SHARES
    )
    say("panel: jumps done")
    what = "milliseconds from the click to the slice, in the page; OHIF alone: its own jump to the same slices"
    report.rows.append(_row("jump", "jump to a slice", what, "ms", seen["ours_ms"], seen["alone_ms"]))


def _memory(
    report: Report,
    browser: Browser,
    site: Site,
    studies: Sequence[str],
    switches: int,
    say: Callable[[str], None],
) -> None:
    growth = []
    for plugin in (True, False):
        seen = browser.play(
            "bench-heap",
            site.address,
            account=ADA.given(),
            studies=studies,
            plugin=plugin,
            switches=WARM_UP_SWITCHES + switches,
            every=WARM_UP_SWITCHES,
            answers={"measured": lambda mib: say(f"panel: {mib:.1f} MiB of heap")},
        )
        first, *_, last = seen["heap_mib"]
        growth.append([last - first])
    what = f"MiB by which the JavaScript heap grew over {switches} switches between two studies, after collection"
    report.rows.append(_row("heap_growth", f"heap growth over {switches} studies", what, "MiB", *growth))


def _two_studies(site: Site, folder: Path) -> list[str]:
    small = phantom(7, 96, FINDINGS)
    site.read(small.files, small.uid)
    files, other = copy_of(small.files, folder / "other", "the other of two")
    site.read(files, other)
    return [small.uid, other]


def _row(id_: str, label: str, what: str, unit: str, ours: Sequence[float], alone: Sequence[float]) -> Row:
    rounds = {"ours": list(ours), PEER: list(alone)}
    return Row(id_, label, what, unit, "lower", median(ours), PEER, median(alone), rounds=rounds)
