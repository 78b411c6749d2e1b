"""Accounts: what may be added, how names become DICOM names, and hashes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import PersonName, validate_value
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent import accounts
from pacs_agent.accounts import AccountRefused, LoginRefused, Logins, Role, derived_person_name, passwords
from pacs_agent.accounts.names import wrong_person_name
from pacs_agent.db import AuditEvent, Database, User

PASSWORD = "a sentence of my own"


def add(session: Session, login: str = "ada", **changed: object) -> User:
    given: dict[str, object] = {"name": "Dr. Ada Lovelace", "roles": [Role.REVIEWER], "password": PASSWORD, **changed}
    return accounts.add_account(session, actor="test", login=login, **given)


def test_an_account_is_added_with_an_audit_line_and_no_password(database: Database) -> None:
    with database.writing() as session:
        add(session)
    with database.reading() as session:
        user = accounts.account_of(session, "ada")
        assert (user.roles, user.enabled, user.person_name) == (["reviewer"], True, "Lovelace^Ada^^Dr.")
        assert user.password_hash.startswith("$argon2id$")
        event = session.scalars(select(AuditEvent)).one()
        assert (event.action, event.actor, event.subject, event.detail) == (
            "user.added",
            "test",
            "ada",
            {"roles": ["reviewer"]},
        )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"login": "Ada"}, "no login"),
        ({"login": "ada lovelace"}, "no login"),
        ({"login": ""}, "no login"),
        ({"login": "a" * 65}, "no login"),
        ({"login": "token"}, "login of machines"),
        ({"name": ""}, "no name"),
        ({"name": "Ada\nLovelace"}, "no name"),
        ({"person_name": "A^B^C^D^E^F"}, "no DICOM person name"),
        ({"person_name": "A=B=C=D"}, "no DICOM person name"),
        ({"person_name": "A\\B"}, "no DICOM person name"),
        ({"person_name": "^Ada"}, "no DICOM person name"),
        ({"name": "A" * 70}, "no DICOM person name"),
        ({"password": "too short"}, "12 to 256"),
        ({"password": "x" * 257}, "12 to 256"),
        ({"password": "aaaaaaaaaaaaaaa"}, "easily guessed"),
        ({"password": "dr. ada lovelace"}, "easily guessed"),
        ({"roles": []}, "needs a role"),
    ],
)
def test_what_cannot_be_is_refused_in_words(database: Database, changed: dict[str, object], words: str) -> None:
    with database.writing() as session, pytest.raises(AccountRefused, match=words):
        add(session, **changed)
    with database.reading() as session:
        assert not accounts.accounts_exist(session)


def test_a_login_is_given_once(database: Database) -> None:
    with database.writing() as session:
        add(session)
        with pytest.raises(AccountRefused, match="already"):
            add(session)


def test_names_and_roles_change_and_other_roles_end_logins(database: Database) -> None:
    with database.writing() as session:
        add(session)
    with database.writing() as session:
        generation = accounts.account_of(session, "ada").session_generation
        user = accounts.change_account(session, "ada", actor="test", name="Ada King")
        assert (user.name, user.person_name, user.roles) == ("Ada King", "King^Ada", ["reviewer"])
        user = accounts.change_account(session, "ada", actor="test", person_name="Lovelace^Ada")
        assert (user.name, user.person_name, user.session_generation) == ("Ada King", "Lovelace^Ada", generation)
        user = accounts.change_account(session, "ada", actor="test", roles=[Role.VIEWER])
        assert (user.name, user.roles, user.session_generation) == ("Ada King", ["viewer"], generation + 1)
        with pytest.raises(AccountRefused, match="no name"):
            accounts.change_account(session, "ada", actor="test", name="Ada\nKing")


@pytest.mark.parametrize("change", [{"enabled": True}, {"enabled": False}])
def test_an_account_that_is_not_there_is_not_changed(database: Database, change: dict[str, bool]) -> None:
    with database.writing() as session, pytest.raises(AccountRefused, match="pacs-agent user list"):
        accounts.set_enabled(session, "nobody", actor="test", **change)


@pytest.mark.parametrize(
    ("name", "person_name"),
    [
        ("Dr. Ada Lovelace", "Lovelace^Ada^^Dr."),
        ("Ada Lovelace", "Lovelace^Ada"),
        ("Prof. Dr. med. Ludwig van Beethoven", "van Beethoven^Ludwig^^Prof. Dr. med."),
        ("Dr. Anna Maria von der Heide", "von der Heide^Anna Maria^^Dr."),
        ("Jürgen Müller-Lüdenscheidt", "Müller-Lüdenscheidt^Jürgen"),
        ("Plato", "Plato"),
        ("Dr.", "Dr."),
        ("van Beethoven", "Beethoven^van"),
        ("A^B=C\\D", "D^A B C"),
        ("山田 太郎", "太郎^山田"),
    ],
)
def test_a_dicom_name_is_derived_from_a_name(name: str, person_name: str) -> None:
    assert derived_person_name(name) == person_name


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" ^=\\."), min_size=1, max_size=60))
def test_a_derived_name_is_one_group_that_dicom_can_hold(name: str) -> None:
    derived = derived_person_name(name)
    if wrong_person_name(derived) is None:
        validate_value("PN", derived, 2)
        assert str(PersonName(derived)) == derived
        assert "=" not in derived


# passwords


@contextmanager
def hashed_by(hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(passwords, "HASHER", hasher)
        yield


def test_hashes_are_argon2id_with_the_parameters_of_rfc_9106(monkeypatch: pytest.MonkeyPatch) -> None:
    with hashed_by(PasswordHasher(), monkeypatch):
        password_hash = passwords.hashed(PASSWORD)
    assert password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(password_hash, PASSWORD)
    assert not passwords.matches(password_hash, PASSWORD + " ")


def test_a_password_is_the_same_from_any_keyboard() -> None:
    assert passwords.matches(passwords.hashed("ein schöner Satz"), "ein scho\u0308ner Satz")
    assert not passwords.matches(passwords.hashed(PASSWORD), "\ud800" * 12)


def test_a_hash_of_other_parameters_is_renewed_at_the_next_login(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        hashed_by(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1), monkeypatch),
        database.writing() as session,
    ):
        old = add(session).password_hash
    Logins(database).log_in("ada", PASSWORD, "192.0.2.1")
    with database.reading() as session:
        user = accounts.account_of(session, "ada")
        assert user.password_hash != old
        assert user.last_login_at is not None
        assert passwords.matches(user.password_hash, PASSWORD)
        assert not passwords.is_outdated(user.password_hash)


@pytest.mark.parametrize("broken", ["", "plain text", "$argon2id$v=19$m=8,t=1,p=1$x", "$2b$12$abc", None])
def test_what_is_no_hash_lets_nobody_in(broken: str | None) -> None:
    assert not passwords.matches(broken, PASSWORD)
    assert not passwords.matches(broken, "")


def test_a_very_long_password_is_not_even_hashed(database: Database) -> None:
    with database.writing() as session:
        add(session)
    with pytest.raises(LoginRefused):
        Logins(database).log_in("ada", "x" * 10_000_000, "192.0.2.1")


@pytest.mark.parametrize("login", ["", "\x00", "ada\x00", "\ud800", "a" * 5000, "ä", "'; DROP TABLE users;--"])
def test_strange_logins_are_refused_like_wrong_ones(database: Database, login: str) -> None:
    with pytest.raises(LoginRefused, match="wrong"):
        Logins(database).log_in(login, PASSWORD, "192.0.2.1")
