"""The views of the rules. Rules decide by header values, so what is shown here may name patients: operators alone."""

import tempfile
from pathlib import Path

from flask import Blueprint, request
from werkzeug.exceptions import NotFound

from pacs_agent import route
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Done, Refusal, Room, acting
from pacs_agent.console.rules.models import (
    LARGEST_ID,
    BasedOn,
    Editor,
    Fault,
    NewRules,
    RuleMove,
    RulesChecked,
    RulesPage,
    RulesTested,
    RulesToCheck,
    RulesToTest,
    RulesToTry,
    RulesTried,
    RulesVersionPage,
)
from pacs_agent.console.rules.shown import rules_page, version_page
from pacs_agent.db import Database, RuleSet

FILE = "file"


def rules_blueprint(settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """`/console/rules` and what is posted there."""
    room = Room("rules", __name__)
    _add_pages(room, database)
    _add_changes(room, database)
    _add_trials(room, settings, database, archive)
    return room


def _add_pages(room: Room, database: Database) -> None:
    @room.page(
        "/rules",
        needs_role=Role.OPERATOR,
        template="rules.html",
        answer=RulesPage,
        summary="The rules in force, and their versions",
    )
    def rules() -> RulesPage:
        with database.reading() as session:
            return rules_page(session)

    @room.page(
        "/rules/versions/<int:version>",
        needs_role=Role.OPERATOR,
        template="rules-version.html",
        answer=RulesVersionPage,
        summary="One version of the rules, and what changed with it",
    )
    def rules_version(version: int) -> RulesVersionPage:
        with database.reading() as session:
            shown = version_page(session, version) if version <= LARGEST_ID else None
        if shown is None:
            raise NotFound("there is no such version of the rules; the page of the rules lists them")
        return shown


def _add_changes(room: Room, database: Database) -> None:
    def put(text: str, based_on: int) -> int:
        """Puts a text in force, however it came about; how many rules it has."""
        try:
            with database.writing() as session:
                return len(route.put_rules(session, text, actor=acting(), based_on=based_on).rules)
        except route.WrongRules as error:
            raise Refusal(f"not saved. {error}") from error
        except route.RulesChanged as error:
            raise Refusal(f"not saved: {error}", 409) from error

    @room.act("/rules/save", needs_role=Role.OPERATOR, summary="Put a text of rules in force", body=NewRules)
    def save_rules(body: NewRules) -> Done:
        count = put(body.text, body.based_on)
        return Done(message=f"{count} {'rule is' if count == 1 else 'rules are'} in force.", location="/console/rules")

    @room.act("/rules/move", needs_role=Role.OPERATOR, summary="RuleMove a rule up or down", body=RuleMove)
    def move_rule(body: RuleMove) -> Done:
        with database.reading() as session:
            text = route.rules_text(session)
        try:
            changed = route.moved(text, body.name, body.to)
        except route.WrongRules as error:
            raise Refusal(f"not moved. {error}") from error
        put(changed, body.based_on)
        return Done(message=f"“{body.name}” was moved {body.to}.", location="/console/rules")

    @room.act(
        "/rules/versions/<int:version>/restore",
        needs_role=Role.OPERATOR,
        summary="Put a version of the rules in force again",
        body=BasedOn,
    )
    def restore_rules(version: int, body: BasedOn) -> Done:
        with database.reading() as session:
            row = session.get(RuleSet, version) if version <= LARGEST_ID else None
        if row is None:
            raise NotFound("there is no such version of the rules; the page of the rules lists them")
        put(row.text, body.based_on)
        return Done(message=f"The rules of version {version} are in force again.", location="/console/rules")


def _add_trials(room: Room, settings: Settings, database: Database, archive: Archive) -> None:
    @room.act("/rules/check", needs_role=Role.OPERATOR, summary="Check a text", body=RulesToCheck, answer=RulesChecked)
    def check_rules(body: RulesToCheck) -> RulesChecked:
        try:
            count = len(route.RuleBook.parse(body.text).rules)
        except route.WrongRules as error:
            return RulesChecked(message=str(error), fault=_fault(error))
        return RulesChecked(message=f"{count} {'rule' if count == 1 else 'rules'}, nothing wrong")

    @room.act(
        "/rules/test",
        needs_role=Role.OPERATOR,
        summary="What a text of rules says of a DICOM file",
        body=RulesToTest,
        answer=RulesTested,
        upload=FILE,
        template="rules-tested.html",
    )
    def test_rules(body: RulesToTest) -> RulesTested:
        editor, file = Editor(text=body.text, based_on=body.based_on), request.files.get(FILE)
        name = Path(file.filename or "").name[:120] if file else ""
        tested = RulesTested(editor=editor, file=name, summary="", rules=())
        if file is None or not name:
            return tested.model_copy(update={"fault": Fault(words="choose a DICOM file to test the rules with")})
        try:
            book = route.RuleBook.parse(body.text)
            with tempfile.TemporaryDirectory(dir=settings.data_dir) as folder:
                path = Path(folder) / "file.dcm"
                file.save(path)
                decision, corrections = _decision(path, book)
        except route.WrongRules as error:
            return tested.model_copy(update={"fault": _fault(error)})
        told = {"summary": decision.summary, "rules": decision.rules, "corrections": corrections}
        return tested.model_copy(update=told)

    @room.act(
        "/rules/dry-run",
        needs_role=Role.OPERATOR,
        summary="What a text of rules would change for the last studies",
        body=RulesToTry,
        answer=RulesTried,
        template="rules-tried.html",
    )
    def try_rules(body: RulesToTry) -> RulesTried:
        editor = Editor(text=body.text, based_on=body.based_on)
        try:
            book = route.RuleBook.parse(body.text)
            with database.reading() as session:
                run = route.dry_run(session, archive, book, route.rules_in_force(session), studies=body.studies)
        except route.WrongRules as error:
            return RulesTried(editor=editor, studies_asked=body.studies, run=None, fault=_fault(error))
        return RulesTried(editor=editor, studies_asked=body.studies, run=run)


def _decision(path: Path, book: route.RuleBook) -> tuple[route.Decision, tuple[route.RuleOutcome, ...]]:
    """What rules and corrections say of a file while it is there. Raises WrongRules for one that is no DICOM image."""
    try:
        attributes = route.attributes_of_file(path)
        return book.decide_study(attributes), book.explain_corrections(attributes)
    except route.NoAttributes as error:
        raise route.WrongRules("this file cannot be read as a DICOM image; choose another one") from error


def _fault(error: route.WrongRules) -> Fault:
    return Fault(words=str(error), line=error.line, field=error.field)
