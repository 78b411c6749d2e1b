"""The change from one configuration to another, part by part, by the same functions as people use one at a time.

Each part writes its own audit lines, with before and after.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from pacs_agent import accounts, deliver, inference, receive, route
from pacs_agent.config import Settings
from pacs_agent.configuration.document import Configuration, ModelEntry, UserEntry, WrongConfiguration
from pacs_agent.db import ModelActivation
from pacs_agent.ops import Outcome, audit
from pacs_agent.ops.outbound import outbound_of
from pacs_agent.ops.runtime import change_runtime_settings


@dataclass(frozen=True)
class Changing:
    """From which configuration to which, and the bundles installed here by digest."""

    settings: Settings
    bundles: Mapping[str, inference.AnyBundle]
    before: Configuration
    after: Configuration


def change(session: Session, changing: Changing, actor: str) -> None:
    """Makes the change in the caller's transaction. Raises WrongConfiguration, or the error of the part."""
    _change_peers(session, changing, actor)
    _put_destinations(session, changing, actor)
    if changing.after.rules != changing.before.rules:
        route.put_rules(session, changing.after.rules or "rules: []\n", actor=actor)
        session.flush()
    _remove_destinations(session, changing, actor)
    _activate_models(session, changing, actor)
    _change_users(session, changing, actor)
    for section in (changing.after.retention, changing.after.watermark, changing.after.notifications):
        if section is not None:
            change_runtime_settings(session, section, actor=actor)


def _change_peers(session: Session, changing: Changing, actor: str) -> None:
    before = {one.ae_title: one for one in changing.before.peers or ()}
    after = {one.ae_title: one for one in changing.after.peers or ()}
    for ae_title, peer in after.items():
        if peer != before.get(ae_title):
            receive.put_peer(session, peer, actor=actor)
    for ae_title in before.keys() - after.keys():
        receive.remove_peer(session, ae_title, actor=actor)


def _put_destinations(session: Session, changing: Changing, actor: str) -> None:
    before = {one.name: (one.kind, one.enabled, one.settings) for one in changing.before.destinations or ()}
    for one in changing.after.destinations or ():
        if (one.kind, one.enabled, one.settings) != before.get(one.name):
            new = deliver.NewDestination(one.name, one.kind, one.settings, enabled=one.enabled)
            deliver.put_destination(session, new, actor=actor, outbound=outbound_of(changing.settings.web))


def _remove_destinations(session: Session, changing: Changing, actor: str) -> None:
    after = {one.name for one in changing.after.destinations or ()}
    for one in changing.before.destinations or ():
        if one.name in after:
            continue
        try:
            deliver.remove_destination(session, one.name, actor=actor)
        except deliver.DestinationInUse as error:
            raise WrongConfiguration(str(error)) from error


def _activate_models(session: Session, changing: Changing, actor: str) -> None:
    before = {one.name: one for one in changing.before.models or ()}
    for one in changing.after.models or ():
        if one != before.get(one.name):
            _activate(session, changing, one, before.get(one.name), actor)


def _activate(session: Session, changing: Changing, one: ModelEntry, before: ModelEntry | None, actor: str) -> None:
    """Puts a bundle in use that is installed here, is the same to the byte, and is not recalled."""
    bundle = changing.bundles.get(one.digest)
    if bundle is None or (bundle.manifest.name, bundle.manifest.version) != (one.name, one.version):
        raise WrongConfiguration(
            f"model {one.name} {one.version} is not installed here with this digest; install it first, "
            "or take it out of the file"
        )
    if (recall := inference.recall_of(session, one.name, one.version)) is not None:
        raise WrongConfiguration(f"model {one.name} {one.version} is recalled here: {recall.reason}")
    session.add(ModelActivation(name=one.name, version=one.version, digest=one.digest, activated_by=actor[:64]))
    audit(
        session,
        actor=actor,
        action="model.activated",
        outcome=Outcome.SUCCESS,
        subject=f"{one.name} {one.version}",
        digest=one.digest,
        signed_by=bundle.signer.name,
        before=before.version if before else None,
    )


def _change_users(session: Session, changing: Changing, actor: str) -> None:
    """Who gains goes before who loses, so that an administrator can be replaced by another."""
    before = {one.login: one for one in changing.before.users or ()}
    after = changing.after.users or ()
    for one in sorted(after, key=lambda one: (not one.enabled, accounts.Role.ADMIN not in one.roles)):
        if one.login not in before:
            _add_user(session, one, actor)
        elif one != before[one.login]:
            _change_user(session, before[one.login], one, actor)


def _add_user(session: Session, one: UserEntry, actor: str) -> None:
    """An account that nobody can use before it has a password and is enabled."""
    added = accounts.add_account(
        session,
        actor=actor,
        login=one.login,
        name=one.name,
        person_name=one.person_name,
        roles=one.roles,
        password=secrets.token_urlsafe(32),
    )
    added.enabled = False
    session.flush()
    changed = {"before": {"enabled": True}, "after": {"enabled": False}}
    audit(session, actor=actor, action="user.disabled", outcome=Outcome.SUCCESS, subject=one.login, **changed)


def _change_user(session: Session, before: UserEntry, one: UserEntry, actor: str) -> None:
    if one.enabled and not before.enabled:
        accounts.set_enabled(session, one.login, enabled=True, actor=actor)
    if (one.name, one.person_name, one.roles) != (before.name, before.person_name, before.roles):
        accounts.change_account(
            session, one.login, actor=actor, name=one.name, person_name=one.person_name, roles=one.roles
        )
    if before.enabled and not one.enabled:
        accounts.set_enabled(session, one.login, enabled=False, actor=actor)
