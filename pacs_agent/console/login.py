"""Logging in and out: pages for people, which work without JavaScript, and the session as a JSON resource."""

import math
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request, send_from_directory
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import BadRequest, Forbidden, TooManyRequests, Unauthorized, UnsupportedMediaType
from werkzeug.wrappers import Response as AnyResponse

from pacs_agent.accounts import LoginRefused, Logins, LoginThrottled, Role, accounts_exist
from pacs_agent.archive import Archive
from pacs_agent.config import Settings, WebSettings
from pacs_agent.console.access import ANONYMOUS, Person, current_person, needs, open_to_all
from pacs_agent.console.first_start import add_first_start
from pacs_agent.console.guard import check_csrf, may_begin
from pacs_agent.console.login_page import HOME, address, local_path, page
from pacs_agent.console.provider_login import add_provider_login
from pacs_agent.console.sessions import end_session, person_logged_in, start_session
from pacs_agent.console.words import asked_words
from pacs_agent.db import Database

CSS_AGE_S = 3600


def login_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/login`, `/logout`, `/api/v1/session`, the first start, and the way to an identity provider and back."""
    blueprint = Blueprint("login", __name__, template_folder="pages")
    logins = Logins(database)
    _add_style(blueprint)
    _add_login(blueprint, settings.web, database, logins)
    _add_logout(blueprint, database)
    add_first_start(blueprint, settings.web, database)
    if settings.web.oidc is not None:
        add_provider_login(blueprint, settings.web, settings.web.oidc, database)
    _add_session(blueprint, database, logins)
    return blueprint


def _add_style(blueprint: Blueprint) -> None:
    @blueprint.get("/login/style.css")
    @open_to_all
    def style() -> Response:
        return send_from_directory(f"{blueprint.root_path}/pages", "style.css", max_age=CSS_AGE_S)


def _add_login(blueprint: Blueprint, web: WebSettings, database: Database, logins: Logins) -> None:
    provider = web.oidc.label if web.oidc else ""

    @blueprint.get("/login")
    @open_to_all
    def login_page() -> AnyResponse:
        following = local_path(request.args.get("next", HOME))
        if person_logged_in() is not None:
            return redirect(following, 303)
        with database.reading() as session:
            accounts = accounts_exist(session)
        first = not accounts and may_begin(web)
        return page("login.html", next=following, accounts=accounts, first=first, provider=provider)

    @blueprint.post("/login")
    @open_to_all
    def login_form() -> AnyResponse:
        following, login = local_path(request.form.get("next", HOME)), request.form.get("login", "")
        words = asked_words()

        def again(problem: str, status: int) -> Response:
            known = {"next": following, "login": login, "accounts": True, "provider": provider}
            return page("login.html", status, problem=problem, **known)

        try:
            check_csrf()
            start_session(logins.log_in(login, request.form.get("password", ""), address()))
        except Forbidden:
            return again(words.stale, 403)
        except LoginThrottled as error:
            response = again(words.throttled.format(minutes=math.ceil(error.retry_after_s / 60)), 429)
            response.headers["Retry-After"] = str(error.retry_after_s)
            return response
        except LoginRefused:
            return again(words.refused, 401)
        return redirect(following, 303)


def _add_logout(blueprint: Blueprint, database: Database) -> None:
    @blueprint.get("/logout")
    @open_to_all
    def logout_page() -> AnyResponse:
        person = person_logged_in()
        return redirect("/login", 303) if person is None else page("logout.html", person=person)

    @blueprint.post("/logout")
    @needs(*Role)
    def logout_form() -> AnyResponse:
        end_session(database, current_person(), address())
        return redirect("/login", 303)


def _add_session(blueprint: Blueprint, database: Database, logins: Logins) -> None:
    @blueprint.get("/api/v1/session")
    @needs(*Role)
    def session() -> Response:
        person = current_person()
        if person is ANONYMOUS:
            raise Unauthorized("nobody is logged in")
        return _session_json(person)

    @blueprint.post("/api/v1/session")
    @open_to_all
    def log_in() -> Response:
        login, password = _credentials()
        try:
            return _session_json(start_session(logins.log_in(login, password, address())))
        except LoginThrottled as error:
            raise TooManyRequests(str(error), retry_after=error.retry_after_s) from error
        except LoginRefused as error:
            raise Unauthorized(str(error)) from error

    @blueprint.delete("/api/v1/session")
    @needs(*Role)
    def log_out() -> Response:
        end_session(database, current_person(), address())
        return Response(status=204)


def _session_json(person: Person) -> Response:
    """Who is logged in, with the token of changing requests; machines have no session and need none."""
    csrf = "" if person.machine else generate_csrf()
    return jsonify(login=person.login, name=person.name, roles=sorted(person.roles), csrf=csrf)


def _credentials() -> tuple[str, str]:
    """Login and password of a JSON body. JSON only: no page of another origin can send that without asking first."""
    if not request.is_json:
        raise UnsupportedMediaType('send {"login": ..., "password": ...} as application/json')
    body: Any = request.get_json(silent=True)
    match body:
        case {"login": str(login), "password": str(password)}:
            return login, password
    raise BadRequest('send {"login": ..., "password": ...}, both as strings')
