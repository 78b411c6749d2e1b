"""Which bundles read and segment studies: of each model's name one version, and only one that is verified here.

The version in use is the one activated last. Until one was activated it is the newest that was put into the folder of
bundles by hand; one that came in through the agent waits for its activation. A version that is recalled reads nothing.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.config import Settings
from pacs_agent.db import Database, ModelActivation, ModelRecall, ModelUpload
from pacs_agent.inference.bundle import (
    AnyBundle,
    Bundle,
    SegmenterBundle,
    StagingBundle,
    installed_bundles,
    installed_stamp,
    load_any,
    readers_of,
    segmenters_of,
    staging_of,
)
from pacs_agent.inference.recall import recall_of, recalls, recalls_changed
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.inference.verification import ensure_verified
from pacs_agent.ops import Outcome, audit

MEMORY = "verified"
"""Folder in `data_dir` that remembers what passed."""


@dataclass(frozen=True)
class BundlesInUse:
    """The bundles that read and those that segment, what is installed beside them, and why others are not used."""

    bundles: tuple[Bundle, ...] = ()
    beside: tuple[Bundle, ...] = ()
    refused: tuple[BundleRefused, ...] = ()
    segmenters: tuple[SegmenterBundle, ...] = ()
    segmenters_beside: tuple[SegmenterBundle, ...] = ()
    staging: tuple[StagingBundle, ...] = ()
    staging_beside: tuple[StagingBundle, ...] = ()


class NothingToRollBack(Exception):
    """A model of which no other version was ever in use."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no earlier version of {self.name} was activated; `pacs-agent model activate` takes any installed one"


def bundles_in_use(settings: Settings, database: Database) -> BundlesInUse:
    """The bundles that read and segment studies here, each verified; a refusal leaves an audit line."""
    installed = installed_bundles(settings.inference)
    with database.reading() as session:
        chosen, missing = _chosen(session, installed.all)
        recalled = recalls(session)
    ready, refused = list[AnyBundle](), [*installed.refused, *missing]
    for bundle in chosen:
        try:
            _refuse_recalled(bundle, recalled.get((bundle.manifest.name, bundle.manifest.version)))
            ensure_verified(bundle, settings.inference, settings.data_dir / MEMORY)
            ready.append(bundle)
        except BundleRefused as refusal:
            refused.append(refusal)
    if refused:
        note_refusals(database, refused)
    beside = [bundle for bundle in installed.all if bundle not in chosen]
    return BundlesInUse(
        bundles=readers_of(ready),
        beside=readers_of(beside),
        refused=tuple(refused),
        segmenters=segmenters_of(ready),
        segmenters_beside=segmenters_of(beside),
        staging=staging_of(ready),
        staging_beside=staging_of(beside),
    )


def chosen_bundles(session: Session, installed: Iterable[AnyBundle]) -> list[AnyBundle]:
    """Those of the installed bundles that are to be used; whether they may run here is not asked."""
    return _chosen(session, installed)[0]


def _chosen(session: Session, installed: Iterable[AnyBundle]) -> tuple[list[AnyBundle], list[BundleRefused]]:
    waiting = set(session.scalars(select(ModelUpload.digest)))
    return choose(installed, _activated(session), waiting)


def choose(
    installed: Iterable[AnyBundle], activated: dict[str, ModelActivation], waiting: Collection[str] = ()
) -> tuple[list[AnyBundle], list[BundleRefused]]:
    """Of each name the version activated or else the newest, and what was activated but is not installed.

    `waiting` are the digests of those that must be activated to be used.
    """
    of_name: dict[str, list[AnyBundle]] = {name: [] for name in activated}
    for bundle in installed:
        of_name.setdefault(bundle.manifest.name, []).append(bundle)
    chosen, missing = [], []
    for name, versions in sorted(of_name.items()):
        row = activated.get(name)
        fitting = [one for one in versions if (one.digest == row.digest if row else one.digest not in waiting)]
        if fitting:
            chosen.append(max(fitting, key=lambda one: version_key(one.manifest.version)))
        elif row is not None:
            fault = f"version {row.version} is activated, but not installed as it was then"
            remedy = "install it again, or activate another: pacs-agent model activate NAME"
            missing.append(BundleRefused(name, fault, remedy))
    return chosen, missing


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Orders versions: numbers as numbers, so that 0.10 comes after 0.9."""
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in re.findall(r"\d+|[a-z]+", version))


def uses_stamp(session: Session, settings: Settings) -> str:
    """Changes with each activation and recall, and when a bundle is installed: what was found holds until then."""
    newest = session.scalar(select(ModelActivation.id).order_by(ModelActivation.id.desc()).limit(1))
    return f"{newest} {recalls_changed(session)} {installed_stamp(settings.inference)}"


def activated_digests(session: Session) -> frozenset[str]:
    """The digests of the bundles that are activated, one for each model's name."""
    return frozenset(row.digest for row in _activated(session).values())


