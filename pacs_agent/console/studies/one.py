"""A study with all that is known of it."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from pacs_agent.config import Settings
from pacs_agent.console.queue import jobs_of_study
from pacs_agent.console.readings import newest_measurements
from pacs_agent.console.studies.listed import study_rows
from pacs_agent.console.studies.models import SeriesShown, StudyPage
from pacs_agent.console.studies.timeline import arrivals_of, timeline_of
from pacs_agent.console.viewer.plugin import study_path
from pacs_agent.db import Instance, JobState, Origin, Series, Study

MOST_JOBS = 20
_UNFINISHED = (JobState.QUEUED, JobState.RUNNING, JobState.DELIVERING)


def study_page(session: Session, settings: Settings, study_instance_uid: str) -> StudyPage | None:
    """All that is known of a study; None when no instance of it was ever received."""
    query = select(Study).options(joinedload(Study.patient, innerjoin=True))
    study = session.scalar(query.where(Study.study_instance_uid == study_instance_uid))
    if study is None:
        return None
    jobs = jobs_of_study(session, study.id, MOST_JOBS + 1)
    shown, arrivals = jobs[:MOST_JOBS], arrivals_of(session, study)
    return StudyPage(
        study=study_rows(session, [study])[0],
        referring_physician=study.referring_physician,
        study_id=study.study_id,
        first_received_at=study.first_received_at,
        complete_at=study.complete_at,
        complete_by=study.complete_by,
        decision=study.decision or [],
        series=_series(session, study),
        arrivals=arrivals,
        timeline=timeline_of(session, study, arrivals, shown),
        jobs=shown,
        has_more_jobs=len(jobs) > MOST_JOBS,
        measurements=newest_measurements(session, study.id),
        viewer=study_path(settings.web, study_instance_uid),
        is_busy=any(one.job.state in _UNFINISHED for one in jobs),
    )


def _series(session: Session, study: Study) -> list[SeriesShown]:
    query = (
        select(Series, func.count(Instance.id), func.sum(Instance.size_bytes), func.min(Instance.origin))
        .join(Instance, Instance.series_pk == Series.id)
        .where(Series.study_pk == study.id)
        .group_by(Series.id)
        .order_by(Series.number, Series.id)
    )
    return [
        SeriesShown(
            series_instance_uid=series.series_instance_uid,
            number=series.number,
            modality=series.modality,
            description=series.description,
            body_part=series.body_part,
            instances=count,
            size_bytes=size_bytes or 0,
            is_ours=origin == Origin.RESULT,
        )
        for series, count, size_bytes, origin in session.execute(query)
    ]
