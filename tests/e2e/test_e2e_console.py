"""The administrator's day in Chromium: from the first start to the audit trail, and every page without barriers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.browser import Browser
from tests.e2e.conftest import PICTURES
from tests.e2e.console_site import GRACE, NEXT, NewSite
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.studies import copy_of
from tests.peers import until

pytestmark = pytest.mark.peers

DONE = (
    "user.added",
    "peer.changed",
    "destination.changed",
    "rules.changed",
    "association",
    "job.failed",
    "job.rerun",
    "result.delivered",
    "model.installed",
    "model.activated",
    "model.rolled_back",
)
"""What the audit trail must show at the end, besides other acts."""


@pytest.fixture(scope="module")
def site(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSite]:
    with NewSite(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
def day(
    browser: Browser, site: NewSite, effusion: PhantomStudy, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What was seen of the whole day."""
    return play_day(browser, site, effusion, tmp_path_factory.mktemp("second"))


def play_day(browser: Browser, site: NewSite, study: PhantomStudy, folder: Path) -> dict[str, Any]:
    """Plays the scenario; gives its facts."""
    second, second_uid = copy_of(study.files, folder, "second")

    def send_second(_: Any) -> None:
        site.send(second)
        site.agent.ended_job(second_uid, timeout_s=240)

    def compared(_: Any) -> Any:
        """Both models have read the second study."""
        session = logged_in(site)

        def shadow() -> Any:
            shadows = session.get(f"{site.agent.url}/api/v1/models", timeout=30).json()["shadows"]
            said = session.get(f"{site.agent.url}/api/v1/models/shadows/{shadows[0]['id']}", timeout=30).json()
            return said["comparison"]["studies"]

        return until(shadow, timeout_s=200, every_s=2, what="a study that the shadow has read")

    facts: dict[str, Any] = browser.play(
        "console",
        site.agent.url,
        **site.given(study.files),
        answers={
            "send the first study": lambda _: site.send(study.files),
            "send the second study": send_second,
            "compared": compared,
            "breathe": lambda _: None,
        },
    )
    return facts


def logged_in(site: NewSite) -> requests.Session:
    session = requests.Session()
    session.post(f"{site.agent.url}/api/v1/session", json=GRACE.given(), timeout=30).raise_for_status()
    return session


def test_the_first_start_makes_the_administrator_and_says_what_is_missing(day: dict[str, Any]) -> None:
    assert day["first"]["name"] == GRACE.name
    assert {"Peers", "Rules"} <= set(day["first"]["wrong"])


def test_a_peer_is_asked_and_its_own_answer_shown(day: dict[str, Any]) -> None:
    assert "answer" in day["echo"]["echo"].lower() or "0000" in day["echo"]["echo"]


def test_rules_are_tried_with_a_file_before_they_are_saved(day: dict[str, Any]) -> None:
    assert "chest CT" in day["tested"]["summary"]


def test_a_study_is_watched_as_it_comes_in(day: dict[str, Any]) -> None:
    assert day["arrived"]["live"], "the page was loaded anew"


def test_a_failed_delivery_is_found_repaired_and_sent(day: dict[str, Any], site: NewSite) -> None:
    assert "pacs" in day["repaired"]["why"]
    assert site.pacs.find("Instance", Modality="SR"), "nothing lies in the PACS"


def test_a_model_is_shadowed_activated_and_rolled_back(day: dict[str, Any]) -> None:
    assert day["model"]["compared"] == 1
    assert dict(day["model"]["after"])[NEXT] == "in use"
    assert dict(day["model"]["rolledBack"])[NEXT] != "in use"


def test_the_audit_trail_shows_all_of_it(day: dict[str, Any], site: NewSite) -> None:
    assert [action for action in DONE if action not in day["actions"]] == []
    site.agent.run("audit", "verify")  # which fails when a line was changed or is missing


def test_no_page_has_a_barrier(day: dict[str, Any], browser: Browser, site: NewSite) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    seen = browser.play("console-pages", site.agent.url, account=GRACE.given(), pictures_to=str(PICTURES))
    assert seen["faults"] == []
