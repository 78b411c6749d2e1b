"""Logging in and out: pages for people, which work without JavaScript, and the session as a JSON resource."""

import math
import re
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request, send_from_directory
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import BadRequest, Forbidden, TooManyRequests, Unauthorized, UnsupportedMediaType
from werkzeug.wrappers import Response as AnyResponse

from pacs_agent.accounts import LoginRefused, Logins, LoginThrottled, Role, accounts_exist
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import ANONYMOUS, MACHINE, Person, current_person, needs, open_to_all
from pacs_agent.console.guard import check_csrf
from pacs_agent.console.sessions import end_session, person_logged_in, start_session
from pacs_agent.console.words import asked_words
from pacs_agent.db import Database

HOME = "/"
CSS_AGE_S = 3600


def login_blueprint(_settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/login`, `/logout` and `/api/v1/session`."""
    blueprint = Blueprint("login", __name__, template_folder="pages")
    logins = Logins(database)
    _add_pages(blueprint, database, logins)
    _add_session(blueprint, database, logins)
    return blueprint


def local_path(path: str) -> str:
    """A path of this server that a login may lead to; `/` for anything that may lead elsewhere."""
    parts = urlsplit(path) if re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", path) else None
    return path if parts and not parts.scheme and not parts.netloc else HOME


def _add_pages(blueprint: Blueprint, database: Database, logins: Logins) -> None:
    @blueprint.get("/login")
    @open_to_all
    def login_page() -> AnyResponse:
        following = local_path(request.args.get("next", HOME))
        if person_logged_in() is not None:
            return redirect(following, 303)
        with database.reading() as session:
            accounts = accounts_exist(session)
        return _page("login.html", next=following, accounts=accounts)

    @blueprint.post("/login")
    @open_to_all
    def login_form() -> AnyResponse:
        following, login = local_path(request.form.get("next", HOME)), request.form.get("login", "")
        words = asked_words()

        def again(problem: str, status: int) -> Response:
            return _page("login.html", status, next=following, login=login, problem=problem, accounts=True)

        try:
            check_csrf()
            start_session(logins.log_in(login, request.form.get("password", ""), _address()))
        except Forbidden:
            return again(words.stale, 403)
        except LoginThrottled as error:
            response = again(words.throttled.format(minutes=math.ceil(error.retry_after_s / 60)), 429)
            response.headers["Retry-After"] = str(error.retry_after_s)
            return response
        except LoginRefused:
            return again(words.refused, 401)
        return redirect(following, 303)

    @blueprint.get("/login/style.css")
    @open_to_all
    def style() -> Response:
        return send_from_directory(f"{blueprint.root_path}/pages", "style.css", max_age=CSS_AGE_S)

    @blueprint.get("/logout")
    @open_to_all
    def logout_page() -> AnyResponse:
        person = person_logged_in()
        return redirect("/login", 303) if person is None else _page("logout.html", person=person)

    @blueprint.post("/logout")
    @needs(*Role)
    def logout_form() -> AnyResponse:
        end_session(database, current_person(), _address())
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
            return _session_json(start_session(logins.log_in(login, password, _address())))
        except LoginThrottled as error:
            raise TooManyRequests(str(error), retry_after=error.retry_after_s) from error
        except LoginRefused as error:
            raise Unauthorized(str(error)) from error

    @blueprint.delete("/api/v1/session")
    @needs(*Role)
    def log_out() -> Response:
        end_session(database, current_person(), _address())
        return Response(status=204)


def _session_json(person: Person) -> Response:
    """Who is logged in, with the token of changing requests; machines have no session and need none."""
    csrf = "" if person is MACHINE else generate_csrf()
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


def _page(template: str, status: int = 200, **values: object) -> Response:
    response = make_response(render_template(template, words=asked_words(), **values), status)
    response.vary.add("Accept-Language")
    return response


def _address() -> str:
    return request.remote_addr or "unknown"
