"""The command line as an administrator types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pacs_agent.cli import main
from pacs_agent.db import Database, Job, JobState, JobStep, Patient, StepState, Study, utc_now
from pacs_agent.imaging import SeriesPart
from pacs_agent.route import Expectation, Expected
from tests import shipped

Run = Callable[..., Result]
RULES = "rules:\n  - {name: CT, when: {attribute: Modality, equals: CT}, pipeline: msvlm, destinations: [pacs]}\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = tmp_path / "agent.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\ndimse: {{port: 0}}\n")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    return invoke


@pytest.fixture
def tables(run: Run, tmp_path: Path) -> Database:
    assert run("db", "upgrade").exit_code == 0
    return Database(f"sqlite:///{tmp_path / 'data' / 'pacs-agent.sqlite'}")


def listing(run: Run, *arguments: str) -> list[dict[str, object]]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)
    assert isinstance(rows, list)
    return rows


@pytest.mark.parametrize("words", [["studies"], ["jobs"], ["audit"], ["peer", "list"], ["destination", "list"]])
def test_empty_listings_say_what_to_do_next(run: Run, words: list[str]) -> None:
    shown = run(*words)
    assert shown.exit_code == 0
    assert len(shown.output.strip()) > 20
    assert listing(run, *words) == []


def test_a_peer_is_added_changed_and_removed_each_with_an_audit_line(run: Run) -> None:
    run("peer", "add", "PACS", "--host", "192.0.2.1")
    run("peer", "add", "PACS", "--host", "192.0.2.2", "--no-store")
    peers = listing(run, "peer", "list")
    rights = {"may_store": False, "may_echo": True, "enabled": True}
    trust = {"certificate_name": "", "tls_only": False, "commitment_port": 0}
    assert peers == [{"ae_title": "PACS", "host": "192.0.2.2", **rights, **trust}]
    assert run("peer", "remove", "PACS").exit_code == 0
    assert run("peer", "remove", "PACS").exit_code == 1
    assert [row["action"] for row in listing(run, "audit")] == ["peer.removed", "peer.changed", "peer.changed"]


@pytest.mark.parametrize("ae_title", ["", " " * 4, "A" * 17, "A\\B", "ÄE", "A\nB"])
def test_what_is_no_ae_title_is_refused(run: Run, ae_title: str) -> None:
    result = run("peer", "add", ae_title)
    assert result.exit_code == 2
    assert "AE title" in result.output
    assert listing(run, "peer", "list") == []


def test_a_destination_with_wrong_settings_is_refused_naming_the_setting(run: Run) -> None:
    result = run("destination", "add", "pacs", "--kind", "dimse", "--set", "host=192.0.2.1", "--set", "port=nine")
    assert result.exit_code == 2
    assert "port" in result.output
    assert listing(run, "destination", "list") == []


def test_a_destination_is_added(run: Run) -> None:
    pairs = ("host=192.0.2.1", "port=104", "called_ae=PACS")
    result = run("destination", "add", "pacs", "--kind", "dimse", *(word for p in pairs for word in ("--set", p)))
    assert result.exit_code == 0, result.output
    (row,) = listing(run, "destination", "list")
    assert row["settings"] == {"host": "192.0.2.1", "port": 104, "called_ae": "PACS"}


def test_rules_are_put_shown_and_explained_for_a_file(run: Run, tmp_path: Path, ct_file: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert run("rules", "put", str(file)).exit_code == 0
    assert run("rules", "show").output == RULES + "\n"
    decision = json.loads(run("rules", "test", str(ct_file), "--json").output)
    assert [rule["name"] for rule in decision["matched"]] == ["CT"]
    assert decision["rules"][0]["explanation"]["saw"] == ["CT"]
    assert "CT → msvlm → pacs" in run("rules", "test", str(ct_file)).output


def test_corrections_are_explained_for_a_file(run: Run, tmp_path: Path, ct_file: Path) -> None:
    file = tmp_path / "rules.yaml"
    when = "{attribute: Modality, equals: CT}"
    file.write_text(f"{RULES}\ncorrections:\n- {{name: ours, when: {when}, is: {{weighting: localizer}}}}\n")
    [outcome] = json.loads(run("rules", "test", str(ct_file), "--rules", str(file), "--json").output)["corrections"]
    assert (outcome["rule"], outcome["matched"]) == ("ours: weighting localizer", True)
    said = run("rules", "test", str(ct_file), "--rules", str(file)).output
    assert "corrects  ours: weighting localizer" in said


def test_wrong_rules_are_refused_and_change_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.replace("equals", "equal"))
    result = run("rules", "put", str(file))
    assert result.exit_code == 2
    assert "line" in result.output
    assert "No rules yet" in run("rules", "show").output


def test_a_job_shows_its_steps_and_is_found_by_the_beginning_of_its_id(run: Run, tables: Database) -> None:
    with tables.writing() as session:
        session.add(_job("0a1b2c", JobState.FAILED))
    (row,) = listing(run, "jobs", "--state", "failed")
    assert row["id"] == "0a1b2c"
    facts = json.loads(run("job", "0a1", "--json").output)
    assert facts["steps"][0]["name"] == "select_series"
    assert facts["error"] == "the PACS refused it"
    assert "the PACS refused it" in run("job", "0a1b2c").output
    assert run("job", "ff").exit_code == 1


def test_a_job_tells_in_words_what_its_rules_expect(run: Run, tables: Database) -> None:
    part = SeriesPart(series_instance_uid="1.2.3", description="[ep2d]", stack="DWI b800 axial", images={"1.2.3.4": ()})
    here = Expectation(rule="mr", words="a series with a stack of weighting DWI", required=True, met_by=(part,))
    gone = Expectation(rule="mr", words="a series with a stack of weighting ADC", required=False, met_by=())
    with tables.writing() as session:
        job = _job("0a1b2c", JobState.DONE)
        job.expected = Expected(of=(here, gone)).model_dump(mode="json")
        session.add(job)
    shown = " ".join(run("job", "0a1").output.split())
    assert "expected a series with a stack of weighting DWI, rule mr: [ep2d] (DWI b800 axial)" in shown
    assert "optional a series with a stack of weighting ADC, rule mr: has not come" in shown


def test_a_failed_job_is_run_again_and_a_queued_one_is_not(run: Run, tables: Database) -> None:
    with tables.writing() as session:
        session.add(_job("0a1b2c", JobState.FAILED))
    assert run("rerun", "0a1b2c").exit_code == 0
    assert listing(run, "jobs")[0]["state"] == "queued"
    refused = run("rerun", "0a1b2c")
    assert refused.exit_code == 1
    assert "queued" in refused.output
    assert run("cancel", "0a1b2c").exit_code == 0
    assert listing(run, "jobs")[0]["state"] == "canceled"


def test_an_unknown_study_cannot_be_forced(run: Run) -> None:
    result = run("force", "1.2.3")
    assert result.exit_code == 1
    assert "1.2.3" in result.output


def test_a_misspelt_setting_is_found_at_start(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text("dimse: {prot: 104}\n")
    result = CliRunner().invoke(main, ["--config", str(config), "studies"])
    assert result.exit_code == 2
    assert "dimse.prot" in result.output


def test_a_missing_settings_file_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--config", str(tmp_path / "none.yaml"), "studies"])
    assert result.exit_code == 2
    assert "none.yaml" in result.output


def test_the_shipped_models_are_listed_as_ready(run: Run) -> None:
    states = {f"{row['name']}-{row['version']}": row["state"] for row in listing(run, "model", "list") if row["demo"]}
    folders = shipped.every()
    assert states == {folder.name: "ready" for folder in folders}


def test_doctor_names_what_is_missing_and_what_to_do(run: Run) -> None:
    checks = {check["name"]: check for check in json.loads(run("doctor", "--json").output)}
    assert checks["peers"]["grade"] == "warning"
    assert "peer add" in checks["peers"]["advice"]
    assert checks["model"]["grade"] == "good"
    assert checks["workers"]["grade"] == "warning"


def _job(job_id: str, state: JobState) -> Job:
    patient = Patient(patient_id="P1")
    study = Study(patient=patient, study_instance_uid="1.2.3.4")
    step = JobStep(name="select_series", state=StepState.DONE, finished_at=utc_now())
    error = "the PACS refused it" if state is JobState.FAILED else ""
    digest = "0" * 64
    return Job(
        id=job_id, study=study, rule="CT", pipeline="msvlm", input_digest=digest, state=state, error=error, steps=[step]
    )
