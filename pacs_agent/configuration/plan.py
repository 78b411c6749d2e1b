"""From a file to a change: the difference in lines, its digest, and the change itself in one transaction.

What was looked at is what is done: the digest is over the state before and the state after, and is looked at again in
the transaction that changes it.
"""

import difflib
import hashlib
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from pacs_agent import inference
from pacs_agent.accounts import AccountRefused
from pacs_agent.config import Settings
from pacs_agent.configuration.change import Changing, change
from pacs_agent.configuration.document import Configuration, DestinationEntry, WrongConfiguration, write_configuration
from pacs_agent.configuration.present import configuration_now
from pacs_agent.db import Database
from pacs_agent.deliver import WrongSettings, check_settings
from pacs_agent.ops import Outcome, audit
from pacs_agent.route import WrongRules

CONTEXT_LINES = 3
Kind = Literal["same", "removed", "added", "place"]
_KINDS: dict[str, Kind] = {" ": "same", "-": "removed", "+": "added", "@": "place"}


class StateChanged(Exception):
    """The configuration in force is no longer the one that was compared."""


@dataclass(frozen=True)
class Line:
    """One line of the difference."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Plan:
    """What taking a file over would change. With a `fault` it cannot be taken over as it is."""

    digest: str
    lines: tuple[Line, ...]
    to_do: tuple[str, ...]
    """What people must do afterwards: set secrets and passwords."""
    fault: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return not self.lines


class _NotMeant(Exception):
    """Rolls back what was only tried."""


def plan_import(settings: Settings, database: Database, wanted: Configuration) -> Plan:
    """What taking a configuration over would change. It is tried and rolled back, so that its faults are known."""
    bundles = _bundles(settings)
    with database.reading() as session:
        before = configuration_now(session)
    try:
        after = _after(before, wanted)
    except WrongConfiguration as error:
        return Plan("", (), (), str(error))
    plan = _plan(before, after, wanted)
    fault = _fault(settings, database, Changing(settings, bundles, before, after)) if plan.lines else ""
    return Plan(plan.digest, plan.lines, plan.to_do, fault)


def apply_plan(settings: Settings, database: Database, wanted: Configuration, digest: str, *, actor: str) -> Plan:
    """Takes a configuration over, whole or not at all; `digest` is of the plan that was looked at.

    Raises StateChanged when it is no longer the same change, WrongConfiguration when it cannot be.
    """
    bundles = _bundles(settings)
    with database.writing() as session:
        before = configuration_now(session)
        after = _after(before, wanted)
        plan = _plan(before, after, wanted)
        if plan.digest != digest:
            raise StateChanged("the configuration was changed meanwhile; look at the difference again")
        _change(session, Changing(settings, bundles, before, after), actor)
        audit(
            session,
            actor=actor,
            action="configuration.imported",
            outcome=Outcome.SUCCESS,
            lines_added=_count(plan, "added"),
            lines_removed=_count(plan, "removed"),
            plan=digest,
        )
    return plan


def _bundles(settings: Settings) -> dict[str, inference.AnyBundle]:
    """The bundles installed here, by digest."""
    return {bundle.digest: bundle for bundle in inference.installed_bundles(settings.inference).all}


def _after(before: Configuration, wanted: Configuration) -> Configuration:
    """The configuration as it would be: parts that the file does not have stay."""
    parts = {name: getattr(wanted, name) for name in type(wanted).model_fields}
    given = {name: value for name, value in parts.items() if value is not None and name != "secrets"}
    known = {user.login for user in before.users or ()}
    if wanted.destinations is not None:
        given["destinations"] = tuple(sorted(map(_checked, wanted.destinations), key=lambda one: one.name))
    if wanted.peers is not None:
        given["peers"] = tuple(sorted(wanted.peers, key=lambda one: one.ae_title))
    if wanted.models is not None:
        kept = {one.name: one for one in before.models or ()} | {one.name: one for one in wanted.models}
        given["models"] = tuple(kept[name] for name in sorted(kept))
    if wanted.users is not None:
        new = (one if one.login in known else one.model_copy(update={"enabled": False}) for one in wanted.users)
        of_login = {one.login: one.model_copy(update={"roles": tuple(sorted(one.roles))}) for one in new}
        gone = {one.login: one.model_copy(update={"enabled": False}) for one in before.users or ()}
        given["users"] = tuple((gone | of_login)[login] for login in sorted(gone | of_login))
    return before.model_copy(update=given)


def _checked(entry: DestinationEntry) -> DestinationEntry:
    """A destination whose settings have the types of its kind; a YAML text has none."""
    try:
        settings = check_settings(entry.kind, entry.settings)
    except WrongSettings as error:
        raise WrongConfiguration(f"destination {entry.name}: {error}") from error
    plain = {key: value for key, value in sorted(settings.items()) if value is not None}
    return entry.model_copy(update={"settings": plain})


def _plan(before: Configuration, after: Configuration, wanted: Configuration) -> Plan:
    old, new = (write_configuration(_without_secrets(one)) for one in (before, after))
    digest = hashlib.sha256(f"{old}\0{new}".encode()).hexdigest()
    compared = difflib.unified_diff(old.splitlines(), new.splitlines(), n=CONTEXT_LINES, lineterm="")
    lines = tuple(Line(_KINDS[line[0]], line[1:]) for line in list(compared)[2:])
    return Plan(digest, lines, _to_do(before, wanted))


def _without_secrets(configuration: Configuration) -> Configuration:
    """Names of secrets are reminders, and change nothing."""
    bare = tuple(one.model_copy(update={"secrets": ()}) for one in configuration.destinations or ())
    return configuration.model_copy(update={"destinations": bare, "secrets": ()})


def _to_do(before: Configuration, wanted: Configuration) -> tuple[str, ...]:
    kept = {(one.name, name) for one in before.destinations or () for name in one.secrets}
    missing = [(one.name, name) for one in wanted.destinations or () for name in one.secrets]
    of_destinations = [f"set the {what} of destination {name}" for name, what in missing if (name, what) not in kept]
    own = [f"set {name} of the notifications" for name in wanted.secrets if name not in before.secrets]
    known = {user.login for user in before.users or ()}
    new = [user.login for user in wanted.users or () if user.login not in known]
    passwords = [f"give the new account {login} a password, then enable it" for login in new]
    return (*of_destinations, *own, *passwords)


def _fault(settings: Settings, database: Database, changing: Changing) -> str:
    try:
        with database.writing() as session:
            _change(session, changing, "plan")
            raise _NotMeant
    except _NotMeant:
        return ""
    except WrongConfiguration as error:
        return str(error)


def _change(session: Session, changing: Changing, actor: str) -> None:
    try:
        change(session, changing, actor)
    except (WrongSettings, WrongRules, AccountRefused) as error:
        raise WrongConfiguration(str(error)) from error


def _count(plan: Plan, kind: Kind) -> int:
    return sum(line.kind == kind for line in plan.lines)
