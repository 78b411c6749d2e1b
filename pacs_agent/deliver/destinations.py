"""The destinations that people set up: listed, added, changed, removed, each change with its audit line.

Secrets come in and never go out: what is shown, audited or exported says only whether one is set.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.db import Delivery, DeliveryState, Destination, DestinationSecret
from pacs_agent.deliver.errors import WrongSettings
from pacs_agent.deliver.kinds import check_settings
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.outbound import AddressRefused, Outbound
from pacs_agent.route import WrongRules, rules_in_force

SECRETS = {"dimse": (), "stow": ("password", "token")}
"""Secrets that each kind knows."""
_ARRIVED = (DeliveryState.STORED, DeliveryState.CONFIRMED)
_TROUBLED = (DeliveryState.RETRYING, DeliveryState.REFUSED, DeliveryState.UNREACHABLE)


class UnknownDestination(LookupError):
    """There is no destination of this name."""


class DestinationInUse(Exception):
    """A destination that rules deliver to."""


@dataclass(frozen=True)
class NewDestination:
    """A destination as people set it up.

    `secrets` are those given now, by name; an empty one is taken away, and one not named stays as it was. None for
    `enabled` leaves it as it was.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    enabled: bool | None = None


@dataclass(frozen=True)
class SecretShown:
    """All that is told of a secret. `variable`: the environment variable it is read from, where it is not kept here."""

    name: str
    is_set: bool
    variable: str = ""


