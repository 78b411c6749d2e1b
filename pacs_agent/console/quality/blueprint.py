"""The view of quality."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.access import Role
from pacs_agent.console.frame import Room
from pacs_agent.console.models import Shelf
from pacs_agent.console.quality.models import Handled, QualityAsked, QualityPage
from pacs_agent.db import Database, utc_now
from pacs_agent.inference import Bundle, Share, drift_of, name_of, versions_read, week_of
from pacs_agent.results import Action
from pacs_agent.review import WeekRate, rates_by_week

SAID = (Action.ACCEPTED, Action.EDITED, Action.REJECTED)
"""What can become of that which the model has said."""


def quality_blueprint(settings: Settings, database: Database, _archive: Archive) -> Blueprint:
    """`/console/quality`."""
    room, shelf = Room("quality", __name__), Shelf(settings.inference)
    room.add_app_template_filter(plain)

    @room.page(
        "/quality",
        needs_role=(Role.VIEWER, Role.OPERATOR),
        template="quality.html",
        answer=QualityPage,
        asked=QualityAsked,
        summary="What reviewers made of findings, and whether scores and images drift",
    )
    def quality(asked: QualityAsked) -> QualityPage:
        installed = {name_of(one): one for one in shelf.all().values() if isinstance(one, Bundle)}
        with database.reading() as session:
            return quality_page(session, asked, installed, utc_now())

    return room


def quality_page(session: Session, asked: QualityAsked, installed: Mapping[str, Bundle], now: datetime) -> QualityPage:
    """Reviews and drift over the weeks up to now. `installed` by name and version."""
    weeks = mondays(asked.weeks, now)
    read = versions_read(session, weeks)
    rates = rates_by_week(session, [datetime.fromisoformat(week).replace(tzinfo=UTC) for week in weeks])
    reviewed = {f"{rate.model_name} {rate.model_version}" for rate in rates}
    drift = tuple(
        drift_of(session, name, version, weeks, installed.get(f"{name} {version}"))
        for name, version in read
        if asked.model in ("", f"{name} {version}")
    )
    names = {finding.key: finding.name for one in drift for finding in one.findings}
    return QualityPage(
        weeks=tuple(weeks),
        models=tuple(sorted({f"{name} {version}" for name, version in read} | reviewed)),
        handled=tuple(_handled(rates, names, len(weeks), asked.model)),
        drift=drift,
    )


def plain(value: Any) -> str:
    """A value with models in it as JSON, for an attribute that a script reads."""
    return TypeAdapter(Any).dump_json(value).decode()


def mondays(count: int, now: datetime) -> list[str]:
    """The Mondays of the last weeks, oldest first, the present week's last."""
    return [week_of(now - timedelta(weeks=back)) for back in reversed(range(count))]


def _handled(rates: Sequence[WeekRate], names: Mapping[str, str], weeks: int, model: str) -> Iterable[Handled]:
    counts: dict[tuple[str, str], dict[tuple[int, str], int]] = defaultdict(dict)
    for rate in rates:
        key = (f"{rate.model_name} {rate.model_version}", rate.finding)
        counts[key][(rate.week, rate.action)] = rate.count
    for (of_model, finding), found in sorted(counts.items()):
        if model not in ("", of_model):
            continue
        by_week = [tuple(found.get((week, action), 0) for action in (*SAID, Action.ADDED)) for week in range(weeks)]
        accepted, edited, rejected, added = (sum(week[index] for week in by_week) for index in range(4))
        said = accepted + edited + rejected
        yield Handled(
            model=of_model,
            finding=finding,
            name=names.get(finding, finding),
            accepted=Share.counted(accepted, said),
            edited=Share.counted(edited, said),
            rejected=Share.counted(rejected, said),
            added=added,
            weeks=tuple((week[0], week[1], week[2], week[3]) for week in by_week),
        )
