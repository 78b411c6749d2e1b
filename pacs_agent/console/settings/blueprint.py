"""The views of the settings. Administrators alone: a configuration says how the whole agent can be reached."""

import re
import secrets
from datetime import timedelta

from flask import Blueprint, Response, request
from pydantic import BaseModel
from sqlalchemy import delete
from werkzeug.exceptions import NotFound

from pacs_agent import __version__
from pacs_agent.accounts import lacking
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.configuration import (
    Configuration,
    StateChanged,
    WrongConfiguration,
    apply_plan,
    configuration_now,
    plan_import,
    read_configuration,
    refused_on_import,
    write_configuration,
)
from pacs_agent.console.access import Role, current_person, needs
from pacs_agent.console.frame import Done, Operation, Problem, Refusal, Room, acting
from pacs_agent.console.overview.machine import machine_here
from pacs_agent.console.remembered import Remembered
from pacs_agent.console.settings.models import (
    Difference,
    DifferenceLine,
    NotificationsGiven,
    PlanConfirmed,
    RetentionTried,
    SecretGiven,
    SettingsPage,
    WayToTest,
)
from pacs_agent.console.settings.shown import retention_tried, settings_page
from pacs_agent.db import ConfigurationDraft, Database, utc_now
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.notify import send_test
from pacs_agent.ops.runtime import (
    Notifications,
    Retention,
    RuntimeSection,
    Watermark,
    change_runtime_settings,
    set_secret,
)
from pacs_agent.ops.ways import NotTaken

PAGE = "/console/settings"
FILE = "file"
LARGEST_FILE_BYTES = 1_000_000
DRAFTS_KEPT = timedelta(days=1)
YAML = "application/yaml"
PROVIDER_KEPT_S = 60.0
GONE = "this draft was applied, discarded or is older than a day; upload the file again"


