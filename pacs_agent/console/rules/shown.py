"""The rules and their versions as the pages show them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent import route
from pacs_agent.console.rules.models import CorrectionShown, Editor, Fault, RuleShown, RulesPage, RulesVersionPage
from pacs_agent.db import RuleSet

VERSIONS_SHOWN = 50
BEGIN = "rules: []\n"


def rules_page(session: Session) -> RulesPage:
    """The rules in force, and their newest versions."""
    text, version = route.rules_text(session), route.rules_version(session)
    editor = Editor(text=text or BEGIN, based_on=version)
    book = route.RuleBook()
    try:
        book = route.RuleBook.parse(editor.text)
    except route.WrongRules as error:
        editor.fault = Fault(words=str(error), line=error.line, field=error.field)
    versions = tuple(route.versions_of_rules(session, VERSIONS_SHOWN))
    return RulesPage(
        version=version,
        editor=editor,
        rules=tuple(map(_shown, book.rules)),
        corrections=tuple(map(_correction, book.corrections)),
        versions=versions,
    )


def version_page(session: Session, version: int) -> RulesVersionPage | None:
    """One version; None when there is none of this id."""
    row = session.get(RuleSet, version)
    if row is None:
        return None
    earlier = select(RuleSet.text).where(RuleSet.id < version).order_by(RuleSet.id.desc()).limit(1)
    return RulesVersionPage(
        id=row.id,
        created_at=row.created_at,
        created_by=row.created_by,
        text=row.text,
        difference=tuple(route.difference(session.scalar(earlier) or "", row.text)),
        from_now=tuple(route.difference(route.rules_text(session), row.text)),
        in_force=route.rules_version(session),
    )


def _correction(one: route.SeriesCorrection) -> CorrectionShown:
    when = one.when.explain({}).sentence
    return CorrectionShown(name=one.name, when=when, says=one.is_.in_words(), enabled=one.enabled)


def _shown(rule: route.Rule) -> RuleShown:
    return RuleShown(
        name=rule.name,
        when=rule.when.explain({}).sentence,
        expects=rule.expects.in_words() if rule.expects else "",
        pipeline=rule.pipeline,
        destinations=rule.destinations,
        priority=rule.priority,
        enabled=rule.enabled,
        goes_on=rule.continue_,
    )
