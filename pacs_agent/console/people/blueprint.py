"""The pages of users and tokens, and their JSON."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flask import Blueprint
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from pacs_agent import accounts
from pacs_agent.accounts import (
    IN_WORDS,
    TOKEN_ROLES,
    AccountRefused,
    Role,
    TokenRefused,
    account_of,
    all_tokens,
    lacking,
    make_token,
    revoke_token,
)
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import current_person
from pacs_agent.console.frame import Done, Page, Refusal, Room, acting, page_of
from pacs_agent.console.people.models import (
    Account,
    ChangedAccount,
    NewAccount,
    NewPassword,
    NewToken,
    OneAccount,
    People,
    PeopleAsked,
    RoleInWords,
    Token,
    TokenMade,
    Tokens,
)
from pacs_agent.console.people.own import add_own
from pacs_agent.db import Database, User

LIST = "/console/people"
TOKENS = "/console/tokens"


def people_blueprint(_settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/people` and `/console/tokens`, and for everybody `/console/account`."""
    room = Room("people", __name__)
    _add_lists(room, database)
    _add_changes(room, database)
    _add_tokens(room, database)
    add_own(room, database)
    return room


def _add_lists(room: Room, database: Database) -> None:
    @room.page(
        "/people",
        needs_role=Role.ADMIN,
        template="people-list.html",
        answer=People,
        summary="The accounts, the newest first",
        asked=PeopleAsked,
    )
    def people(asked: PeopleAsked) -> People:
        with database.reading() as session:
            return People(accounts=_accounts(session, asked), roles=_in_words(Role))

    @room.page(
        "/people/<login>",
        needs_role=Role.ADMIN,
        template="people-one.html",
        answer=OneAccount,
        summary="An account",
    )
    def person(login: str) -> OneAccount:
        with database.reading() as session:
            account = Account.of(_known(session, login))
        return OneAccount(account=account, roles=_in_words(Role), own=login == current_person().login)


def _add_changes(room: Room, database: Database) -> None:
    @room.act("/people/add", needs_role=Role.ADMIN, summary="Add an account", body=NewAccount)
    def add_person(body: NewAccount) -> Done:
        fields = body.model_dump(exclude={"password"})
        password = body.password.get_secret_value()
        with _changing(database) as session:
            accounts.add_account(session, actor=acting(), password=password, **fields)
        return Done(message=f"{body.login} may log in as {', '.join(body.roles)}.", location=LIST)

    @room.act(
        "/people/<login>/change",
        needs_role=Role.ADMIN,
        summary="Give an account another name or other roles; other roles end its logins",
        body=ChangedAccount,
    )
    def change_person(login: str, body: ChangedAccount) -> Done:
        person = current_person()
        if login == person.login and (more := lacking(person.roles, body.roles)):
            raise Refusal(f"nobody gives himself more than he has: another administrator makes you {', '.join(more)}")
        with _changing(database, login) as session:
            accounts.change_account(session, login, actor=acting(), **body.model_dump())
        return Done(message=f"{login} was changed.", location=f"{LIST}/{login}")

    @room.act("/people/<login>/disable", needs_role=Role.ADMIN, summary="Disable an account and end its logins")
    def disable_person(login: str) -> Done:
        with _changing(database, login) as session:
            accounts.set_enabled(session, login, enabled=False, actor=acting())
        return Done(message=f"{login} may not log in any more, and is logged out.", location=f"{LIST}/{login}")

    @room.act("/people/<login>/enable", needs_role=Role.ADMIN, summary="Let a disabled account log in again")
    def enable_person(login: str) -> Done:
        with _changing(database, login) as session:
            accounts.set_enabled(session, login, enabled=True, actor=acting())
        return Done(message=f"{login} may log in.", location=f"{LIST}/{login}")

    @room.act(
        "/people/<login>/password",
        needs_role=Role.ADMIN,
        summary="Give an account another password and end its logins",
        body=NewPassword,
    )
    def set_password(login: str, body: NewPassword) -> Done:
        with _changing(database, login) as session:
            accounts.set_password(session, login, body.password.get_secret_value(), actor=acting())
        return Done(message=f"{login} has another password; what was logged in is logged out.", location=LIST)


def _add_tokens(room: Room, database: Database) -> None:
    @room.page(
        "/tokens", needs_role=Role.ADMIN, template="people-tokens.html", answer=Tokens, summary="The tokens of programs"
    )
    def tokens() -> Tokens:
        given = [role for role in TOKEN_ROLES if role in current_person().roles]
        with database.reading() as session:
            return Tokens(tokens=[Token.of(token) for token in all_tokens(session)], roles=_in_words(given))

    @room.act(
        "/tokens/add",
        needs_role=Role.ADMIN,
        summary="Make a token; this answer is the only one that shows it",
        body=NewToken,
        answer=TokenMade,
    )
    def add_token(body: NewToken) -> TokenMade:
        own = current_person().roles
        with _changing(database) as session:
            _, given = make_token(session, actor=acting(), own=own, **body.model_dump())
        message = f"The token {body.name}, which is shown this once: {given}"
        return TokenMade(message=message, location=TOKENS, token=given)

    @room.act("/tokens/<int:token>/revoke", needs_role=Role.ADMIN, summary="End a token at once")
    def revoke(token: int) -> Done:
        with _changing(database) as session:
            name = revoke_token(session, token, actor=acting()).name
        return Done(message=f"The token {name} is worth nothing any more.", location=TOKENS)


def _accounts(session: Session, asked: PeopleAsked) -> Page[Account]:
    query = select(User)
    if asked.search:
        begins = (column.istartswith(asked.search, autoescape=True) for column in (User.login, User.name))
        query = query.where(or_(*begins))
    return page_of(session, query, asked, by=User.created_at, key=User.login, row=Account.of)


@contextmanager
def _changing(database: Database, login: str = "") -> Iterator[Session]:
    """A transaction, in which the account of the login is known; what is refused in it is said in words."""
    try:
        with database.writing() as session:
            if login:
                _known(session, login)
            yield session
    except (AccountRefused, TokenRefused) as refused:
        raise Refusal(str(refused)) from refused


def _known(session: Session, login: str) -> User:
    """Raises NotFound; a NUL is in no login, and Postgres does not take one in a question."""
    try:
        return account_of(session, login.replace("\0", " "))
    except AccountRefused as refused:
        raise NotFound("there is no such account; the list shows them all") from refused


def _in_words(roles: Iterable[Role]) -> list[RoleInWords]:
    return [RoleInWords(role=role, words=IN_WORDS[role]) for role in roles]
