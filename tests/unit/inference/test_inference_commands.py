"""`pacs-agent model` as an administrator types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from tiny_bundle import keys_of, write_bundle

from pacs_agent.cli import main

Run = Callable[..., Result]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    for version in ("0.9", "0.10"):
        write_bundle(tmp_path / "bundles" / f"tiny-{version}", version=version)
    return tmp_path / "bundles"


@pytest.fixture
def run(bundles: Path, tmp_path: Path) -> Run:
    inference = {"bundles_dir": str(bundles), "trusted_keys": str(keys_of(bundles / "tiny-0.9")), "provider": "cpu"}
    config = tmp_path / "agent.yaml"
    config.write_text(yaml.safe_dump({"data_dir": str(tmp_path / "data"), "inference": inference}))
    return lambda *words: CliRunner().invoke(main, ["--config", str(config), "model", *words])


def states(run: Run) -> dict[str, str]:
    return {row["version"]: row["state"] for row in json.loads(run("list", "--json").output)}


def test_activate_and_roll_back(run: Run) -> None:
    assert states(run) == {"0.9": "ready", "0.10": "ready"}
    assert "tiny 0.9 reads from the next study on" in run("activate", "tiny-0.9").output
    assert run("activate", "tiny").exit_code == 0
    assert states(run) == {"0.9": "ready", "0.10": "activated"}
    assert "tiny 0.9 reads" in run("rollback", "tiny").output
    assert states(run) == {"0.9": "activated", "0.10": "ready"}


def test_nothing_to_roll_back(run: Run) -> None:
    done = run("rollback", "tiny")
    assert done.exit_code == 1
    assert "no earlier version of tiny was activated" in done.output


def test_verify_says_what_it_checked(run: Run, bundles: Path) -> None:
    done = run("verify", str(bundles / "tiny-0.9"))
    assert done.exit_code == 0
    assert "tiny-0.9: may run here" in done.output
    for words in ("by tests, key", "all as released", "largest difference", "F1 1.00 on the right study"):
        assert words in done.output


def test_verify_of_all_ends_with_an_error_when_one_fails(run: Run, bundles: Path) -> None:
    (bundles / "tiny-0.10" / "manifest.sig").unlink()
    done = run("verify", "--json")
    assert done.exit_code == 1
    assert {one["bundle"]: one["passed"] for one in json.loads(done.output)} == {"tiny-0.10": False, "tiny-0.9": True}


def test_what_is_refused_is_not_activated(run: Run, bundles: Path) -> None:
    (bundles / "tiny-0.10" / "study_reader.onnx").write_bytes(b"")
    done = run("activate", "tiny")
    assert done.exit_code == 1
    assert "not activated. tiny-0.10/study_reader.onnx: has SHA-256" in done.output
    assert "refused: tiny-0.10/study_reader.onnx" in run("list", "--json").output


def test_a_bundle_elsewhere_is_to_be_installed_first(run: Run, tmp_path: Path) -> None:
    write_bundle(tmp_path / "download" / "tiny-2.0", version="2.0")
    assert "copy it into" in run("activate", str(tmp_path / "download" / "tiny-2.0")).output


def test_show_names_the_signer(run: Run) -> None:
    assert json.loads(run("show", "tiny-0.9", "--json").output)["signed_by"]["name"] == "tests"
    assert "signed by: tests" in run("show", "tiny-0.9").output
    assert "no bundle 'huge'" in run("show", "huge").output
