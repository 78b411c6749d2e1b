"""What was exported can be imported, what is shown is what is done, and what cannot be done changes nothing."""

from pathlib import Path

import pytest
from sqlalchemy import select

from pacs_agent import accounts, deliver, receive, route
from pacs_agent.accounts import Role
from pacs_agent.config import Settings
from pacs_agent.configuration import (
    StateChanged,
    WrongConfiguration,
    apply_plan,
    configuration_now,
    plan_import,
    read_configuration,
    write_configuration,
)
from pacs_agent.db import AuditEvent, Database, upgrade
from pacs_agent.ops.outbound import Outbound
from pacs_agent.ops.runtime import Retention, change_runtime_settings, set_secret

RULES = "# ours\nrules:\n  - {name: chest, pipeline: msvlm, destinations: [pacs]}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, inference={"bundles_dir": tmp_path / "none"})


@pytest.fixture
def filled(database: Database) -> Database:
    """An agent that is set up."""
    with database.writing() as session:
        receive.put_peer(session, receive.NewPeer(ae_title="PACS", host="192.0.2.1"), actor="ada")
        stow = {"url": "https://192.0.2.2/dicom-web", "user": "agent"}
        for new in (
            deliver.NewDestination("pacs", "dimse", {"host": "192.0.2.1", "port": 104, "called_ae": "PACS"}),
            deliver.NewDestination("web", "stow", stow, secrets={"password": "hunter2"}),
        ):
            deliver.put_destination(session, new, actor="ada", outbound=Outbound())
        route.put_rules(session, RULES, actor="ada")
        roles = [Role.ADMIN, Role.REVIEWER]
        accounts.add_account(session, actor="x", login="ada", name="Ada", roles=roles, password="a sentence of hers")
        change_runtime_settings(session, Retention(images_days=30), actor="ada")
        set_secret(session, "webhook_key", "swordfish", actor="ada")
    return database


@pytest.fixture
def fresh(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    upgrade(database)
    return database


def exported(database: Database) -> str:
    with database.reading() as session:
        return write_configuration(configuration_now(session), "of a test")


def test_an_export_holds_no_secret_and_says_which_were_set(filled: Database) -> None:
    text = exported(filled)
    assert "hunter2" not in text
    assert "swordfish" not in text
    assert "argon2" not in text
    found = read_configuration(text)
    assert found.secrets == ("webhook_key",)
    assert [one.secrets for one in found.destinations or ()] == [(), ("password",)]


def test_what_was_exported_can_be_taken_over_elsewhere(filled: Database, fresh: Database, settings: Settings) -> None:
    wanted = read_configuration(exported(filled))
    plan = plan_import(settings, fresh, wanted)
    assert plan.fault == ""
    assert any(line.kind == "added" and "192.0.2.1" in line.text for line in plan.lines)
    assert plan.to_do == (
        "set the password of destination web",
        "set webhook_key of the notifications",
        "give the new account ada a password, then enable it",
    )
    apply_plan(settings, fresh, wanted, plan.digest, actor="boss")
    with fresh.reading() as session:
        assert route.rules_text(session) == RULES
        ada = accounts.account_of(session, "ada")
        assert not ada.enabled, "nobody knows its password"
        lines = session.scalars(select(AuditEvent)).all()
    assert {"peer.changed", "destination.changed", "rules.changed", "user.added", "settings.changed"} <= {
        line.action for line in lines
    }
    assert {line.actor for line in lines} == {"boss"}
    accounts_aside = wanted.model_copy(update={"users": None})
    assert plan_import(settings, fresh, accounts_aside).is_empty


def test_an_export_of_itself_changes_nothing(filled: Database, settings: Settings) -> None:
    assert plan_import(settings, filled, read_configuration(exported(filled))).is_empty


def test_a_part_that_is_there_is_all_of_its_kind_and_one_that_is_missing_stays(
    filled: Database, settings: Settings
) -> None:
    wanted = read_configuration("pacs_agent_configuration: 1\npeers: []\n")
    plan = plan_import(settings, filled, wanted)
    assert next(line.text for line in plan.lines if line.kind == "removed") == "peers:"
    apply_plan(settings, filled, wanted, plan.digest, actor="boss")
    after = read_configuration(exported(filled))
    assert after.peers == ()
    assert len(after.destinations or ()) == 2


def test_what_was_changed_meanwhile_is_not_overwritten(filled: Database, settings: Settings) -> None:
    wanted = read_configuration("pacs_agent_configuration: 1\npeers: []\n")
    plan = plan_import(settings, filled, wanted)
    with filled.writing() as session:
        receive.put_peer(session, receive.NewPeer(ae_title="NEW"), actor="eve")
    with pytest.raises(StateChanged):
        apply_plan(settings, filled, wanted, plan.digest, actor="boss")
    assert len(read_configuration(exported(filled)).peers or ()) == 2


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("destinations: []", "the rule chest delivers to pacs"),
        ("users: [{login: ada, name: Ada, person_name: Ada, roles: [viewer]}]", "last administrator"),
        (f"models: [{{name: msvlm, version: 9.9, digest: {DIGEST}}}]", "not installed here"),
        ("destinations: [{name: x, kind: ftp}]", "not a kind of destination"),
        ("rules: 'rules: [{}]'", "rules[0]"),
        (
            "destinations: [{name: pacs, kind: stow, settings: {url: 'http://169.254.169.254/x'}}]",
            "link-local",
        ),
    ],
)
def test_what_cannot_be_is_told_before_and_changes_nothing(
    filled: Database, settings: Settings, part: str, words: str
) -> None:
    before = exported(filled)
    wanted = read_configuration(f"pacs_agent_configuration: 1\npeers: []\n{part}\n")
    plan = plan_import(settings, filled, wanted)
    assert words in plan.fault
    with pytest.raises((WrongConfiguration, StateChanged)):
        apply_plan(settings, filled, wanted, plan.digest, actor="boss")
    assert exported(filled) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("pacs_agent_configuration: 2", "pacs_agent_configuration"),
        ("pacs_agent_configuration: 1\nusers: !!python/object:os.system []", "tags"),
        ("pacs_agent_configuration: 1\npeers: &a []\nusers: *a", "anchors"),
        ("pacs_agent_configuration: 1\npeers: [{ae_title: A}, {ae_title: A}]", "twice"),
        ("pacs_agent_configuration: 1\nretention: {images_days: 0}", "retention.images_days"),
        ("pacs_agent_configuration: 1\nunknown: 1", "unknown"),
        ("pacs_agent_configuration: 1\nusers: [{login: a, name: A, person_name: A, roles: []}]", "roles"),
    ],
)
def test_a_text_that_is_no_configuration_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(WrongConfiguration, match=words):
        read_configuration(text)