def activate(folder: Path, settings: Settings, database: Database, *, actor: str) -> AnyBundle:
    """Puts an installed bundle in use from each worker's next study on, with an audit line either way.

    Raises BundleRefused, with what failed, when its verification fails; nothing changes then.
    """
    try:
        bundle = load_any(folder, settings.inference.trusted_keys)
        _refuse_shared_name(bundle, installed_bundles(settings.inference).all)
        ensure_usable(bundle, settings, database)
    except BundleRefused as refusal:
        note_refusals(database, [refusal], actor)
        raise
    default = _read_until_now(bundle.manifest.name, settings, database)
    with database.writing() as session:
        if default is not None and default.digest != bundle.digest:
            session.add(_activation(default, "by default"))
            session.flush()
        _activate(session, bundle, actor, "model.activated")
    return bundle


def _refuse_shared_name(bundle: AnyBundle, installed: Iterable[AnyBundle]) -> None:
    """A name stands for one version in use: a segmenter must not take the place of a model that reads."""
    if any(one.manifest.name == bundle.manifest.name and type(one) is not type(bundle) for one in installed):
        fault = "has the name of an installed model of another task"
        raise BundleRefused(bundle.folder.name, fault, "export it under a name of its own")


def _read_until_now(name: str, settings: Settings, database: Database) -> AnyBundle | None:
    """The version that reads because none of its name was ever activated: people can roll back to it, too."""
    with database.reading() as session:
        if name in _activated(session):
            return None
        chosen = chosen_bundles(session, installed_bundles(settings.inference).all)
    return next((one for one in chosen if one.manifest.name == name), None)


def _activation(bundle: AnyBundle, by: str) -> ModelActivation:
    manifest = bundle.manifest
    return ModelActivation(name=manifest.name, version=manifest.version, digest=bundle.digest, activated_by=by)


def roll_back(name: str, settings: Settings, database: Database, *, actor: str) -> AnyBundle:
    """Puts the version in use that was in use before the present one.

    Raises NothingToRollBack, and BundleRefused when that version is not installed or fails its verification.
    """
    with database.reading() as session:
        earlier = _earlier(session, name)
    if earlier is None:
        raise NothingToRollBack(name)
    chosen, missing = choose(installed_bundles(settings.inference).all, {name: earlier})
    if missing:
        raise missing[0]
    bundle = next(one for one in chosen if one.digest == earlier.digest)
    ensure_usable(bundle, settings, database)
    with database.writing() as session:
        _activate(session, bundle, actor, "model.rolled_back")
    return bundle


def ensure_usable(bundle: AnyBundle, settings: Settings, database: Database) -> None:
    """Raises BundleRefused when a bundle is recalled, or fails its verification here."""
    with database.reading() as session:
        _refuse_recalled(bundle, recall_of(session, bundle.manifest.name, bundle.manifest.version))
    ensure_verified(bundle, settings.inference, settings.data_dir / MEMORY)


def _refuse_recalled(bundle: AnyBundle, recall: ModelRecall | None) -> None:
    if recall is not None:
        fault = f"version {bundle.manifest.version} is recalled: {recall.reason}"
        raise BundleRefused(bundle.manifest.name, fault, "activate another version, or lift the recall")


def _activated(session: Session) -> dict[str, ModelActivation]:
    rows = session.scalars(select(ModelActivation).order_by(ModelActivation.id))
    return {row.name: row for row in rows}


def _earlier(session: Session, name: str) -> ModelActivation | None:
    """The last activation of another version than the present one."""
    query = select(ModelActivation).where(ModelActivation.name == name).order_by(ModelActivation.id.desc())
    rows = list(session.scalars(query))
    return next((row for row in rows if row.digest != rows[0].digest), None)


def _activate(session: Session, bundle: AnyBundle, actor: str, action: str) -> None:
    manifest = bundle.manifest
    before = _activated(session).get(manifest.name)
    session.add(_activation(bundle, actor))
    audit(
        session,
        actor=actor,
        action=action,
        outcome=Outcome.SUCCESS,
        subject=f"{manifest.name} {manifest.version}",
        digest=bundle.digest,
        signed_by=bundle.signer.name,
        before=before.version if before else None,
    )


def note_refusals(database: Database, refused: Iterable[BundleRefused], actor: str = "agent") -> None:
    """An audit line for each bundle that was refused."""
    with database.writing() as session:
        for refusal in refused:
            audit(
                session,
                actor=actor,
                action="model.refused",
                outcome=Outcome.SERIOUS_FAILURE,
                subject=refusal.file,
                fault=refusal.fault,
                remedy=refusal.remedy,
            )
