"""The views of the models, and what people do to them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from sqlalchemy import select
from sqlalchemy.orm import defer, joinedload
from werkzeug.exceptions import NotFound

from pacs_agent import inference, pipeline
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, needs
from pacs_agent.console.frame import Done, Operation, Problem, Refusal, Room, acting, page_of
from pacs_agent.console.models.card import pictures, rendered
from pacs_agent.console.models.models import (
    BundlePage,
    ModelsPage,
    OfModel,
    OfVersion,
    ResultList,
    ResultsAsked,
    ResultShown,
    ShadowPage,
    ToRecall,
)
from pacs_agent.console.models.shelf import Shelf
from pacs_agent.console.models.shown import bundle_page, models_page, recall_shown, shadow_shown
from pacs_agent.db import Database, Job, ModelShadow

SEES = (Role.VIEWER, Role.OPERATOR)
UPLOAD = "bundle"
LARGEST_ID = 2**31 - 1
_KEPT = "private, max-age=3600"


def models_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/models` and what is posted there."""
    room = Room("models", __name__)
    room.add_app_template_filter(rendered, "card")
    shelf, checks = Shelf(settings.inference), inference.Checks(settings, database)
    _add_pages(room, database, shelf, checks)
    _add_pictures(room, shelf)
    _add_results(room, database)
    _add_installing(room, settings, database)
    _add_checks(room, settings, shelf, checks)
    _add_activation(room, settings, database, shelf)
    _add_shadow(room, settings, database, shelf)
    _add_recalls(room, settings, database)
    return room


def _add_pages(room: Room, database: Database, shelf: Shelf, checks: inference.Checks) -> None:
    @room.page("/models", needs_role=SEES, template="models.html", answer=ModelsPage, summary="All models")
    def models() -> ModelsPage:
        with database.reading() as session:
            return models_page(session, shelf, checks)

    @room.page(
        "/models/<bundle>",
        needs_role=SEES,
        template="models-bundle.html",
        answer=BundlePage,
        summary="One bundle: its card, figures, checks and uses",
    )
    def model(bundle: str) -> BundlePage:
        with database.reading() as session:
            return bundle_page(session, shelf, checks, bundle)


def _add_pictures(room: Room, shelf: Shelf) -> None:
    def picture(bundle: str, file: str) -> Response:
        """A picture that the bundle's manifest names, and no other file."""
        found = shelf.bundle(bundle)
        document = next((one for one in found.manifest.documents if one.file == file), None)
        if document is None or file not in pictures(found):
            raise NotFound("the bundle has no such picture")
        response = Response(found.read(document), content_type="image/png")
        response.headers["Cache-Control"] = _KEPT
        return response

    guarded: Callable[..., Any] = needs(*SEES)(picture)
    room.add_url_rule("/console/models/<bundle>/files/<path:file>", "picture_page", guarded)
    room.add_url_rule("/api/v1/models/<bundle>/files/<path:file>", "picture_api", guarded)
    answers: dict[int, Any] = {200: "image/png", 401: Problem, 403: Problem, 404: Problem}
    room.describe(Operation("get", "/api/v1/models/{bundle}/files/{file}", "A picture of a bundle's card", answers))


def _add_results(room: Room, database: Database) -> None:
    @room.page(
        "/models/results",
        needs_role=SEES,
        template="models-results.html",
        answer=ResultList,
        asked=ResultsAsked,
        summary="The results that a version of a model made, or measured for",
    )
    def results(asked: ResultsAsked) -> ResultList:
        small = (defer(Job.reading), defer(Job.series_choice), joinedload(Job.study))
        with database.reading() as session:
            query = pipeline.results_of(session, f"{asked.name} {asked.version}").options(*small)
            page = page_of(session, query, asked, by=Job.created_at, key=Job.id, row=lambda job: _result(job))
            later = select(Job.supersedes_id).where(Job.supersedes_id.in_([row.job_id for row in page.rows]))
            superseded = set(session.scalars(later))
            recall = inference.recall_of(session, asked.name, asked.version)
        for row in page.rows:
            row.read_again = row.job_id in superseded
        shown = recall_shown(recall) if recall else None
        return ResultList(**dict(page), name=asked.name, version=asked.version, recall=shown)

    @room.page(
        "/models/shadows/<int:shadow>",
        needs_role=SEES,
        template="models-shadow.html",
        answer=ShadowPage,
        summary="How a model in shadow compares with the one in use",
    )
    def shadow_comparison(shadow: int) -> ShadowPage:
        with database.reading() as session:
            row = session.get(ModelShadow, shadow) if shadow <= LARGEST_ID else None
            if row is None:
                raise NotFound("there is no such shadow; the page of the models lists them")
            return ShadowPage(shadow=shadow_shown(row), comparison=inference.compare(session, row))


def _result(job: Job) -> ResultShown:
    return ResultShown(
        job_id=job.id,
        study_instance_uid=job.study.study_instance_uid,
        created_at=job.created_at,
        read_again=False,
    )


