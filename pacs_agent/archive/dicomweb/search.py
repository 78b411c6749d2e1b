"""QIDO-RS: searches of the index, their matches as data sets (PS3.18 10.6)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.dicomweb.attributes import ATTRIBUTES, Level
from pacs_agent.archive.dicomweb.matching import condition
from pacs_agent.archive.dicomweb.query import Query
from pacs_agent.archive.errors import NotArchived
from pacs_agent.db import Instance, Series, Study

Row = dict[str, Any]


def search(archive: Archive, query: Query, base_url: str, path_uids: Sequence[str] = ()) -> list[Dataset]:
    """The matches of a query, at most `query.limit`, each as a data set with its RetrieveURL.

    `path_uids` are the study and series UID that the request's path names. Raises BadRequest for an impossible value.
    """
    with archive.database.reading() as session:
        rows = [dict(row._mapping) for row in session.execute(_statement(query, path_uids))]
        if query.level is Level.STUDY:
            _count_studies(session, rows)
        elif query.level is Level.SERIES:
            _count_series(session, rows)
        return [_match(archive, session, query, row, base_url) for row in rows]


def _statement(query: Query, path_uids: Sequence[str]) -> Select[Any]:
    columns = [a.column.label(a.keyword) for a in ATTRIBUTES if a.level <= query.level]
    key = (Study.id, Series.id, Instance.id)[query.level - 1]
    statement = _joined(select(key.label("pk"), *columns), query.level)
    for column, uid in zip((Study.study_instance_uid, Series.series_instance_uid), path_uids, strict=False):
        statement = statement.where(column == uid)
    for attribute, value in query.matches:
        statement = statement.where(condition(attribute, value))
    if query.modalities_in_study:
        in_study = Series.modality.in_(query.modalities_in_study)
        statement = statement.where(Study.id.in_(select(Series.study_pk).where(in_study)))
    return _ordered(statement, query.level).limit(query.limit).offset(query.offset)


def _joined(statement: Select[Any], level: Level) -> Select[Any]:
    if level is Level.STUDY:
        return statement.select_from(Study).join(Study.patient)
    if level is Level.SERIES:
        return statement.select_from(Series).join(Series.study).join(Study.patient)
    return statement.select_from(Instance).join(Instance.series).join(Series.study).join(Study.patient)


def _ordered(statement: Select[Any], level: Level) -> Select[Any]:
    """Newest study first, series and instances by their number; always the same order, so that pages do not overlap."""
    if level is Level.STUDY:
        return statement.order_by(Study.id.desc())
    if level is Level.SERIES:
        return statement.order_by(Series.study_pk.desc(), Series.number, Series.id)
    return statement.order_by(Series.study_pk.desc(), Instance.series_pk, Instance.number, Instance.id)


def _count_studies(session: Session, rows: Sequence[Row]) -> None:
    """Adds what a study has, by one query for each fact and not for each study."""
    of_page = Series.study_pk.in_([row["pk"] for row in rows])
    series = select(Series.study_pk, func.count(Series.id)).where(of_page).group_by(Series.study_pk)
    instances = (
        select(Series.study_pk, func.count(Instance.id)).join(Series.instances).where(of_page).group_by(Series.study_pk)
    )
    modalities = defaultdict(list)
    for pk, modality in session.execute(select(Series.study_pk, Series.modality).where(of_page).distinct()):
        modalities[pk].append(modality)
    series_of, instances_of = (_counts(session, each) for each in (series, instances))
    for row in rows:
        row["NumberOfStudyRelatedSeries"] = series_of.get(row["pk"], 0)
        row["NumberOfStudyRelatedInstances"] = instances_of.get(row["pk"], 0)
        row["ModalitiesInStudy"] = sorted(filter(None, modalities[row["pk"]]))


def _counts(session: Session, counted: Any) -> dict[int, int]:
    return {pk: count for pk, count in session.execute(counted)}  # noqa: C416 (rows are no pairs to a type checker)


def _count_series(session: Session, rows: Sequence[Row]) -> None:
    of_page = Instance.series_pk.in_([row["pk"] for row in rows])
    counted = select(Instance.series_pk, func.count(Instance.id)).where(of_page).group_by(Instance.series_pk)
    instances_of = _counts(session, counted)
    for row in rows:
        row["NumberOfSeriesRelatedInstances"] = instances_of.get(row["pk"], 0)


def _match(archive: Archive, session: Session, query: Query, row: Row, base_url: str) -> Dataset:
    match = Dataset()
    for keyword, value in row.items():
        if keyword != "pk":
            setattr(match, keyword, value)
    if not match.PatientID:
        match.IssuerOfPatientID = ""  # without an ID the index's issuer only keeps strangers apart
    match.InstanceAvailability = "ONLINE"
    match.RetrieveURL = base_url + _path(match, query.level)
    for element in _extra_elements(archive, session, query, row["pk"]):
        match.add(element)
    return match


def _path(match: Dataset, level: Level) -> str:
    path = f"/studies/{match.StudyInstanceUID}"
    if level >= Level.SERIES:
        path += f"/series/{match.SeriesInstanceUID}"
    return f"{path}/instances/{match.SOPInstanceUID}" if level is Level.INSTANCE else path


def _extra_elements(archive: Archive, session: Session, query: Query, pk: int) -> list[DataElement]:
    """Fields that only the files hold, from the first file of the match."""
    if not query.extra_tags:
        return []
    of_match = (Series.study_pk, Instance.series_pk, Instance.id)[query.level - 1] == pk
    digest = session.scalar(
        select(Instance.digest).join(Instance.series).where(of_match).order_by(Instance.id).limit(1)
    )
    try:
        data_set = archive.read(digest or "", stop_before_pixels=True)
    except (NotArchived, ValueError):
        return []
    return [data_set[tag] for tag in query.extra_tags if tag in data_set]