@dataclass(frozen=True)
class DestinationShown:
    """A destination as people and programs see it."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    enabled: bool
    secrets: tuple[SecretShown, ...]
    last_stored_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    rules: tuple[str, ...]
    """Names of the rules that deliver here."""


def destinations_shown(session: Session) -> list[DestinationShown]:
    """All destinations by name, each with its newest success and its newest trouble."""
    rows = session.scalars(select(Destination).order_by(Destination.name))
    return [_shown(session, row) for row in rows]


def put_destination(session: Session, new: NewDestination, *, actor: str, outbound: Outbound) -> None:
    """Adds a destination or changes it, in the caller's transaction. Raises WrongSettings; nothing changes then.

    A service at another origin gets no secret that was given for the one before: whoever may change an address could
    else have secrets sent to himself.
    """
    checked = check_settings(new.kind, new.settings)
    _check_name(new.name)
    _check_address(new.kind, checked, outbound)
    unknown = sorted(set(new.secrets) - set(SECRETS.get(new.kind, ())))
    if unknown:
        raise WrongSettings(f"a {new.kind} destination has no {', '.join(unknown)}")
    row = session.get(Destination, new.name)
    before = _audited(row) if row else None
    if row is None:
        row = Destination(name=new.name, kind=new.kind, settings=checked, enabled=True)
        session.add(row)
    kept = _kept_secrets(row, checked)
    given = {name: value for name, value in {**kept, **new.secrets}.items() if value}
    row.kind, row.settings = new.kind, checked
    row.enabled = row.enabled if new.enabled is None else new.enabled
    _set_secrets(row, given if SECRETS.get(new.kind) else {})
    _audit(session, actor, "destination.changed", new.name, before, _audited(row))


def enable_destination(session: Session, name: str, *, enabled: bool, actor: str) -> None:
    """Enables or disables a destination. Raises UnknownDestination."""
    row = _row(session, name)
    before = _audited(row)
    row.enabled = enabled
    _audit(session, actor, "destination.changed", name, before, _audited(row))


def remove_destination(session: Session, name: str, *, actor: str) -> None:
    """Removes a destination. Raises UnknownDestination, and DestinationInUse while rules deliver to it."""
    row = _row(session, name)
    using = rules_using(session, name)
    if using:
        raise DestinationInUse(
            f"the rules {', '.join(using)} deliver to {name}; take it out of them first"
            if len(using) > 1
            else f"the rule {using[0]} delivers to {name}; take it out of that rule first"
        )
    before = _audited(row)
    session.delete(row)
    _audit(session, actor, "destination.removed", name, before, None)


def rules_using(session: Session, name: str) -> list[str]:
    """Names of the rules in force, enabled or not, that deliver to a destination."""
    try:
        rules = rules_in_force(session).rules
    except WrongRules:
        return []  # the rules of another version: whoever mends them sees which destinations they name
    return [rule.name for rule in rules if name in rule.destinations]


def _row(session: Session, name: str) -> Destination:
    row = session.get(Destination, name)
    if row is None:
        raise UnknownDestination(f"there is no destination {name}")
    return row


def _check_name(name: str) -> None:
    plain = name.isascii() and 1 <= len(name) <= 64 and name[0].isalnum()
    if not plain or not all(letter.isalnum() or letter in "_.-" for letter in name):
        raise WrongSettings("a name is 1 to 64 letters, digits and _ . - and begins with a letter or digit")


def _check_address(kind: str, settings: Mapping[str, Any], outbound: Outbound) -> None:
    try:
        if kind == "stow":
            outbound.check_url(str(settings["url"]))
        else:
            outbound.check_host(str(settings["host"]), int(settings["port"]))
    except AddressRefused as error:
        raise WrongSettings(str(error)) from error


def _kept_secrets(row: Destination, settings: Mapping[str, Any]) -> dict[str, str]:
    if _origin(row.settings) != _origin(settings):
        return {}
    return {secret.name: secret.value for secret in row.secrets}


def _origin(settings: Mapping[str, Any]) -> tuple[str, str]:
    parts = urlsplit(str(settings.get("url", "")))
    return parts.scheme, parts.netloc.lower()


def _set_secrets(row: Destination, secrets: Mapping[str, str]) -> None:
    known = {secret.name: secret for secret in row.secrets}
    for name, value in secrets.items():
        if name in known:
            known[name].value = value
        else:
            row.secrets.append(DestinationSecret(destination=row.name, name=name, value=value))
    for name, secret in known.items():
        if name not in secrets:
            row.secrets.remove(secret)


def _secrets_shown(row: Destination) -> tuple[SecretShown, ...]:
    kept = {secret.name for secret in row.secrets}
    shown = []
    for name in SECRETS.get(row.kind, ()):
        variable = str(row.settings.get(f"{name}_env") or "")
        shown.append(SecretShown(name, name in kept or bool(variable and os.environ.get(variable)), variable))
    return tuple(shown)


def _shown(session: Session, row: Destination) -> DestinationShown:
    stored_at, _ = _newest(session, row.name, _ARRIVED)
    error_at, error = _newest(session, row.name, _TROUBLED)
    return DestinationShown(
        name=row.name,
        kind=row.kind,
        settings=dict(row.settings),
        enabled=row.enabled,
        secrets=_secrets_shown(row),
        last_stored_at=stored_at,
        last_error_at=error_at,
        last_error=error,
        rules=tuple(rules_using(session, row.name)),
    )


def _newest(session: Session, destination: str, states: Sequence[DeliveryState]) -> tuple[datetime | None, str]:
    """When deliveries in these states changed last, and the answer then: one look into the index for each state."""
    newest: Delivery | None = None
    for state in states:
        query = select(Delivery).where(Delivery.destination == destination, Delivery.state == state)
        found = session.scalar(query.order_by(Delivery.changed_at.desc()).limit(1))
        if found is not None and (newest is None or found.changed_at > newest.changed_at):
            newest = found
    return (newest.changed_at, newest.answer) if newest else (None, "")


def _audited(row: Destination) -> dict[str, Any]:
    secrets = {secret.name: "set" for secret in row.secrets}
    return {"kind": row.kind, "settings": dict(row.settings), "enabled": row.enabled, **secrets}


def _audit(
    session: Session, actor: str, action: str, name: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=name, before=before, after=after)