def settings_blueprint(settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """`/console/settings` and what is below it."""
    room = Room("settings", __name__)
    _add_pages(room, settings, database)
    _add_changes(room, settings, database)
    _add_export(room, database)
    _add_upload(room, database)
    _add_difference(room, settings, database)
    _add_decision(room, settings, database)
    return room


def _add_pages(room: Room, settings: Settings, database: Database) -> None:
    provider = Remembered(lambda: machine_here(settings.inference).provider, PROVIDER_KEPT_S)

    @room.page(
        "/settings",
        needs_role=Role.ADMIN,
        template="settings-all.html",
        answer=SettingsPage,
        summary="Every setting with its value and where it comes from; retention, watermark, notifications; versions",
    )
    def all_settings() -> SettingsPage:
        return settings_page(settings, database, provider())

    @room.page(
        "/settings/retention",
        needs_role=Role.ADMIN,
        template="settings-retention.html",
        answer=RetentionTried,
        summary="What the rules of retention would remove now; nothing is removed by asking",
    )
    def try_retention() -> RetentionTried:
        return retention_tried(database)


def _add_changes(room: Room, settings: Settings, database: Database) -> None:
    def change(section: RuntimeSection, words: str) -> Done:
        with database.writing() as session:
            changed = change_runtime_settings(session, section, actor=acting())
        return Done(message=words if changed else "Nothing was changed.", location=PAGE)

    @room.act("/settings/retention", needs_role=Role.ADMIN, summary="Change the rules of retention", body=Retention)
    def change_retention(body: Retention) -> Done:
        return change(body, "The rules of retention are in force.")

    @room.act("/settings/watermark", needs_role=Role.ADMIN, summary="Change the disk watermark", body=Watermark)
    def change_watermark(body: Watermark) -> Done:
        return change(body, "The watermark is in force within seconds.")

    @room.act(
        "/settings/notifications",
        needs_role=Role.ADMIN,
        summary="Change who is notified of what",
        body=NotificationsGiven,
    )
    def change_notifications(body: NotificationsGiven) -> Done:
        return change(Notifications(**body.model_dump()), "The notifications are changed; send a test.")

    @room.act("/settings/secrets", needs_role=Role.ADMIN, summary="Set or forget a secret", body=SecretGiven)
    def change_secret(body: SecretGiven) -> Done:
        with database.writing() as session:
            set_secret(session, body.name, body.value, actor=acting())
        return Done(message=f"{body.name} is {'set' if body.value else 'not set any more'}.", location=PAGE)

    @room.act("/settings/test", needs_role=Role.ADMIN, summary="Send a test message now", body=WayToTest)
    def test_notifications(body: WayToTest) -> Done:
        try:
            answer = send_test(settings, database, body.way)
        except NotTaken as error:
            raise Refusal(f"the test message was not taken. {error}") from error
        with database.writing() as session:
            audit(session, actor=acting(), action="settings.tested", outcome=Outcome.SUCCESS, subject=body.way)
        return Done(message=f"The test message was taken: {answer}", location=PAGE)


def _add_export(room: Room, database: Database) -> None:
    @needs(Role.ADMIN)
    def export_configuration() -> Response:
        with database.reading() as session:
            now = configuration_now(session)
        heading = f"Configuration of a PACS agent {__version__}, exported {utc_now():%Y-%m-%d %H:%M} UTC.\n"
        heading += "It holds no passwords, keys or tokens: those named under `secrets` must be set again."
        heading += "".join(
            f"\nAn import refuses this until it is set right: {fault}" for fault in refused_on_import(now)
        )
        text = write_configuration(now, heading)
        with database.writing() as session:
            audit(session, actor=acting(), action="configuration.exported", outcome=Outcome.SUCCESS)
        headers = {"Content-Disposition": 'attachment; filename="pacs-agent.yaml"', "Cache-Control": "no-store"}
        return Response(text, content_type=YAML, headers=headers)

    for prefix in ("/console", "/api/v1"):
        room.add_url_rule(f"{prefix}/settings/export", f"export{prefix.replace('/', '_')}", export_configuration)
    summary = "The whole configuration as one YAML file, without secrets"
    answers: dict[int, type[BaseModel] | str | None] = {200: YAML, 401: Problem, 403: Problem}
    room.describe(Operation("get", "/api/v1/settings/export", summary, answers))


def _add_upload(room: Room, database: Database) -> None:
    @room.act(
        "/settings/import",
        needs_role=Role.ADMIN,
        summary="Upload a configuration to look at what it would change; its location shows the difference",
        upload=FILE,
    )
    def upload_configuration() -> Done:
        given = request.files.get(FILE)
        if given is None:
            raise Refusal("choose a file that was exported here or on another agent")
        text = _text(given.stream.read(LARGEST_FILE_BYTES + 1))
        _read(text)
        draft = ConfigurationDraft(id=secrets.token_hex(16), text=text, uploaded_by=acting()[:128])
        with database.writing() as session:
            session.execute(delete(ConfigurationDraft).where(ConfigurationDraft.uploaded_at < utc_now() - DRAFTS_KEPT))
            session.add(draft)
        return Done(message="Nothing is changed yet: look at the difference.", location=f"{PAGE}/import/{draft.id}")


def _add_difference(room: Room, settings: Settings, database: Database) -> None:
    @room.page(
        "/settings/import/<draft>",
        needs_role=Role.ADMIN,
        template="settings-difference.html",
        answer=Difference,
        summary="What an uploaded configuration would change, line by line",
    )
    def difference(draft: str) -> Difference:
        row = _draft(database, draft)
        plan = plan_import(settings, database, _read(row.text))
        return Difference(
            draft=row.id,
            uploaded_at=row.uploaded_at,
            uploaded_by=row.uploaded_by,
            plan=plan.digest,
            lines=[DifferenceLine(kind=line.kind, text=line.text) for line in plan.lines],
            to_do=list(plan.to_do),
            fault=plan.fault,
        )


def _add_decision(room: Room, settings: Settings, database: Database) -> None:
    @room.act(
        "/settings/import/<draft>/apply",
        needs_role=Role.ADMIN,
        summary="Take over an uploaded configuration, whole or not at all; `plan` is the difference that was looked at",
        body=PlanConfirmed,
    )
    def apply_configuration(draft: str, body: PlanConfirmed) -> Done:
        row = _draft(database, draft)
        wanted = _read(row.text)
        _refuse_own_gain(wanted)
        try:
            plan = apply_plan(settings, database, wanted, body.plan, actor=acting())
        except StateChanged as error:
            raise Refusal(f"nothing was changed: {error}", 409) from error
        except WrongConfiguration as error:
            raise Refusal(f"nothing was changed: {error}") from error
        _forget(database, row.id)
        rest = "; now " + "; ".join(plan.to_do) if plan.to_do else ""
        return Done(message=f"The configuration is in force{rest}.", location=PAGE)

    @room.act("/settings/import/<draft>/discard", needs_role=Role.ADMIN, summary="Forget an uploaded configuration")
    def discard_configuration(draft: str) -> Done:
        _forget(database, _draft(database, draft).id)
        return Done(message="The uploaded file is forgotten, nothing was changed.", location=PAGE)


def _text(content: bytes) -> str:
    if len(content) > LARGEST_FILE_BYTES:
        raise Refusal("the file is larger than 1 MB: it is no configuration of an agent")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("the file is no text in UTF-8; upload the YAML file that was exported") from error


def _read(text: str) -> Configuration:
    try:
        return read_configuration(text)
    except WrongConfiguration as error:
        raise Refusal(str(error)) from error


def _refuse_own_gain(wanted: Configuration) -> None:
    """A file must not be the way around what the page of accounts refuses."""
    person = current_person()
    for user in wanted.users or ():
        if user.login == person.login and (more := lacking(person.roles, user.roles)):
            raise Refusal(f"nothing was changed: nobody gives himself more than he has ({', '.join(sorted(more))})")


def _draft(database: Database, draft: str) -> ConfigurationDraft:
    if not re.fullmatch("[0-9a-f]{32}", draft):
        raise NotFound(GONE)
    with database.reading() as session:
        row = session.get(ConfigurationDraft, draft)
    if row is None:
        raise NotFound(GONE)
    return row


def _forget(database: Database, draft: str) -> None:
    with database.writing() as session:
        session.execute(delete(ConfigurationDraft).where(ConfigurationDraft.id == draft))
