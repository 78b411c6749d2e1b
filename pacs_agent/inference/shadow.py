"""A bundle that reads in the shadow of the one in use: what it says is kept and compared, never delivered or shown."""

from pathlib import Path
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from pacs_agent.config import Settings
from pacs_agent.db import Database, ModelShadow, utc_now
from pacs_agent.inference.activation import bundles_in_use, ensure_usable
from pacs_agent.inference.bundle import AnyBundle, Bundle, SegmenterBundle, StagingBundle, load_any
from pacs_agent.inference.refusal import BundleRefused
from pacs_agent.ops import Outcome, audit


class ShadowRefused(ValueError):
    """A bundle that cannot read in the shadow, or a shadow that is not there: why, and what to do."""


def start_shadow(folder: Path, settings: Settings, database: Database, *, actor: str) -> Bundle:
    """Lets an installed bundle read every study after the one in use, with an audit line.

    Raises BundleRefused when its verification fails, ShadowRefused when it reads already, and for a bundle that
    segments or reads several series: a shadow is compared finding by finding, in the series that both read.
    """
    bundle = load_any(folder, settings.inference.trusted_keys)
    if isinstance(bundle, SegmenterBundle):
        raise ShadowRefused(
            f"{name_of(bundle)} segments; a shadow is compared finding by finding, so it must be a model that reads. "
            "Activate this one to use it, and roll back to end that"
        )
    if isinstance(bundle, StagingBundle):
        raise ShadowRefused(
            f"{name_of(bundle)} reads all series of a study together; a shadow reads the one series that the model in "
            "use reads. Activate this one to use it, and roll back to end that"
        )
    ensure_usable(bundle, settings, database)
    if any(one.digest == bundle.digest for one in bundles_in_use(settings, database).bundles):
        raise ShadowRefused(f"{name_of(bundle)} is in use; a shadow is another bundle, to compare it with")
    with database.writing() as session:
        if running := running_shadow(session):
            what = f"{running.name} {running.version}"
            raise ShadowRefused(f"{what} reads in the shadow already; end that first, one at a time does")
        manifest = bundle.manifest
        row = ModelShadow(name=manifest.name, version=manifest.version, digest=bundle.digest, started_by=actor[:128])
        session.add(row)
        _audit(session, row, actor, "model.shadow_started")
    return bundle


def end_shadow(database: Database, *, actor: str) -> ModelShadow:
    """Ends the shadow, with an audit line; what it said stays. Raises ShadowRefused when there is none."""
    with database.writing() as session:
        row: ModelShadow | None = session.scalar(_running().with_for_update())
        if row is None:
            raise ShadowRefused("no model reads in the shadow")
        row.ended_at, row.ended_by = utc_now(), actor[:128]
        _audit(session, row, actor, "model.shadow_ended")
        return row


def running_shadow(session: Session) -> ModelShadow | None:
    """The shadow of now, or None."""
    found: ModelShadow | None = session.scalar(_running())
    return found


def newest_shadow(session: Session) -> ModelShadow | None:
    """The shadow of now, or else the last there was; None when there never was one."""
    return session.scalars(select(ModelShadow).order_by(ModelShadow.id.desc()).limit(1)).first()


def shadow_bundle(digest: str, settings: Settings, database: Database, known: tuple[Bundle, ...]) -> Bundle:
    """The bundle of a shadow among those installed, verified. Raises BundleRefused."""
    bundle = next((one for one in known if one.digest == digest), None)
    if bundle is None:
        raise BundleRefused(digest[:12], "is not installed any more", "install it again, or end the shadow")
    ensure_usable(bundle, settings, database)
    return bundle


def name_of(bundle: AnyBundle) -> str:
    """Name and version, as jobs call a bundle."""
    return f"{bundle.manifest.name} {bundle.manifest.version}"


def verb_of(bundle: AnyBundle) -> str:
    """What a bundle does with studies, for sentences about it."""
    return "segments" if isinstance(bundle, SegmenterBundle) else "reads"


def _running() -> Select[Any]:
    return select(ModelShadow).where(ModelShadow.ended_at.is_(None)).order_by(ModelShadow.id.desc()).limit(1)


def _audit(session: Session, row: ModelShadow, actor: str, action: str) -> None:
    subject = f"{row.name} {row.version}"
    audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, subject=subject, digest=row.digest)
