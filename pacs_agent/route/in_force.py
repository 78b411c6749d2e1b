"""Which rules are in force: the newest row of `rule_sets`. Older rows say what was in force before."""

import difflib
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import RuleSet
from pacs_agent.ops import Outcome, audit
from pacs_agent.route.errors import RulesChanged
from pacs_agent.route.rules import RuleBook


class RulesVersion(BaseModel):
    """One version of the rules. `added` and `removed` are the lines by which it differs from the one before."""

    id: int
    created_at: datetime
    created_by: str
    added: int
    removed: int


def rules_text(session: Session) -> str:
    """The rules in force as they were written; empty when there are none yet."""
    return session.scalar(select(RuleSet.text).order_by(RuleSet.id.desc()).limit(1)) or ""


def rules_version(session: Session) -> int:
    """The id of the version in force; 0 when there is none yet."""
    return session.scalar(select(RuleSet.id).order_by(RuleSet.id.desc()).limit(1)) or 0


def rules_in_force(session: Session) -> RuleBook:
    """The rules in force; a book without rules when none were put yet. Raises WrongRules."""
    text = rules_text(session)
    return RuleBook.parse(text) if text else RuleBook()


def put_rules(session: Session, text: str, *, actor: str, based_on: int | None = None) -> RuleBook:
    """Puts rules in force, with an audit line, in the caller's transaction.

    `based_on` is the version that the author saw; without it nothing is compared. Raises WrongRules, and RulesChanged
    when another version is in force by now; nothing changes then.
    """
    book = RuleBook.parse(text)
    _check_unchanged(session, based_on)
    before = rules_text(session)
    session.add(RuleSet(text=text, created_by=actor[:64]))
    audit(session, actor=actor, action="rules.changed", outcome=Outcome.SUCCESS, before=before, after=text)
    return book


def versions_of_rules(session: Session, limit: int) -> list[RulesVersion]:
    """The newest versions, newest first."""
    rows = list(session.scalars(select(RuleSet).order_by(RuleSet.id.desc()).limit(limit + 1)))
    texts = [*(row.text for row in rows), ""]
    return [_version(row, texts[index + 1]) for index, row in enumerate(rows[:limit])]


def difference(before: str, after: str) -> list[str]:
    """What changed from one text to the other, as lines of a unified diff without its header."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return list(lines)[2:]


def _version(row: RuleSet, before: str) -> RulesVersion:
    changed = difference(before, row.text)
    return RulesVersion(
        id=row.id,
        created_at=row.created_at,
        created_by=row.created_by,
        added=sum(line.startswith("+") for line in changed),
        removed=sum(line.startswith("-") for line in changed),
    )


def _check_unchanged(session: Session, based_on: int | None) -> None:
    """Whoever comes second waits for the first, and then sees what that one has put in force."""
    if based_on is None:
        return
    session.scalar(select(RuleSet.id).order_by(RuleSet.id.desc()).limit(1).with_for_update())
    row = session.scalar(select(RuleSet).order_by(RuleSet.id.desc()).limit(1))
    if based_on != (row.id if row else 0):
        who = (
            f"{row.created_by} changed the rules at {row.created_at:%Y-%m-%d %H:%M:%S} UTC" if row else "they are gone"
        )
        raise RulesChanged(f"{who}; load the page again, look at what changed, then make your change")
