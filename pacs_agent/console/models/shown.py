"""Bundles, shadows and recalls as the pages show them."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent import inference, pipeline
from pacs_agent.console.models.card import card_of, pictures
from pacs_agent.console.models.models import (
    Activated,
    BundlePage,
    BundleShown,
    CheckDone,
    CheckNow,
    ModelsPage,
    RecallNow,
    ShadowShown,
    StructureShown,
)
from pacs_agent.console.models.shelf import Shelf
from pacs_agent.db import Job, ModelActivation, ModelCheck, ModelRecall, ModelShadow, ModelUpload
from pacs_agent.inference import AnyBundle, Bundle, BundleRefused, Checks, SegmenterBundle

SHADOWS_SHOWN = 20
ACTIVATIONS_SHOWN = 20
COUNTED = 1000


def models_page(session: Session, shelf: Shelf, checks: Checks) -> ModelsPage:
    """All that is installed, and what was decided about it."""
    known = shelf.all()
    uses = _uses(session, known)
    bundles = tuple(_bundle(session, folder, one, uses, checks) for folder, one in known.items())
    newest = select(ModelShadow).order_by(ModelShadow.id.desc()).limit(SHADOWS_SHOWN)
    return ModelsPage(
        bundles=bundles,
        folder=str(shelf.settings.bundles_dir),
        shadows=tuple(shadow_shown(row) for row in session.scalars(newest)),
        recalls=tuple(recall_shown(row) for row in inference.recalls(session).values()),
    )


def bundle_page(session: Session, shelf: Shelf, checks: Checks, folder: str) -> BundlePage:
    """One bundle with all that is known of it. Raises NotFound."""
    bundle = shelf.bundle(folder)
    manifest, uses = bundle.manifest, _uses(session, shelf.all())
    rows = select(ModelActivation).where(ModelActivation.name == manifest.name).order_by(ModelActivation.id.desc())
    return BundlePage(
        bundle=_bundle(session, folder, bundle, uses, checks),
        digest=bundle.digest,
        key_id=bundle.signer.key_id,
        intended_use=manifest.intended_use,
        training_data=manifest.training_data,
        manufacturer=manifest.manufacturer,
        accepts=_accepts(bundle),
        structures=_structures(bundle),
        evaluation=inference.evaluation_of(bundle) if isinstance(bundle, Bundle) else None,
        card=card_of(bundle),
        pictures=tuple(sorted(pictures(bundle))),
        activations=tuple(
            Activated(version=row.version, activated_at=row.activated_at, activated_by=row.activated_by)
            for row in session.scalars(rows.limit(ACTIVATIONS_SHOWN))
        ),
        results=_count_results(session, inference.name_of(bundle)),
    )


def check_now(row: ModelCheck) -> CheckNow:
    """A verification and how far it is."""
    checks = tuple(CheckDone.model_validate(one) for one in row.found.get("checks", ()))
    return CheckNow(
        state=row.state,
        started_at=row.started_at,
        started_by=row.started_by,
        finished_at=row.finished_at,
        expected=row.found.get("expected", 1),
        checks=checks,
    )


def recall_shown(row: ModelRecall) -> RecallNow:
    """A recall."""
    return RecallNow.model_validate(row, from_attributes=True)


def shadow_shown(row: ModelShadow) -> ShadowShown:
    """A shadow."""
    return ShadowShown(
        id=row.id,
        model=f"{row.name} {row.version}",
        started_at=row.started_at,
        started_by=row.started_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )


def _uses(session: Session, known: Mapping[str, AnyBundle | BundleRefused]) -> dict[str, tuple[str, str]]:
    """What each bundle is for, by its digest, and why where it is recalled. Nothing is verified for it."""
    bundles = [one for one in known.values() if not isinstance(one, BundleRefused)]
    chosen = inference.chosen_bundles(session, bundles)
    shadow, recalled = inference.running_shadow(session), inference.recalls(session)
    waiting = set(session.scalars(select(ModelUpload.digest)))
    uses: dict[str, tuple[str, str]] = {}
    for bundle in bundles:
        recall = recalled.get((bundle.manifest.name, bundle.manifest.version))
        if recall is not None:
            uses[bundle.digest] = ("recalled", recall.reason)
        elif bundle in chosen:
            uses[bundle.digest] = ("in use", "")
        elif shadow is not None and shadow.digest == bundle.digest:
            uses[bundle.digest] = ("in shadow", "")
        else:
            uses[bundle.digest] = ("installed", "not activated yet" if bundle.digest in waiting else "")
    return uses


def _bundle(
    session: Session, folder: str, one: AnyBundle | BundleRefused, uses: Mapping[str, tuple[str, str]], checks: Checks
) -> BundleShown:
    row = checks.newest(session, folder)
    check = check_now(row) if row else None
    if isinstance(one, BundleRefused):
        return BundleShown(
            folder=folder,
            name=folder,
            version="",
            use="refused",
            why=str(one),
            signed_by="",
            demo=False,
            task="",
            findings=0,
            structures=0,
            check=check,
        )
    use, why = uses[one.digest]
    return BundleShown(
        folder=folder,
        name=one.manifest.name,
        version=one.manifest.version,
        use=use,
        why=why,
        signed_by=one.signer.name,
        demo=one.manifest.demo,
        task=one.manifest.task,
        findings=0 if isinstance(one, SegmenterBundle) else len(one.labels),
        structures=len(one.manifest.structures) if isinstance(one, SegmenterBundle) else 0,
        check=check,
    )


def _structures(bundle: AnyBundle) -> tuple[StructureShown, ...]:
    if not isinstance(bundle, SegmenterBundle):
        return ()
    shown = bundle.manifest.structures
    return tuple(StructureShown.model_validate(one, from_attributes=True) for one in shown)


def _accepts(bundle: AnyBundle) -> dict[str, str]:
    accepts = bundle.accepts
    return {
        "Modality": ", ".join(accepts.modalities),
        "Body part": ", ".join(accepts.body_parts),
        "Plane": ", ".join(accepts.planes),
        "Slices": f"{accepts.min_slices} to {accepts.max_slices}",
        "Slice distance": f"{accepts.min_thickness_mm:g} to {accepts.max_thickness_mm:g} mm",
        "Coverage": f"at least {accepts.min_coverage_mm:g} mm",
    }


def _count_results(session: Session, bundle: str) -> int:
    """No more are counted than matters to a person."""
    found = session.scalars(pipeline.results_of(session, bundle).with_only_columns(Job.id).limit(COUNTED))
    return len(found.all())
