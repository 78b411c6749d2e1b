"""The views of bringing in."""

from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, request
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from pacs_agent import bring_in
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, current_person
from pacs_agent.console.bring_in.models import (
    Begun,
    BringInPage,
    Find,
    Found,
    FoundDone,
    FoundRow,
    Pull,
    Source,
    TransferRow,
    TransfersAsked,
)
from pacs_agent.console.bring_in.parked import ParkingRequest
from pacs_agent.console.bring_in.searches import Searches
from pacs_agent.console.frame import Done, Refusal, Room, acting, page_of
from pacs_agent.db import Database, Destination, Instance, Series, Study, Transfer, TransferState, utc_now
from pacs_agent.deliver import DeliveryError
from pacs_agent.ops import Outcome, audit

PATIENCE_S = 15.0
"""A transfer that has waited longer while none runs has no process."""
HERE = "/console/bring-in"


def bring_in_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/bring-in` and what is posted there."""
    room = Room("bring_in", __name__)
    room.record_once(lambda setup: setattr(setup.app, "request_class", ParkingRequest))
    _add_list(room, settings, database)
    _add_upload(room, settings, database)
    _add_search(room, settings, database)
    _add_pull(room, database)
    _add_acts(room, database)
    return room


def _add_list(room: Room, settings: Settings, database: Database) -> None:
    folder = str(settings.bring_in.folder or "")

    @room.page(
        "/bring-in",
        needs_role=Role.OPERATOR,
        template="bring-in-list.html",
        answer=BringInPage,
        asked=TransfersAsked,
        summary="Transfers, the newest first, and from where something can be brought in",
    )
    def transfers(asked: TransfersAsked) -> BringInPage:
        query = select(Transfer)
        if asked.state:
            query = query.where(Transfer.state == asked.state)
        with database.reading() as session:
            listed = page_of(session, query, asked, by=Transfer.created_at, key=Transfer.id, row=transfer_row)
            return BringInPage(
                **vars(listed), sources=_sources(session), folder=folder, waits_in_vain=_waits_in_vain(session)
            )

    @room.page(
        "/bring-in/transfers/<transfer>",
        needs_role=Role.OPERATOR,
        template="bring-in-transfer.html",
        answer=TransferRow,
        summary="One transfer and how far it is",
    )
    def transfer(transfer: str) -> TransferRow:
        with database.reading() as session:
            found = session.get(Transfer, transfer)
        if found is None:
            raise NotFound(f"there is no transfer {transfer}")
        return transfer_row(found)


def _add_upload(room: Room, settings: Settings, database: Database) -> None:
    @room.act(
        "/bring-in/upload",
        needs_role=Role.OPERATOR,
        summary="Take in DICOM files, or ZIP archives of them; the field `files` may stand several times",
        upload="files",
        answer=Begun,
    )
    def upload() -> Begun:
        files = [one.stream for one in request.files.getlist("files") if one.filename]
        try:
            transfer = bring_in.begin_upload(database, settings.data_dir, files, actor=acting())
        except bring_in.BringInError as error:
            raise Refusal(str(error)) from error
        except OSError as error:
            words = f"the disk did not take the files ({error.strerror}); free space and drop them again"
            raise Refusal(words, 409) from error
        count = f"{len(files)} file{'s are' if len(files) != 1 else ' is'}"
        return Begun(message=f"{count} here and taken in now.", location=HERE, transfer=transfer)


def _add_search(room: Room, settings: Settings, database: Database) -> None:
    searches = Searches()

    @room.act(
        "/bring-in/find",
        needs_role=Role.OPERATOR,
        summary="Search a peer's studies by C-FIND or QIDO-RS",
        body=Find,
        answer=FoundDone,
    )
    def find(body: Find) -> FoundDone:
        row = _destination(database, body.source)
        shown = _found(database, row, _searched(row, settings, _query(body)))
        key = searches.keep(shown, current_person().login)
        count = len(shown.studies)
        words = f"{count} {'study' if count == 1 else 'studies'} found at {row.name}."
        return FoundDone(message=words, location=f"{HERE}/found/{key}", found=shown)

    @room.page(
        "/bring-in/found/<search>",
        needs_role=Role.OPERATOR,
        template="bring-in-found.html",
        answer=Found,
        summary="What a search found, for a quarter of an hour",
    )
    def found(search: str) -> Found:
        kept = searches.get(search, current_person().login)
        if kept is None:
            raise NotFound("this search is too old; search again")
        return kept


def _add_pull(room: Room, database: Database) -> None:
    @room.act(
        "/bring-in/pull",
        needs_role=Role.OPERATOR,
        summary="Fetch a study from a peer by C-MOVE, C-GET or WADO-RS",
        body=Pull,
        answer=Begun,
    )
    def pull(body: Pull) -> Begun:
        row = _destination(database, body.source)
        try:
            with database.writing() as session:
                begun = bring_in.begin_pull(session, row, body.study_instance_uid, body.way, actor=acting())
        except bring_in.BringInError as error:
            raise Refusal(str(error), 409) from error
        words = f"The study is fetched from {row.name} by {begun.kind.upper()}."
        return Begun(message=words, location=HERE, transfer=begun.id)


def _add_acts(room: Room, database: Database) -> None:
    @room.act("/bring-in/transfers/<transfer>/cancel", needs_role=Role.OPERATOR, summary="Cancel a transfer")
    def cancel(transfer: str) -> Done:
        _carry_out(database, bring_in.cancel, transfer)
        return Done(message="The transfer is canceled. What has come stays.")

    @room.act(
        "/bring-in/transfers/<transfer>/again",
        needs_role=Role.OPERATOR,
        summary="Start a transfer again that failed, was canceled or interrupted",
    )
    def again(transfer: str) -> Done:
        _carry_out(database, bring_in.start_again, transfer)
        return Done(message="The transfer is queued again. What is here already does not come twice.")


def _carry_out(database: Database, act: Callable[..., None], transfer: str) -> None:
    try:
        with database.writing() as session:
            act(session, transfer, actor=acting())
    except bring_in.UnknownTransfer as error:
        raise NotFound(str(error)) from error
    except bring_in.BringInError as error:
        raise Refusal(str(error), 409) from error


def transfer_row(transfer: Transfer) -> TransferRow:
    """A transfer as it is shown."""
    return TransferRow(
        id=transfer.id,
        kind=transfer.kind,
        source=transfer.source,
        study_instance_uid=transfer.study_instance_uid,
        state=transfer.state,
        stopping=transfer.stop_asked and transfer.state in bring_in.UNDER_WAY,
        done=transfer.done,
        expected=transfer.expected,
        refused=transfer.refused,
        skipped=transfer.skipped,
        refusals=transfer.refusals,
        error=transfer.error,
        who=transfer.who,
        created_at=transfer.created_at,
        started_at=transfer.started_at,
        finished_at=transfer.finished_at,
    )


def _sources(session: Session) -> list[Source]:
    rows = session.scalars(select(Destination).where(Destination.enabled).order_by(Destination.name))
    return [_source(row) for row in rows if bring_in.ways_of(row.kind)]


def _source(row: Destination) -> Source:
    return Source(name=row.name, kind=row.kind, ways=list(bring_in.ways_of(row.kind)))


def _destination(database: Database, name: str) -> Destination:
    with database.reading() as session:
        row = session.get(Destination, name)
    if row is None:
        raise NotFound(f"there is no destination {name}; add it under Peers")
    return row


def _query(body: Find) -> bring_in.StudyQuery:
    try:
        return bring_in.StudyQuery(**body.model_dump(exclude={"source"}))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        words = first["msg"].removeprefix("Value error, ")
        raise Refusal(f"{field}: {words}" if field else words) from error


def _searched(row: Destination, settings: Settings, query: bring_in.StudyQuery) -> list[bring_in.FoundStudy]:
    try:
        return bring_in.find_studies(row, settings, query)
    except (bring_in.BringInError, DeliveryError) as error:
        raise Refusal(str(error), 409) from error


def _found(database: Database, row: Destination, studies: list[bring_in.FoundStudy]) -> Found:
    """What a search found, and which of it is here; the search is audited."""
    with database.writing() as session:
        audit(
            session,
            actor=acting(),
            action="transfer.searched",
            outcome=Outcome.SUCCESS,
            subject=row.name,
            studies=len(studies),
        )
        return Found(
            source=_source(row),
            studies=[FoundRow(**vars(one), here=_here(session, one.study_instance_uid)) for one in studies],
            more=len(studies) >= bring_in.MOST_FOUND,
        )


def _here(session: Session, study_instance_uid: str) -> int:
    query = select(func.count()).select_from(Instance).join(Series).join(Study)
    return session.scalar(query.where(Study.study_instance_uid == study_instance_uid)) or 0


def _waits_in_vain(session: Session) -> bool:
    running = select(Transfer.id).where(Transfer.state == TransferState.RUNNING)
    long_ago = utc_now() - timedelta(seconds=PATIENCE_S)
    waiting = select(Transfer.id).where(Transfer.state == TransferState.QUEUED, Transfer.changed_at < long_ago)
    return session.scalar(running.limit(1)) is None and session.scalar(waiting.limit(1)) is not None
