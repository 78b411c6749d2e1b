"""The roles of people."""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """What a person may do here."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    AUDITOR = "auditor"


INCLUDED: dict[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.REVIEWER: frozenset({Role.REVIEWER, Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.ADMIN, Role.OPERATOR, Role.REVIEWER, Role.VIEWER}),
    Role.AUDITOR: frozenset({Role.AUDITOR}),
}
"""The roles that each role brings with it. Nobody but an auditor is one: who administers does not watch himself."""

IN_WORDS: dict[Role, str] = {
    Role.VIEWER: "sees studies, what the model says of them, and the queue",
    Role.REVIEWER: "also reviews results, and verifies reports in his own name",
    Role.OPERATOR: "runs the agent: queue, peers, rules, models, and brings studies in",
    Role.ADMIN: "does all of that, and sets up accounts, tokens and settings",
    Role.AUDITOR: "reads and exports the audit trail, and nothing else",
}
"""What each role may do, for people."""


def with_included(roles: Iterable[str]) -> frozenset[Role]:
    """The roles with all that they include. Raises ValueError for an unknown one."""
    return frozenset().union(*(INCLUDED[Role(role)] for role in roles))


def lacking(own: Iterable[Role], wanted: Iterable[str]) -> frozenset[Role]:
    """What the wanted roles bring that is not among one's own: nobody gives himself more than he has."""
    return with_included(wanted) - frozenset(own)
