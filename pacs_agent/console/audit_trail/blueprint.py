"""The page of the audit trail, its JSON, and its exports."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, NotFound

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.audit_trail.difference import changes_of, facts_of, text_difference
from pacs_agent.console.audit_trail.export import csv_of, xml_of
from pacs_agent.console.audit_trail.looks import TrailLooks
from pacs_agent.console.audit_trail.models import AuditAsked, AuditTrail, ExportAsked, Line, OneLine
from pacs_agent.console.audit_trail.search import all_lines, changed_auditors, sought_lines
from pacs_agent.console.frame import Operation, Problem, Room, acting, page_of
from pacs_agent.db import AuditEvent, Database
from pacs_agent.ops.audit_message import Source

READERS = (Role.AUDITOR, Role.ADMIN)
LARGEST_ID = (1 << 31) - 1
_REFUSALS: dict[int, Any] = {400: Problem, 401: Problem, 403: Problem}


def audit_trail_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/audit`."""
    room = Room("audit_trail", __name__)
    source = Source(settings.dimse.ae_title, settings.results.organization)
    looks = TrailLooks(database)

    @room.page(
        "/audit",
        needs_role=READERS,
        template="audit-trail-list.html",
        answer=AuditTrail,
        summary="The audit trail, the newest line first",
        asked=AuditAsked,
    )
    def audit_trail(asked: AuditAsked) -> AuditTrail:
        with database.reading() as session:
            lines = page_of(
                session, sought_lines(database, asked), asked, by=AuditEvent.at, key=AuditEvent.id, row=Line.of
            )
            auditors = [Line.of(line) for line in changed_auditors(session)]
            trail = AuditTrail(lines=lines, actions=list(_actions(session)), auditors=auditors)
        looks.note_search(acting(), asked)
        return trail

    @room.page(
        "/audit/<int:line>",
        needs_role=READERS,
        template="audit-trail-line.html",
        answer=OneLine,
        summary="A line of the audit trail, with what it changed",
    )
    def audit_line(line: int) -> OneLine:
        with database.reading() as session:
            found = session.get(AuditEvent, line) if line <= LARGEST_ID else None
            if found is None:
                raise NotFound("the audit trail has no such line; the list shows them all")
            shown = Line.of(found)
        looks.note_line(acting(), line)
        detail = shown.detail
        return OneLine(line=shown, changes=changes_of(detail), text=text_difference(detail), facts=facts_of(detail))

    _add_exports(room, database, source, looks)
    return room


def _add_exports(room: Room, database: Database, source: Source, looks: TrailLooks) -> None:
    def audit_csv() -> Response:
        asked = _asked(looks, "csv")
        return _file(csv_of(all_lines(database, asked, asked.most)), "audit-trail.csv", "text/csv; charset=utf-8")

    def audit_xml() -> Response:
        asked = _asked(looks, "xml")
        return _file(xml_of(all_lines(database, asked, asked.most), source), "audit-trail.xml", "application/xml")

    for view, path, media, words in (
        (audit_csv, "/audit/export.csv", "text/csv", "The audit trail as CSV"),
        (audit_xml, "/audit/export.xml", "application/xml", "The audit trail as DICOM audit messages (PS3.15 A.5)"),
    ):
        for prefix, end in (("/console", "page"), ("/api/v1", "api")):
            room.add_url_rule(prefix + path, f"{view.__name__}_{end}", needs(*READERS)(view))
        room.describe(Operation("get", f"/api/v1{path}", words, {200: media, **_REFUSALS}, asked=ExportAsked))


def _asked(looks: TrailLooks, form: str) -> ExportAsked:
    """What is exported, which is noted."""
    try:
        asked = ExportAsked.model_validate({name: value for name, value in request.args.items() if value})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise BadRequest("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in faults)) from error
    looks.note_export(acting(), asked, form)
    return asked


def _file(pieces: Iterator[str] | Iterator[bytes], name: str, media: str) -> Response:
    return Response(pieces, content_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _actions(session: Session) -> Iterator[str]:
    """Every action, each found by one step through the index: the table may have millions of lines."""
    first = select(AuditEvent.action).order_by(AuditEvent.action).limit(1)
    action = session.scalar(first)
    while action is not None:
        yield action
        action = session.scalar(first.where(AuditEvent.action > action))
