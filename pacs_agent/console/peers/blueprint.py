"""The views of peers and destinations, and what is done to them."""

from typing import Literal
from urllib.parse import quote

from flask import Blueprint
from pydantic import ValidationError
from werkzeug.exceptions import NotFound

from pacs_agent import deliver, receive
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Done, Refusal, Room, acting
from pacs_agent.console.peers.changes import new_destination
from pacs_agent.console.peers.models import (
    AddPage,
    DestinationPage,
    EchoTo,
    NewDestinationBody,
    NewSender,
    PeersPage,
    SenderPage,
    Tested,
)
from pacs_agent.console.peers.shown import (
    all_nodes,
    commitments_of,
    destination_row,
    our_node,
    refusals_of,
    sender_of,
    troubles_of,
)
from pacs_agent.db import Database, Destination, Peer
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.outbound import outbound_of

ADDED: tuple[Literal["sender", "dimse", "stow"], ...] = ("sender", "dimse", "stow")


def peers_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/peers` and what is posted there."""
    room = Room("peers", __name__)
    _add_lists(room, settings, database)
    _add_pages(room, database)
    _add_acts_on_senders(room, settings, database)
    _add_acts_on_destinations(room, settings, database)
    return room


def _add_lists(room: Room, settings: Settings, database: Database) -> None:
    @room.page(
        "/peers",
        needs_role=Role.OPERATOR,
        template="peers-list.html",
        answer=PeersPage,
        summary="Who sends to us and where results go, with what was last seen of each",
    )
    def peers() -> PeersPage:
        with database.reading() as session:
            return all_nodes(session, settings)

    @room.page(
        "/peers/add/<what>",
        needs_role=Role.OPERATOR,
        template="peers-add.html",
        answer=AddPage,
        summary="What is to be entered to add a sender, a DICOM destination (dimse) or a DICOMweb one (stow)",
    )
    def add(what: str) -> AddPage:
        for known in ADDED:
            if what == known:
                return AddPage(what=known, ours=our_node(settings))
        raise NotFound(f"{what!r} cannot be added; there are {', '.join(ADDED)}")


def _add_pages(room: Room, database: Database) -> None:
    @room.page(
        "/peers/senders/<path:ae_title>",
        needs_role=Role.OPERATOR,
        template="peers-sender.html",
        answer=SenderPage,
        summary="One sender, and what was refused to it last",
    )
    def sender(ae_title: str) -> SenderPage:
        with database.reading() as session:
            peer = session.get(Peer, ae_title)
            if peer is None:
                raise NotFound(f"there is no sender {ae_title}; add it first")
            return SenderPage(
                sender=sender_of(peer),
                refusals=refusals_of(session, ae_title),
                commitments=commitments_of(session, ae_title),
            )

    @room.page(
        "/peers/destinations/<name>",
        needs_role=Role.OPERATOR,
        template="peers-destination.html",
        answer=DestinationPage,
        summary="One destination, and what it did not take last",
    )
    def destination(name: str) -> DestinationPage:
        with database.reading() as session:
            found = next((one for one in deliver.destinations_shown(session) if one.name == name), None)
            if found is None:
                raise NotFound(f"there is no destination {name}; add it first")
            return DestinationPage(destination=destination_row(found), troubles=troubles_of(session, name))


def _add_acts_on_senders(room: Room, settings: Settings, database: Database) -> None:
    @room.act("/peers/senders/add", needs_role=Role.OPERATOR, summary="Add a sender", body=NewSender)
    def add_sender(body: NewSender) -> Done:
        new = _new_peer(body.ae_title, body)
        with database.writing() as session:
            if session.get(Peer, new.ae_title) is not None:
                raise Refusal(f"{new.ae_title} is there already; change it on its own page", 409)
            receive.put_peer(session, new, actor=acting())
        return Done(
            message=f"{new.ae_title} is added.", location=f"/console/peers/senders/{quote(new.ae_title, safe='')}"
        )

    @room.act(
        "/peers/senders/<path:ae_title>/change", needs_role=Role.OPERATOR, summary="Change a sender", body=NewSender
    )
    def change_sender(ae_title: str, body: NewSender) -> Done:
        new = _new_peer(ae_title, body)
        with database.writing() as session:
            if session.get(Peer, ae_title) is None:
                raise NotFound(f"there is no sender {ae_title}; add it first")
            receive.put_peer(session, new, actor=acting())
        return Done(message=f"{ae_title} is changed; it holds from its next association.")

    @room.act("/peers/senders/<path:ae_title>/remove", needs_role=Role.OPERATOR, summary="Remove a sender")
    def remove_sender(ae_title: str) -> Done:
        try:
            with database.writing() as session:
                receive.remove_peer(session, ae_title, actor=acting())
        except receive.UnknownPeer as error:
            raise NotFound(str(error)) from error
        return Done(message=f"{ae_title} is removed; its next association is rejected.", location="/console/peers")

    @room.act(
        "/peers/senders/<path:ae_title>/echo",
        needs_role=Role.OPERATOR,
        summary="Ask a sender by C-ECHO whether it is there; refused with the reason when it is not",
        body=EchoTo,
        answer=Tested,
    )
    def echo_sender(ae_title: str, body: EchoTo) -> Tested:
        return _told(database, "peer.tested", ae_title, _echoed(body, ae_title, settings))


def _add_acts_on_destinations(room: Room, settings: Settings, database: Database) -> None:
    outbound = outbound_of(settings.web)

    def put(name: str, body: NewDestinationBody, *, is_new: bool) -> None:
        try:
            with database.writing() as session:
                before = session.get(Destination, name)
                if is_new and before is not None:
                    raise Refusal(f"{name} is there already; change it on its own page", 409)
                if not is_new and before is None:
                    raise NotFound(f"there is no destination {name}; add it first")
                new = new_destination(name, body, before)
                deliver.put_destination(session, new, actor=acting(), outbound=outbound)
        except deliver.WrongSettings as error:
            raise Refusal(str(error)) from error

    @room.act("/peers/destinations/add", needs_role=Role.OPERATOR, summary="Add a destination", body=NewDestinationBody)
    def add_destination(body: NewDestinationBody) -> Done:
        put(body.name, body, is_new=True)
        message = f"{body.name} is added. Test it, then name it in a rule."
        return Done(message=message, location=f"/console/peers/destinations/{body.name}")

    @room.act(
        "/peers/destinations/<name>/change",
        needs_role=Role.OPERATOR,
        summary="Change a destination; secrets that are left out stay, unless the address is another",
        body=NewDestinationBody,
    )
    def change_destination(name: str, body: NewDestinationBody) -> Done:
        put(name, body, is_new=False)
        return Done(message=f"{name} is changed; it holds from the next delivery.")

    @room.act("/peers/destinations/<name>/enable", needs_role=Role.OPERATOR, summary="Enable a destination")
    def enable_destination(name: str) -> Done:
        _enable(database, name, enabled=True)
        return Done(message=f"{name} is enabled.")

    @room.act("/peers/destinations/<name>/disable", needs_role=Role.OPERATOR, summary="Disable a destination")
    def disable_destination(name: str) -> Done:
        _enable(database, name, enabled=False)
        return Done(message=f"{name} is disabled; what is to be delivered there is refused.")

    @room.act(
        "/peers/destinations/<name>/remove",
        needs_role=Role.OPERATOR,
        summary="Remove a destination; refused while rules deliver there",
    )
    def remove_destination(name: str) -> Done:
        try:
            with database.writing() as session:
                deliver.remove_destination(session, name, actor=acting())
        except deliver.UnknownDestination as error:
            raise NotFound(str(error)) from error
        except deliver.DestinationInUse as error:
            raise Refusal(str(error), 409) from error
        return Done(message=f"{name} is removed.", location="/console/peers")

    @room.act(
        "/peers/destinations/<name>/test",
        needs_role=Role.OPERATOR,
        summary="Say hello to a destination (C-ECHO, QIDO-RS); refused with the reason when it does not answer well",
        answer=Tested,
    )
    def test_destination(name: str) -> Tested:
        with database.reading() as session:
            row = session.get(Destination, name)
        if row is None:
            raise NotFound(f"there is no destination {name}; add it first")
        return _told(database, "destination.tested", name, deliver.probed(row, settings))


def _new_peer(ae_title: str, body: NewSender) -> receive.NewPeer:
    try:
        return receive.NewPeer(ae_title=ae_title, **body.model_dump(exclude={"ae_title"}))
    except ValidationError as error:
        raise _refused(error) from error


def _enable(database: Database, name: str, *, enabled: bool) -> None:
    try:
        with database.writing() as session:
            deliver.enable_destination(session, name, enabled=enabled, actor=acting())
    except deliver.UnknownDestination as error:
        raise NotFound(str(error)) from error


def _echoed(body: EchoTo, ae_title: str, settings: Settings) -> deliver.Probed:
    try:
        return deliver.echoed(
            body.host, body.port, ae_title, settings, tls=body.tls, certificate_name=body.certificate_name
        )
    except ValidationError as error:
        raise _refused(error) from error


def _refused(error: ValidationError) -> Refusal:
    """The first fault in its own words."""
    return Refusal(error.errors()[0]["msg"].removeprefix("Value error, "))


def _told(database: Database, action: str, subject: str, answer: deliver.Probed) -> Tested:
    """The answer of a test, audited. Raises Refusal with the words of a bad one."""
    outcome = Outcome.SUCCESS if answer.ok else Outcome.MINOR_FAILURE
    with database.writing() as session:
        audit(session, actor=acting(), action=action, outcome=outcome, subject=subject, answer=answer.words)
    if not answer.ok:
        raise Refusal(answer.words, 409)
    return Tested(message=answer.words, took_ms=answer.took_ms)
