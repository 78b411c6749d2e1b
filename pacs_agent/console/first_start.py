"""The first start: whoever sits at the server makes the administrator, once."""

from flask import Blueprint, redirect, request
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from pacs_agent.accounts import AccountRefused, accounts_exist, add_first_account
from pacs_agent.config import WebSettings
from pacs_agent.console.access import open_to_all
from pacs_agent.console.guard import check_csrf, may_begin
from pacs_agent.console.login_page import address, page
from pacs_agent.console.sessions import start_session
from pacs_agent.console.words import asked_words
from pacs_agent.db import Database

FIRST = "/console/first"
CONSOLE = "/console"


def add_first_start(blueprint: Blueprint, web: WebSettings, database: Database) -> None:
    """Adds `/console/first`, which is open while there is no account, and from loopback alone."""

    @blueprint.get(FIRST)
    @open_to_all
    def first_page() -> AnyResponse:
        if _accounts(database):
            return redirect("/login", 303)
        _refuse_others(web)
        return page("first.html")

    @blueprint.post(FIRST)
    @open_to_all
    def first_form() -> AnyResponse:
        _refuse_others(web)
        login, name = request.form.get("login", "").strip().lower(), request.form.get("name", "").strip()
        try:
            check_csrf()
            with database.writing() as session:
                password = request.form.get("password", "")
                actor = f"{login[:64]}@{address()}"
                user = add_first_account(session, actor=actor, login=login, name=name, password=password)
        except Forbidden:
            return page("first.html", 403, login=login, name=name, problem=asked_words().stale)
        except AccountRefused as refused:
            return page("first.html", 422, login=login, name=name, problem=str(refused))
        start_session(user)
        return redirect(CONSOLE, 303)


def _accounts(database: Database) -> bool:
    with database.reading() as session:
        return accounts_exist(session)


def _refuse_others(web: WebSettings) -> None:
    if not may_begin(web):
        raise Forbidden(asked_words().first_closed)
