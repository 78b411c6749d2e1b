"""The routes of the review API, below `/api/v1`."""

from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnprocessableEntity

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Person, Role, current_person, needs
from pacs_agent.db import Database
from pacs_agent.receive.identity import is_uid
from pacs_agent.results import Reviewer
from pacs_agent.review import ReviewConflict, ReviewRefused, ReviewRequest, has_left, is_here, others_here, save_review

PREFIX = "/api/v1"
_STUDY = "/studies/<study>"
MAX_BODY = 1 << 20
"""Bytes of a request: many times a long report."""

Form = TypeVar("Form", bound=BaseModel)


class Here(BaseModel):
    """Whether the panel of a study is open."""

    model_config = ConfigDict(extra="forbid")

    here: bool


def reviews_blueprint(_settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """Saves reviews, and tells reviewers of one study of each other."""
    blueprint = Blueprint("reviews", __name__, url_prefix=PREFIX)
    blueprint.url_value_preprocessor(_check_study)
    blueprint.register_error_handler(ReviewConflict, _conflict)
    blueprint.register_error_handler(ReviewRefused, _refused)
    _add_review(blueprint, database)
    _add_reviewers(blueprint, database)
    return blueprint


def _add_review(blueprint: Blueprint, database: Database) -> None:
    @blueprint.post(f"{_STUDY}/review")
    @needs(Role.REVIEWER)
    def review(study: str) -> tuple[Response, int]:
        asked, reviewer = _form(ReviewRequest), _reviewer(current_person())
        with database.writing() as session:
            saved = save_review(session, study, asked, reviewer)
        return jsonify(saved.model_dump(mode="json")), 201


def _add_reviewers(blueprint: Blueprint, database: Database) -> None:
    @blueprint.post(f"{_STUDY}/reviewers")
    @needs(Role.REVIEWER)
    def reviewers(study: str) -> Response:
        asked, person = _form(Here), current_person()
        with database.writing() as session:
            if asked.here:
                is_here(session, study, login=person.login, name=person.name)
            else:
                has_left(session, study, login=person.login)
            session.flush()
            return jsonify(others=others_here(session, study, login=person.login))


def _reviewer(person: Person) -> Reviewer:
    return Reviewer(login=person.login, name=person.name, person_name=person.person_name or person.name)


def _check_study(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if not is_uid((values or {}).get("study", "")):
        raise BadRequest("the study in the path is not a UID: digits and dots, at most 64 characters")


def _form(kind: type[Form]) -> Form:
    """The body of the request as what it has to be. Raises UnprocessableEntity with the first thing that is wrong."""
    if (request.content_length or 0) > MAX_BODY:
        raise RequestEntityTooLarge(f"a request may have {MAX_BODY} bytes; write a shorter report")
    try:
        return kind.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the body"
        raise UnprocessableEntity(f"{where}: {wrong['msg']}; docs/api.md shows what is asked") from error


def _conflict(error: ReviewConflict) -> tuple[Response, int]:
    at = error.at.isoformat() if error.at else None
    return jsonify(error=str(error), by=error.by, at=at, version=error.version), 409


def _refused(error: ReviewRefused) -> tuple[Response, int]:
    return jsonify(error=str(error)), 422
