"""The pages of the overview, and their JSON."""

from datetime import timedelta

from flask import Blueprint, make_response, redirect, render_template
from werkzeug.wrappers import Response

from pacs_agent import __version__
from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role, current_person, needs
from pacs_agent.console.frame import Room
from pacs_agent.console.frame.navigation import entries_for
from pacs_agent.console.overview.machine import machine_here
from pacs_agent.console.overview.models import Associations, Hours, Last24Hours, Overview
from pacs_agent.console.overview.troubles import examined
from pacs_agent.console.remembered import Remembered
from pacs_agent.db import Database, utc_now
from pacs_agent.ops.figures import (
    HourOfWork,
    HoursOfWork,
    QueueNow,
    TimeToReport,
    WorkerNow,
    queue_now,
    storage_now,
    summary,
    times_to_report,
    workers_now,
)
from pacs_agent.ops.open_count import ASSOCIATIONS, told_count

SHOWN_H = 24
SEEN_BY = (Role.VIEWER, Role.OPERATOR)


class Watchman:
    """Looks after the figures; each is asked for anew only after some seconds."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._hours_of_work = HoursOfWork()
        self.examined = Remembered(lambda: examined(settings, database), 3)
        self.hours = Remembered(self._hours, 10)
        self._queue = Remembered(self._queue_now, 1)
        self._time_to_report = Remembered(self._times, 10)
        self._storage = Remembered(lambda: storage_now(database, settings.data_dir), 15)
        self._machine = Remembered(lambda: machine_here(settings.inference), 15)

    def overview(self) -> Overview:
        """All that the page says."""
        troubles, well = self.examined()
        hours = self.hours()
        return Overview(
            at=utc_now(),
            version=__version__,
            troubles=troubles,
            well=well,
            queue=self._queue(),
            time_to_report=self._time_to_report(),
            last_24_hours=_sums(hours),
            storage=self._storage(),
            workers=self._workers(),
            machine=self._machine(),
            associations=Associations(
                open=told_count(self._settings.data_dir / ASSOCIATIONS),
                most=self._settings.dimse.max_associations,
            ),
            hours=hours,
        )

    def _hours(self) -> list[HourOfWork]:
        with self._database.reading() as session:
            return self._hours_of_work.last(session, SHOWN_H)

    def _queue_now(self) -> QueueNow:
        with self._database.reading() as session:
            return queue_now(session)

    def _times(self) -> TimeToReport:
        with self._database.reading() as session:
            return summary(times_to_report(session, utc_now() - timedelta(hours=SHOWN_H)))

    def _workers(self) -> list[WorkerNow]:
        with self._database.reading() as session:
            return workers_now(session, self._settings.work.takeover_s)


def overview_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console`, and the hours that its charts show."""
    room, watchman = Room("overview", __name__), Watchman(settings, database)

    @room.get("/console")
    @needs(*Role)
    def home() -> Response:
        """The first page that the person may see: an auditor's is another than the overview."""
        person = current_person()
        if not person.may(*SEEN_BY):
            return redirect(entries_for(person)[0].path, 303)
        return make_response(render_template("overview.html", page=watchman.overview(), person=person))

    @room.page(
        "/overview",
        needs_role=SEEN_BY,
        template="overview.html",
        answer=Overview,
        summary="Whether anything is wrong, with what to do, and what the agent is doing",
    )
    def overview() -> Overview:
        return watchman.overview()

    @room.page(
        "/overview/hours",
        needs_role=SEEN_BY,
        template="overview-hours.html",
        answer=Hours,
        summary="Studies, images and times to a report of the last 24 hours, hour by hour",
    )
    def hours() -> Hours:
        return Hours(hours=watchman.hours())

    return room


def _sums(hours: list[HourOfWork]) -> Last24Hours:
    return Last24Hours(
        studies=sum(one.studies for one in hours),
        images=sum(one.images for one in hours),
        reported=sum(one.reported for one in hours),
        failed=sum(one.failed for one in hours),
    )
