"""The audit of who was given which study, of the own archive as of the PACS. PS3.15 A.5.3.7, instances accessed."""

import time
from collections.abc import Callable

from flask import Blueprint, Response, request

from pacs_agent.console.access import current_person
from pacs_agent.console.looks import Looks
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit


class StudyViews:
    """Writes one line for a person's look at a study, not one for each of its thousand images."""

    def __init__(self, database: Database, source: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`source` is where the studies lie, in one word."""
        self._database = database
        self._source = source
        self._looks = Looks(clock)

    def note(self, actor: str, study_instance_uid: str) -> None:
        """Notes that the actor is given something of a study; without a UID, the answer to a search in all studies.

        A line that cannot be written is an error, and is tried again at the next look.
        """
        with self._looks.noting(actor, study_instance_uid) as is_new:
            if is_new:
                self._write(actor, study_instance_uid)

    def _write(self, actor: str, study_instance_uid: str) -> None:
        with self._database.writing() as session:
            audit(
                session,
                actor=actor,
                action="study.viewed" if study_instance_uid else "studies.searched",
                outcome=Outcome.SUCCESS,
                subject=study_instance_uid,
                source=self._source,
            )


def audit_views(blueprint: Blueprint, database: Database, source: str) -> None:
    """Audits what is read by DICOMweb through a blueprint. What is refused or not found is no view."""
    views = StudyViews(database, source)

    @blueprint.after_request
    def note(response: Response) -> Response:
        if request.method in ("GET", "HEAD") and response.status_code < 400:
            views.note(_actor(), study_in(request.path.removeprefix(f"{blueprint.url_prefix}/")))
        return response


def study_in(path: str) -> str:
    """The Study Instance UID that a path of DICOMweb names; empty for a search in all studies."""
    level, _, rest = path.partition("/")
    return rest.partition("/")[0] if level == "studies" else ""


def _actor() -> str:
    return f"{current_person().login or 'anonymous'}@{request.remote_addr}"