def _add_installing(room: Room, settings: Settings, database: Database) -> None:
    @room.act("/models/upload", needs_role=Role.OPERATOR, summary="Install a bundle: ZIP, tar or tar.gz", upload=UPLOAD)
    def upload_model() -> Done:
        file = request.files.get(UPLOAD)
        if file is None or not file.filename:
            raise Refusal("choose the file of a bundle: ZIP, tar or tar.gz")
        try:
            bundle = inference.install(file.stream, settings, database, actor=acting())
        except inference.BundleRefused as refusal:
            raise Refusal(f"not installed. {refusal}") from refusal
        words = f"{inference.name_of(bundle)} is installed. It reads nothing until it is activated."
        return Done(message=words, location=f"/console/models/{bundle.folder.name}")


def _add_checks(room: Room, settings: Settings, shelf: Shelf, checks: inference.Checks) -> None:
    @room.act("/models/<bundle>/check", needs_role=Role.OPERATOR, summary="Begin to verify a bundle")
    def check_model(bundle: str) -> Done:
        if bundle not in shelf.all():
            raise NotFound("there is no such bundle; the page of the models lists those installed")
        try:
            checks.start(settings.inference.bundles_dir / bundle, actor=acting())
        except inference.CheckRuns as error:
            raise Refusal(str(error), 409) from error
        return Done(message="The bundle is being checked.", location=f"/console/models/{bundle}")


def _add_activation(room: Room, settings: Settings, database: Database, shelf: Shelf) -> None:
    @room.act("/models/<bundle>/activate", needs_role=Role.OPERATOR, summary="Verify a bundle and let it read studies")
    def activate_model(bundle: str) -> Done:
        folder = shelf.bundle(bundle).folder
        try:
            found = inference.activate(folder, settings, database, actor=acting())
        except inference.BundleRefused as refusal:
            raise Refusal(f"not activated. {refusal}") from refusal
        return Done(
            message=f"{inference.name_of(found)} {inference.verb_of(found)} from the next study on.",
            location="/console/models",
        )

    @room.act(
        "/models/roll-back",
        needs_role=Role.OPERATOR,
        summary="Let the version read that was activated before",
        body=OfModel,
    )
    def roll_back_model(body: OfModel) -> Done:
        try:
            found = inference.roll_back(body.name, settings, database, actor=acting())
        except (inference.BundleRefused, inference.NothingToRollBack) as error:
            raise Refusal(f"not rolled back. {error}", 409) from error
        return Done(
            message=f"{inference.name_of(found)} {inference.verb_of(found)} from the next study on.",
            location="/console/models",
        )


def _add_shadow(room: Room, settings: Settings, database: Database, shelf: Shelf) -> None:
    @room.act("/models/<bundle>/shadow", needs_role=Role.OPERATOR, summary="Let a bundle read in the shadow")
    def shadow_model(bundle: str) -> Done:
        try:
            found = inference.start_shadow(shelf.bundle(bundle).folder, settings, database, actor=acting())
        except (inference.BundleRefused, inference.ShadowRefused) as error:
            raise Refusal(f"no shadow. {error}", 409) from error
        words = f"{inference.name_of(found)} reads every study after the model in use; nobody is told what it says."
        return Done(message=words, location="/console/models")

    @room.act("/models/end-shadow", needs_role=Role.OPERATOR, summary="End the shadow; what it said stays")
    def end_shadow() -> Done:
        try:
            row = inference.end_shadow(database, actor=acting())
        except inference.ShadowRefused as error:
            raise Refusal(str(error), 409) from error
        return Done(message="The shadow has ended.", location=f"/console/models/shadows/{row.id}")


def _add_recalls(room: Room, settings: Settings, database: Database) -> None:
    @room.act(
        "/models/recall",
        needs_role=Role.OPERATOR,
        summary="Mark all results of a version as not to be relied on",
        body=ToRecall,
    )
    def recall_model(body: ToRecall) -> Done:
        try:
            with database.writing() as session:
                inference.recall(session, body.name, body.version, reason=body.reason, actor=acting())
        except inference.RecallRefused as error:
            raise Refusal(str(error), 409) from error
        return Done(message=f"{body.name} {body.version} is recalled.", location=_results_path(body))

    @room.act("/models/lift-recall", needs_role=Role.OPERATOR, summary="End a recall", body=OfVersion)
    def lift_recall(body: OfVersion) -> Done:
        try:
            with database.writing() as session:
                inference.lift_recall(session, body.name, body.version, actor=acting())
        except inference.RecallRefused as error:
            raise Refusal(str(error), 409) from error
        return Done(message=f"The recall of {body.name} {body.version} is lifted.", location="/console/models")

    @room.act(
        "/models/read-again",
        needs_role=Role.OPERATOR,
        summary="Read studies again whose newest result is of a version, by the model in use",
        body=OfVersion,
    )
    def read_again(body: OfVersion) -> Done:
        if not inference.bundles_in_use(settings, database).bundles:
            raise Refusal("no model is in use that could read them; activate one first", 409)
        queued, left = pipeline.read_again(database, f"{body.name} {body.version}", actor=acting())
        if not queued:
            raise Refusal("no study is left whose newest result is of this version and whose images are kept", 409)
        more = f"; {left} are left: press again when these are done" if left else ""
        return Done(message=f"{queued} studies are queued to be read again{more}.", location=_results_path(body))


def _results_path(of: OfVersion) -> str:
    return f"/console/models/results?{urlencode({'name': of.name, 'version': of.version})}"
