"""The review API: what is asked, who may ask, and what is answered."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from pacs_agent.accounts import Role
from pacs_agent.archive import Archive
from pacs_agent.db import Database
from tests.unit.console.people import add_person, app_of, log_in
from tests.unit.review.read_studies import ACCEPT_NODULE, REJECT_EMPHYSEMA, ReadStudy


@pytest.fixture
def study(database: Database, tmp_path: Path) -> ReadStudy:
    return ReadStudy(database, Archive(database, tmp_path / "archive"))


class Panel:
    """The panel of a person who is logged in."""

    def __init__(self, study: ReadStudy, folder: Path, login: str = "ada", *roles: Role, name: str = "Dr. Ada") -> None:
        add_person(study.database, login, *roles, name=name)
        self.study = study
        self.client: FlaskClient = app_of(study.database, folder).test_client()
        self.headers = log_in(self.client, login)

    def save(self, **changed: Any) -> Any:
        asked = self.study.review(ACCEPT_NODULE, REJECT_EMPHYSEMA).model_dump(mode="json")
        return self.post("review", {**asked, **changed})

    def post(self, what: str, asked: Any, study: str = "") -> Any:
        address = f"/api/v1/studies/{study or self.study.uid}/{what}"
        return self.client.post(address, json=asked, headers=self.headers)


def test_a_saved_review_is_answered_as_it_was_kept(study: ReadStudy, tmp_path: Path) -> None:
    answer = Panel(study, tmp_path).save(verify=True)
    assert answer.status_code == 201, answer.text
    assert answer.json["findings"][1] == {"finding": "emphysema", "action": "rejected", "reason": "not_there"}
    assert {key: answer.json[key] for key in ("version", "by", "verified", "state", "text", "objects", "error")} == {
        "version": 1,
        "by": "Dr. Ada",
        "verified": True,
        "state": "sending",
        "text": None,
        "objects": [],
        "error": "",
    }
    assert answer.json["at"].endswith(("Z", "+00:00"))


def test_whoever_is_second_is_told_in_json(study: ReadStudy, tmp_path: Path) -> None:
    Panel(study, tmp_path, "bob", name="Dr. Bob").save()
    answer = Panel(study, tmp_path).save()
    assert answer.status_code == 409
    assert answer.json["error"].startswith("Dr. Bob saved a review; reload")
    assert (answer.json["by"], answer.json["version"]) == ("Dr. Bob", 1)
    assert answer.json["at"]


def test_what_may_not_be_said_is_answered_in_words(study: ReadStudy, tmp_path: Path) -> None:
    panel = Panel(study, tmp_path)
    answer = panel.save(findings=[], verify=True)
    assert (answer.status_code, answer.json["error"]) == (
        422,
        "not handled yet: Lung nodule, Emphysema; accept, reject or edit each before you verify",
    )
    assert panel.save(job_id="another").status_code == 422
    assert panel.post("review", [1]).status_code == 422
    answer = panel.save(base_version="new")
    assert answer.status_code == 422
    assert answer.json["error"].startswith("base_version: Input should be a valid integer")


def test_a_study_must_be_a_uid_and_a_request_of_some_size(study: ReadStudy, tmp_path: Path) -> None:
    panel = Panel(study, tmp_path)
    assert panel.post("review", {}, study="1.2.x").status_code == 400
    assert panel.save(text="x" * 1_100_000).status_code == 413


def test_only_a_reviewer_with_the_token_of_his_login_saves(study: ReadStudy, tmp_path: Path) -> None:
    viewer = Panel(study, tmp_path, "vera", Role.VIEWER)
    assert viewer.save().status_code == 403
    assert viewer.post("reviewers", {"here": True}).status_code == 403
    reviewer = Panel(study, tmp_path)
    reviewer.headers = {}
    assert reviewer.save().status_code == 403
    stranger = app_of(study.database, tmp_path).test_client()
    assert stranger.post(f"/api/v1/studies/{study.uid}/review", json={}).status_code == 401


def test_reviewers_of_one_study_know_of_each_other(study: ReadStudy, tmp_path: Path) -> None:
    ada, bob = Panel(study, tmp_path), Panel(study, tmp_path, "bob", name="Dr. Bob")
    assert ada.post("reviewers", {"here": True}).json == {"others": []}
    assert bob.post("reviewers", {"here": True}).json == {"others": ["Dr. Ada"]}
    assert bob.post("reviewers", {"here": False}).json == {"others": ["Dr. Ada"]}
    assert ada.post("reviewers", {"here": True}).json == {"others": []}
    assert ada.post("reviewers", {}).status_code == 422
