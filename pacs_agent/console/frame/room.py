"""A room of the console: each view is written once and served twice, as a page for people and as JSON for programs.

A view that reads gives a pydantic model: `GET /console/...` renders it with a template, in which it is called `page`,
and `GET /api/v1/...` gives its JSON. A view that acts gives `Done`: a form's request is answered with the page to go
to, a program's with JSON. What cannot be done as asked is a `Refusal` in words, and nothing has changed then.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers import Response as AnyResponse

from pacs_agent.console.access import Role, current_person, needs
from pacs_agent.console.frame.operations import Operation, Problem
from pacs_agent.console.login_page import local_path

PAGES = "/console"
API = "/api/v1"
JSON = "application/json"
READ_REFUSALS: dict[int, type[BaseModel] | str | None] = {400: Problem, 401: Problem, 403: Problem, 404: Problem}
ACT_REFUSALS: dict[int, type[BaseModel] | str | None] = {**READ_REFUSALS, 409: Problem, 422: Problem}

View = TypeVar("View", bound=Callable[..., Any])


class Nothing(BaseModel):
    """The body of an act, or the query of a page, that needs to know nothing more."""

    model_config = ConfigDict(extra="ignore")


class Done(BaseModel):
    """An act that was carried out."""

    message: str
    """What was done, as a sentence for people."""
    location: str = ""
    """Path of the page to look at next; empty for the one that asked."""


class Refusal(HTTPException):
    """An act that cannot be done as asked: why, and what to do. 409 when the state of things forbids it."""

    def __init__(self, words: str, code: int = 422) -> None:
        super().__init__(description=words)
        self.code = code


class Room(Blueprint):
    """A blueprint whose views are pages with JSON twins, and which says in `operations` what its API understands."""

    def __init__(self, name: str, import_name: str, root_path: str | None = None) -> None:
        super().__init__(name, import_name, template_folder="pages", root_path=root_path)
        self.operations: list[Operation] = []

    def page(
        self,
        path: str,
        *,
        needs_role: Role | tuple[Role, ...],
        template: str,
        answer: type[BaseModel],
        summary: str,
        asked: type[BaseModel] = Nothing,
    ) -> Callable[[View], View]:
        """Serves what the view gives as a page and as JSON. The view gets the path's parts and `asked`, by keyword."""
        roles = needs_role if isinstance(needs_role, tuple) else (needs_role,)

        def add(view: View) -> View:
            def shown(**parts: Any) -> AnyResponse:
                page = view(**parts, **_given(asked, request.args, BadRequest))
                return make_response(render_template(template, page=page, person=current_person()))

            def told(**parts: Any) -> AnyResponse:
                return _json(view(**parts, **_given(asked, request.args, BadRequest)))

            self._serve(view, path, "GET", roles, shown, told)
            described = None if asked is Nothing else asked
            answers = {200: answer, **READ_REFUSALS}
            self.describe(Operation("get", API + _braced(path), summary, answers, asked=described))
            return view

        return add

    def act(
        self,
        path: str,
        *,
        needs_role: Role | tuple[Role, ...],
        summary: str,
        body: type[BaseModel] = Nothing,
        answer: type[BaseModel] = Done,
        upload: str | None = None,
        template: str = "",
        throttled: bool = False,
    ) -> Callable[[View], View]:
        """Carries out what is posted. The view gets the path's parts and `body`, by keyword, and gives a `Done`.

        With `upload` the request is multipart, the view finds the file in `request.files[upload]`. With `template` a
        form is answered with that page, as a view's that reads, instead of being sent on. One that is `throttled` may
        be refused with 429.
        """
        roles = needs_role if isinstance(needs_role, tuple) else (needs_role,)

        def add(view: View) -> View:
            def of_form(**parts: Any) -> AnyResponse:
                try:
                    done = view(**parts, **_given(body, request.form, Refusal, name="body"))
                except Refusal as refusal:
                    return _problem(refusal)
                if template:
                    return make_response(render_template(template, page=done, person=current_person()))
                return _to_page(done)

            def of_program(**parts: Any) -> AnyResponse:
                given = request.form if upload else _posted_json(body)
                return _json(view(**parts, **_given(body, given, Refusal, name="body")))

            self._serve(view, path, "POST", roles, of_form, of_program)
            described = None if body is Nothing else body
            answers = {200: answer, **ACT_REFUSALS, **({429: Problem} if throttled else {})}
            self.describe(Operation("post", API + _braced(path), summary, answers, described, upload=upload))
            return view

        return add

    def describe(self, operation: Operation) -> None:
        """Adds a request that the room serves by a plain route, such as a download or a stream."""
        self.operations.append(operation)

    def _serve(
        self, view: Any, path: str, method: str, roles: tuple[Role, ...], of_people: View, of_programs: View
    ) -> None:
        for prefix, name, function in ((PAGES, "page", of_people), (API, "api", of_programs)):
            endpoint = f"{view.__name__}_{name}"
            self.add_url_rule(prefix + path, endpoint, needs(*roles)(function), methods=[method])


def acting() -> str:
    """Who acts, for the audit trail: the login and the address of the request being answered."""
    return f"{current_person().login or 'local'}@{request.remote_addr}"


def _given(
    model: type[BaseModel], given: Mapping[str, Any], refusal: type[HTTPException], name: str = "asked"
) -> dict[str, BaseModel]:
    """The checked query or body by its keyword; nothing for views that ask for nothing."""
    if model is Nothing:
        return {}
    try:
        return {name: model.model_validate(_plain(model, given))}
    except ValidationError as error:
        raise refusal(_in_words(error)) from error


def _plain(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a form or query: lists where the model has lists; what a form left empty is not given."""
    if not isinstance(given, MultiDict):
        return dict(given)
    fields: dict[str, Any] = {}
    for name in given:
        if name == "csrf_token":
            continue
        values = given.getlist(name)
        field = model.model_fields.get(name)
        several = field is not None and _is_list(field.annotation)
        if several:
            fields[name] = [value for value in values if value != ""]
        elif values[-1] != "" or (field is not None and field.annotation is str):
            fields[name] = values[-1]
    return fields


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", annotation) in (list, tuple, set, frozenset)


def _posted_json(body: type[BaseModel]) -> Mapping[str, Any]:
    posted = request.get_json(silent=True) if request.data else {}
    if not isinstance(posted, dict) or (body is not Nothing and not request.is_json and request.data):
        raise Refusal("the body must be a JSON object, sent as application/json")
    return posted


def _in_words(error: ValidationError) -> str:
    """Every fault of a query or body, each with the name of its field."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in faults)


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(), content_type=JSON)


def _to_page(done: Done) -> AnyResponse:
    """Sends the browser to the page to look at next, which shows what was done."""
    flash(done.message, "done")
    location = local_path(done.location or _asking_page())
    if "HX-Request" not in request.headers:
        return redirect(location, 303)
    response = Response(status=204)
    response.headers["HX-Redirect"] = location
    return response


def _problem(refusal: Refusal) -> AnyResponse:
    """The reason beside the form, whose input stays; on the page where scripts are off."""
    if "HX-Request" in request.headers:
        return make_response(render_template("problem.html", words=refusal.description), refusal.code or 422)
    flash(refusal.description or "", "problem")
    return redirect(local_path(_asking_page()), 303)


def _asking_page() -> str:
    """Path of the page that sent the form."""
    asking = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or PAGES)
    return f"{asking.path}?{asking.query}" if asking.query else asking.path or PAGES


def _braced(path: str) -> str:
    """A path as OpenAPI writes it: `/jobs/{job}` for `/jobs/<job>`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
