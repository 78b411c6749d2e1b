"""The configuration that is in force now."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.accounts import Role
from pacs_agent.configuration.document import Configuration, DestinationEntry, ModelEntry, PeerEntry, UserEntry
from pacs_agent.db import Destination, ModelActivation, Peer, RuntimeSecret, User
from pacs_agent.ops.runtime import Notifications, Retention, Watermark, runtime_settings
from pacs_agent.route import rules_text


def configuration_now(session: Session) -> Configuration:
    """What is in force, each list in the order of its names."""
    return Configuration(
        peers=tuple(_peer(row) for row in session.scalars(select(Peer).order_by(Peer.ae_title))),
        destinations=tuple(
            _destination(row) for row in session.scalars(select(Destination).order_by(Destination.name))
        ),
        rules=rules_text(session),
        models=_models(session),
        users=tuple(_user(row) for row in session.scalars(select(User).order_by(User.login)) if row.provider is None),
        retention=runtime_settings(session, Retention),
        watermark=runtime_settings(session, Watermark),
        notifications=runtime_settings(session, Notifications),
        secrets=tuple(session.scalars(select(RuntimeSecret.name).order_by(RuntimeSecret.name))),
    )


def _peer(row: Peer) -> PeerEntry:
    """A peer as it is stored, be it one that would be refused today: `refused_on_import` says so."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in PeerEntry.model_fields}
    return PeerEntry.model_construct(**fields)


def _destination(row: Destination) -> DestinationEntry:
    return DestinationEntry(
        name=row.name,
        kind=row.kind,
        enabled=row.enabled,
        settings={key: value for key, value in sorted(row.settings.items()) if value is not None},
        secrets=tuple(sorted(secret.name for secret in row.secrets)),
    )


def _models(session: Session) -> tuple[ModelEntry, ...]:
    rows = session.scalars(select(ModelActivation).order_by(ModelActivation.id))
    newest = {row.name: ModelEntry(name=row.name, version=row.version, digest=row.digest) for row in rows}
    return tuple(newest[name] for name in sorted(newest))


def _user(row: User) -> UserEntry:
    return UserEntry(
        login=row.login,
        name=row.name,
        person_name=row.person_name,
        roles=tuple(Role(role) for role in row.roles),
        enabled=row.enabled,
    )
