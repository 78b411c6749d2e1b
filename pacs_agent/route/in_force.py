"""Which rules are in force: the newest row of `rule_sets`."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import RuleSet
from pacs_agent.ops import Outcome, audit
from pacs_agent.route.rules import RuleBook


def rules_text(session: Session) -> str:
    """The rules in force as they were written; empty when there are none yet."""
    return session.scalar(select(RuleSet.text).order_by(RuleSet.id.desc()).limit(1)) or ""


def rules_in_force(session: Session) -> RuleBook:
    """The rules in force; a book without rules when none were put yet. Raises WrongRules."""
    text = rules_text(session)
    return RuleBook.parse(text) if text else RuleBook()


def put_rules(session: Session, text: str, *, actor: str) -> RuleBook:
    """Puts rules in force, with an audit line, in the caller's transaction. Raises WrongRules; nothing changes then."""
    book = RuleBook.parse(text)
    before = rules_text(session)
    session.add(RuleSet(text=text, created_by=actor[:64]))
    audit(session, actor=actor, action="rules.changed", outcome=Outcome.SUCCESS, before=before, after=text)
    return book
