"""Who may ask what: the person behind a request, and the decision that every view carries.

A view without a decision is given to nobody (`guard.py`), so that a forgotten one is a closed door.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import g

from pacs_agent.accounts.roles import Role

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Person:
    """Who is asking. `roles` has the included ones; `person_name` is the DICOM PN of an observer, Family^Given.

    `login` is empty for the anonymous person of an agent without accounts.
    """

    login: str
    name: str
    roles: frozenset[Role]
    person_name: str = ""
    machine: bool = False
    """Whether it is a program with a token: it has no session, and needs no CSRF token."""

    def may(self, *roles: Role) -> bool:
        """Whether the person has one of the roles."""
        return not self.roles.isdisjoint(roles)


MACHINE = Person("token", "token", frozenset({Role.OPERATOR, Role.VIEWER}), machine=True)
"""Whoever has the token of the settings."""

ANONYMOUS = Person("", "", MACHINE.roles)
"""Whoever asks an agent that has neither accounts nor a token, and that only its own machine can reach."""


def current_person() -> Person:
    """The person behind the request being answered. RuntimeError in a view that is open to all."""
    person = g.get("person")
    if not isinstance(person, Person):
        raise RuntimeError("nobody was asked who he is: the view is open to all, or the app has no guard")
    return person


def needs(*roles: Role) -> Callable[[View], View]:
    """The decision that a view is for whoever has one of the roles. Put it below the route's decorator."""

    def decide(view: View) -> View:
        view.needed_roles = frozenset(roles)  # type: ignore[attr-defined]
        return view

    return decide


def open_to_all(view: View) -> View:
    """The decision that a view is for anybody, known or not: it must give no patient data and change nothing."""
    view.needed_roles = frozenset()  # type: ignore[attr-defined]
    return view


def needed_roles(view: Callable[..., Any]) -> frozenset[Role] | None:
    """The roles of which one is needed; none for a view that is open to all, None without a decision."""
    found: frozenset[Role] | None = getattr(view, "needed_roles", None)
    return found


__all__ = [
    "ANONYMOUS",
    "MACHINE",
    "Person",
    "Role",
    "current_person",
    "needed_roles",
    "needs",
    "open_to_all",
]
