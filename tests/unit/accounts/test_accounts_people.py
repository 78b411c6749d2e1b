"""The first administrator, the last one, tokens of programs, and accounts of an identity provider."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pgserver
import pytest
from sqlalchemy import select, update

from pacs_agent import accounts
from pacs_agent.accounts import (
    AccountRefused,
    LoginRefused,
    Logins,
    ProviderClaims,
    Role,
    TokenRefused,
    log_in_by_provider,
    make_token,
    revoke_token,
    token_used,
)
from pacs_agent.accounts.passwords import is_common
from pacs_agent.db import ApiToken, AuditEvent, Database, User, upgrade, utc_now

PASSWORD = "a sentence of my own"
ADMIN = accounts.with_included([Role.ADMIN])
CLAIMS = ProviderClaims("https://login.example", "subject-1", "Ada", "Dr. Ada Lovelace", (Role.REVIEWER,))


def add(database: Database, login: str, *roles: Role) -> None:
    with database.writing() as session:
        accounts.add_account(session, actor="test", login=login, name="A B", roles=roles, password=PASSWORD)


def actions(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def test_the_first_account_is_an_administrators_and_the_second_is_not_given_away(database: Database) -> None:
    first = {"name": "Grace Hopper", "password": PASSWORD, "actor": "first start"}
    with database.writing() as session:
        assert accounts.add_first_account(session, login="grace", **first).roles == ["admin"]
    with database.writing() as session, pytest.raises(AccountRefused, match="already"):
        accounts.add_first_account(session, login="eve", **first)


@pytest.mark.slow
def test_of_several_at_once_one_is_first_in_postgres_too(tmp_path: Path) -> None:
    server = pgserver.get_server(tmp_path / "postgres")
    database = Database(server.get_uri())

    def begin(number: int) -> bool:
        try:
            with database.writing() as session:
                given = {"login": f"person{number}", "name": "A B", "password": PASSWORD}
                accounts.add_first_account(session, actor="test", **given)
        except AccountRefused:
            return False
        return True

    try:
        upgrade(database)
        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(begin, range(6))) == 1
    finally:
        database.close()
        server.cleanup()


def test_the_last_administrator_stays_one(database: Database) -> None:
    add(database, "ada", Role.ADMIN)
    add(database, "grace", Role.ADMIN, Role.AUDITOR)
    add(database, "eve", Role.VIEWER)
    with database.writing() as session:
        accounts.set_enabled(session, "eve", enabled=False, actor="test")
        accounts.set_enabled(session, "ada", enabled=False, actor="test")
    with database.writing() as session, pytest.raises(AccountRefused, match="last administrator"):
        accounts.set_enabled(session, "grace", enabled=False, actor="test")
    with database.writing() as session, pytest.raises(AccountRefused, match="last administrator"):
        accounts.change_account(session, "grace", roles=[Role.AUDITOR], actor="test")


def test_a_change_is_audited_with_before_and_after(database: Database) -> None:
    add(database, "ada", Role.VIEWER)
    with database.writing() as session:
        accounts.change_account(session, "ada", roles=[Role.OPERATOR], actor="test")
        accounts.set_enabled(session, "ada", enabled=False, actor="test")
    with database.reading() as session:
        changed, disabled = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()[-2:]
    assert (changed.detail["before"]["roles"], changed.detail["after"]["roles"]) == (["viewer"], ["operator"])
    assert disabled.detail == {"before": {"enabled": True}, "after": {"enabled": False}}


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd!2026",
        "Administrator1",
        "123456789012",
        "qwertyuiopas",
        "adminadmin123",
        "orthanc-orthanc",
        "changeme2026!",
        "zyxwvutsrqpo",
        "PACS-Agent-2026",
    ],
)
def test_what_everybody_tries_first_is_no_password(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize(
    "password", [PASSWORD, "quite another sentence", "machine-token", "Tr0ub4dor&3xkcd", "αβγδεζηθικλμ"]
)
def test_a_sentence_is_a_password(password: str) -> None:
    assert not is_common(password)


# tokens


def test_a_token_is_shown_once_and_known_by_its_digest(database: Database) -> None:
    with database.writing() as session:
        token, given = make_token(session, actor="ada", own=ADMIN, name="RIS", roles=[Role.VIEWER], days=30)
    assert given not in repr(vars(token))
    used = token_used(database, given)
    assert used is not None
    assert used.roles == ["viewer"]
    with database.reading() as session:
        assert session.get_one(ApiToken, token.id).last_used_at is not None
        assert all(given not in str(vars(line)) for line in session.scalars(select(AuditEvent)))
    assert token_used(database, given[:-1]) is None
    assert token_used(database, token.digest) is None


def test_a_token_ends(database: Database) -> None:
    with database.writing() as session:
        first, given = make_token(session, actor="ada", own=ADMIN, name="RIS", roles=[Role.VIEWER], days=30)
        second, other = make_token(session, actor="ada", own=ADMIN, name="backup", roles=[Role.ADMIN], days=1)
        revoke_token(session, first.id, actor="ada")
        session.execute(update(ApiToken).where(ApiToken.id == second.id).values(expires_at=utc_now() - timedelta(1)))
    assert token_used(database, given) is None
    assert token_used(database, other) is None
    for number in (first.id, second.id, 99):
        with database.writing() as session, pytest.raises(TokenRefused):
            revoke_token(session, number, actor="ada")
    assert actions(database) == ["token.made", "token.made", "token.revoked"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"roles": [Role.AUDITOR]}, "not auditor yourself"),
        ({"roles": [Role.REVIEWER]}, "none may review"),
        ({"roles": []}, "needs a role"),
        ({"days": 0}, "lives for"),
        ({"days": 10_000}, "lives for"),
        ({"name": "=cmd"}, "no name"),
        ({"name": "taken"}, "already"),
    ],
)
def test_a_token_that_cannot_be_is_refused(database: Database, given: dict[str, object], words: str) -> None:
    asked: dict[str, object] = {"name": "RIS", "roles": [Role.VIEWER], "days": 30, **given}
    with database.writing() as session:
        make_token(session, actor="ada", own=ADMIN, name="taken", roles=[Role.VIEWER], days=1)
        with pytest.raises(TokenRefused, match=words):
            make_token(session, actor="ada", own=ADMIN, **asked)


# an identity provider


def test_an_account_is_made_at_the_first_login_and_its_roles_follow(database: Database) -> None:
    user = log_in_by_provider(database, CLAIMS, "192.0.2.1")
    assert (user.login, user.roles, user.person_name) == ("ada", ["reviewer"], "Lovelace^Ada^^Dr.")
    generation = user.session_generation
    again = ProviderClaims(CLAIMS.issuer, CLAIMS.subject, "renamed", "Eve", (Role.VIEWER,))
    user = log_in_by_provider(database, again, "192.0.2.1")
    assert (user.login, user.name, user.roles) == ("ada", "Dr. Ada Lovelace", ["viewer"])
    assert user.session_generation == generation + 1
    assert actions(database) == ["user.added", "login", "user.changed", "login"]


def test_a_login_of_the_provider_is_no_local_one(database: Database) -> None:
    add(database, "ada", Role.ADMIN)
    with pytest.raises(LoginRefused, match="another account"):
        log_in_by_provider(database, CLAIMS, "192.0.2.1")
    assert actions(database)[-1] == "login.failed"


def test_what_the_provider_cannot_say_is_refused(database: Database) -> None:
    for wrong in ({"roles": ()}, {"login": "a b"}, {"subject": ""}, {"name": "x" * 200}):
        with pytest.raises(LoginRefused):
            log_in_by_provider(database, ProviderClaims(**{**vars(CLAIMS), **wrong}), "192.0.2.1")
    with database.reading() as session:
        assert session.scalars(select(User)).all() == []


@pytest.mark.parametrize("password", ["", "the password of nobody", PASSWORD])
def test_an_account_of_the_provider_has_no_password_here(database: Database, password: str) -> None:
    log_in_by_provider(database, CLAIMS, "192.0.2.1")
    with pytest.raises(LoginRefused):
        Logins(database).log_in("ada", password, "192.0.2.1")
    with database.writing() as session, pytest.raises(AccountRefused, match="change it there"):
        accounts.set_password(session, "ada", PASSWORD, actor="test")


def test_a_disabled_account_of_the_provider_stays_out(database: Database) -> None:
    log_in_by_provider(database, CLAIMS, "192.0.2.1")
    with database.writing() as session:
        accounts.set_enabled(session, "ada", enabled=False, actor="test")
    with pytest.raises(LoginRefused, match="disabled"):
        log_in_by_provider(database, CLAIMS, "192.0.2.1")
