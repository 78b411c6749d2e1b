"""What the page of the settings shows, collected."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from pacs_agent.archive import plan_retention
from pacs_agent.config import Settings
from pacs_agent.console.settings.models import (
    Disk,
    LastRetention,
    RetentionTried,
    SecretState,
    SettingShown,
    SettingsPage,
    StudyLeaving,
    Told,
)
from pacs_agent.db import Database, Notice, RuntimeSecret, Upkeep, utc_now
from pacs_agent.ops.effective import effective_settings, versions
from pacs_agent.ops.runtime import EVENTS, SECRETS, Notifications, Retention, Watermark, runtime_settings
from pacs_agent.ops.watermark import disk_state

TOLD_SHOWN = 10
LEAVING_SHOWN = 200


def settings_page(settings: Settings, database: Database, provider: str) -> SettingsPage:
    """All settings as they are in force."""
    with database.reading() as session:
        watermark = runtime_settings(session, Watermark)
        return SettingsPage(
            settings=[SettingShown(**vars(one)) for one in effective_settings(settings)],
            retention=runtime_settings(session, Retention),
            watermark=watermark,
            notifications=runtime_settings(session, Notifications),
            secrets=_secrets(session),
            events=list(EVENTS),
            disk=_disk(settings, watermark),
            last_retention=_last_retention(session),
            told=[_told(row) for row in session.scalars(select(Notice).order_by(Notice.id.desc()).limit(TOLD_SHOWN))],
            versions=versions(),
            provider=provider,
        )


def retention_tried(database: Database) -> RetentionTried:
    """What the rules in force would remove now."""
    with database.reading() as session:
        rules = runtime_settings(session, Retention)
        plan = plan_retention(session, rules, utc_now())
    return RetentionTried(
        rules=rules,
        studies=len(plan.leaving),
        freed_bytes=plan.freed_bytes,
        archive_bytes=plan.archive_bytes,
        leaving=[
            StudyLeaving(
                study_instance_uid=one.study_instance_uid,
                what="images" if one.keep_results else "all",
                rule=one.rule,
                freed_bytes=one.freed_bytes,
                last_received_at=one.last_received_at,
            )
            for one in plan.leaving[:LEAVING_SHOWN]
        ],
    )


def _secrets(session: Session) -> list[SecretState]:
    kept = set(session.scalars(select(RuntimeSecret.name)))
    return [SecretState(name=name, description=words, is_set=name in kept) for name, words in SECRETS.items()]


def _disk(settings: Settings, watermark: Watermark) -> Disk | None:
    try:
        state = disk_state(settings.data_dir, watermark)
    except OSError:
        return None
    return Disk(
        free_bytes=state.free_bytes,
        total_bytes=state.total_bytes,
        state="full" if state.refuses else "warning" if state.warns else "good",
    )


def _last_retention(session: Session) -> LastRetention:
    row = session.get(Upkeep, "retention")
    return LastRetention(at=row.begun_at, **row.state) if row else LastRetention()


def _told(row: Notice) -> Told:
    return Told(
        at=row.created_at,
        event=row.event,
        subject=str(row.content["subject"]),
        state=str(row.content["state"]),
        way=row.way,
        attempts=row.attempts,
        over_at=row.over_at,
        answer=row.answer,
    )
