"""The running site, the browser and the studies that all end-to-end tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.browser import Browser, check_tools
from tests.e2e.phantoms import PhantomStudy, phantom
from tests.e2e.plugin import REPOSITORY, build_plugin, fetch_viewer
from tests.e2e.site import Site
from tests.peers import Missing, Orthanc

ITEM_TIMEOUT_S = 900
"""The first test of a site waits for the agent and for a reading, on a machine that may have other work."""
PICTURES = REPOSITORY / "build" / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this needs Node and Chromium, and takes its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.alone)
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(ITEM_TIMEOUT_S))


@pytest.fixture(scope="package")
def tools() -> None:
    """Node, Chromium, the driver, and the plugin as it is now; skips where one cannot be had."""
    try:
        check_tools()
        build_plugin()
    except Missing as missing:
        pytest.skip(str(missing))


def viewer(version: str | None = None) -> Path:
    """The folder of a pinned OHIF; skips where it cannot be had."""
    try:
        return fetch_viewer(version)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="package")
def browser(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The one Chromium of all tests."""
    with Browser(PICTURES, tmp_path_factory.mktemp("browser") / "driver.log") as running:
        yield running


@pytest.fixture(scope="package")
def site(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The agent with its viewer and its own archive."""
    viewer()
    with Site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="package")
def orthanc_site(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The agent beside a real Orthanc, which has the images and gets the results."""
    viewer()
    folder = tmp_path_factory.mktemp("orthanc-site")
    with Orthanc(folder / "pacs") as pacs, Site(folder, pacs) as running:
        yield running


@pytest.fixture(
    scope="module", params=["archive", pytest.param("orthanc", marks=pytest.mark.peers)], ids=["archive", "orthanc"]
)
def a_site(request: pytest.FixtureRequest) -> Site:
    """The site whose images are in the agent's own archive, then the one whose images are in Orthanc."""
    found: Site = request.getfixturevalue("site" if request.param == "archive" else "orthanc_site")
    return found


@pytest.fixture(scope="package")
def effusion() -> PhantomStudy:
    """A phantom with an effusion, a nodule and calcified coronaries."""
    return phantom(7, 96, ("pleural_effusion", "lung_nodule", "coronary_artery_wall_calcification"))
