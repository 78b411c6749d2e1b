"""One's own account: everybody changes his own password. Nobody's but his own can be named."""

import math

from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import NotFound

from pacs_agent.accounts import AccountRefused, LoginRefused, Logins, LoginThrottled, Role, account_of
from pacs_agent.console.access import current_person
from pacs_agent.console.frame import Refusal, Room
from pacs_agent.console.login_page import address
from pacs_agent.console.people.models import OwnAccount, OwnPassword, OwnPasswordChanged
from pacs_agent.console.sessions import start_session
from pacs_agent.db import Database, User

PAGE = "/console/account"


def add_own(room: Room, database: Database) -> None:
    """`/console/account`.

    Wrong old passwords are throttled as logins are, and apart from them: whoever finds a session open cannot shut its
    owner out.
    """
    logins = Logins(database)

    @room.page(
        "/account",
        needs_role=tuple(Role),
        template="people-own.html",
        answer=OwnAccount,
        summary="One's own account",
    )
    def own_account() -> OwnAccount:
        with database.reading() as session:
            return OwnAccount.of(account_of(session, _own_login()))

    @room.act(
        "/account/password",
        needs_role=tuple(Role),
        summary="Change one's own password; all other logins of the account end, and this one begins anew",
        body=OwnPassword,
        answer=OwnPasswordChanged,
        throttled=True,
    )
    def change_own_password(body: OwnPassword) -> OwnPasswordChanged:
        login = _own_login()
        if body.new != body.again:
            raise Refusal("the new password and its repetition differ; type both again")
        start_session(_changed(logins, login, body))
        message = "Your password is changed. Wherever else you were logged in, you are no more."
        return OwnPasswordChanged(message=message, location=PAGE, csrf=generate_csrf())


def _own_login() -> str:
    """Raises NotFound for a program, and for whoever asks an agent without accounts."""
    person = current_person()
    if person.machine or not person.login:
        raise NotFound("only somebody who is logged in has an account; a program's token is changed by making another")
    return person.login


def _changed(logins: Logins, login: str, body: OwnPassword) -> User:
    try:
        return logins.change_password(login, body.old.get_secret_value(), body.new.get_secret_value(), address())
    except LoginThrottled as error:
        minutes = math.ceil(error.retry_after_s / 60)
        raise Refusal(f"the old password was wrong too often; try again in {minutes} minutes", 429) from error
    except (LoginRefused, AccountRefused) as error:
        raise Refusal(str(error)) from error
