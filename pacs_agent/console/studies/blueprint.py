"""The views of the studies, and what is done to one."""

from flask import Blueprint
from werkzeug.exceptions import NotFound

from pacs_agent import assemble
from pacs_agent.archive import Archive, NotArchived, StudyInUse, remove_study
from pacs_agent.config import Settings
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Done, Refusal, Room, acting
from pacs_agent.console.studies.listed import studies_page
from pacs_agent.console.studies.models import DeleteStudy, StudiesAsked, StudyList, StudyPage, StudyStacks
from pacs_agent.console.studies.one import study_page
from pacs_agent.console.studies.stacks import Stacks, images_of
from pacs_agent.console.study_views import StudyViews
from pacs_agent.db import Database
from pacs_agent.route import WrongRules

SEES = (Role.VIEWER, Role.OPERATOR)
UNKNOWN = "no image of this study was ever received, or it was deleted; search it by name or date in the list"


def studies_blueprint(settings: Settings, database: Database, archive: Archive) -> Blueprint:
    """`/console/studies` and what is below it. Who looked at which study is audited."""
    room, views = Room("studies", __name__), StudyViews(database, source="console")
    _add_pages(room, settings, database, views)
    _add_stacks(room, database, Stacks(database, archive), views)
    _add_acts(room, database, archive)
    return room


def _add_pages(room: Room, settings: Settings, database: Database, views: StudyViews) -> None:
    @room.page(
        "/studies",
        needs_role=SEES,
        template="studies-list.html",
        answer=StudyList,
        asked=StudiesAsked,
        summary="Studies by patient, accession number, date, modality and state, the one that grew last first",
    )
    def studies(asked: StudiesAsked) -> StudyList:
        with database.reading() as session:
            found = studies_page(session, asked)
        views.note(acting(), "")
        return found

    @room.page(
        "/studies/<study>",
        needs_role=SEES,
        template="studies-one.html",
        answer=StudyPage,
        summary="All that happened to a study: arrivals, decision, jobs with steps, objects, deliveries",
    )
    def study(study: str) -> StudyPage:
        with database.reading() as session:
            found = study_page(session, settings, study)
        if found is None:
            raise NotFound(UNKNOWN)
        views.note(acting(), study)
        return found


def _add_stacks(room: Room, database: Database, stacks: Stacks, views: StudyViews) -> None:
    @room.page(
        "/studies/<study>/stacks",
        needs_role=SEES,
        template="studies-stacks.html",
        answer=StudyStacks,
        summary="What the images of a study are: plane, weighting, b-value, contrast and phase of each stack, and why",
    )
    def study_stacks(study: str) -> StudyStacks:
        with database.reading() as session:
            images = images_of(session, study)
        if images is None:
            raise NotFound(UNKNOWN)
        views.note(acting(), study)
        return stacks.of(images)


def _add_acts(room: Room, database: Database, archive: Archive) -> None:
    @room.act(
        "/studies/<study>/force", needs_role=Role.OPERATOR, summary="Take a study as complete now, without quiet time"
    )
    def force(study: str) -> Done:
        try:
            completion = assemble.force(database, archive, study, actor=acting())
        except assemble.UnknownStudy as error:
            raise NotFound(UNKNOWN) from error
        except WrongRules as error:
            raise Refusal(f"the rules in force cannot be read: {error}; repair them on the page Rules", 409) from error
        return Done(message=f"The study is {completion.summary}")

    @room.act(
        "/studies/<study>/delete",
        needs_role=Role.OPERATOR,
        summary="Delete a study: images, results, jobs, reviews, slice tokens. Refused while a job of it is not over",
        body=DeleteStudy,
    )
    def delete(study: str, body: DeleteStudy) -> Done:
        try:
            removed = remove_study(archive, study, actor=acting(), even_undelivered=body.even_undelivered)
        except NotArchived as error:
            raise NotFound(UNKNOWN) from error
        except StudyInUse as error:
            raise Refusal(str(error), 409) from error
        return Done(
            message=f"The study is deleted: {removed.instances} instances, {removed.results} of them results.",
            location="/console/studies",
        )
