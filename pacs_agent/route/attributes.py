"""The attributes of a study that rules ask about, from the index where it has them and else from the files' headers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from pacs_agent.archive import UNREADABLE_FILE, Archive
from pacs_agent.db import Instance, Origin, Series, Study
from pacs_agent.imaging import (
    HeaderFile,
    Stack,
    UnusableSlice,
    group_study,
    read_headers,
    without_large_private_values,
)
from pacs_agent.route.conditions import Value
from pacs_agent.route.corrections import Corrector, SeriesCorrection
from pacs_agent.route.errors import NoAttributes
from pacs_agent.route.expects import RECEIVED
from pacs_agent.route.keywords import NUMERIC_VRS

_INDEXED = {
    "StudyInstanceUID": Study.study_instance_uid,
    "StudyDate": Study.study_date,
    "AccessionNumber": Study.accession_number,
    "StudyDescription": Study.description,
    "SeriesInstanceUID": Series.series_instance_uid,
    "Modality": Series.modality,
    "SeriesDescription": Series.description,
    "BodyPartExamined": Series.body_part,
    "SOPClassUID": Instance.sop_class_uid,
}
"""Attributes whose values in the index are those of every instance; all others are read from the files."""


class Grouping:
    """The stacks of the images in some files. Headers are read when stacks are asked for the first time."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._corrections: tuple[SeriesCorrection, ...] = ()
        self._found: dict[str, list[tuple[int, Stack]]] | None = None
        """By series, each with its place in the study."""

    def correct(self, corrections: tuple[SeriesCorrection, ...]) -> None:
        """Groups under these corrections from now on."""
        if corrections != self._corrections:
            self._corrections, self._found = corrections, None

    def of_series(self, series_instance_uids: Collection[Value]) -> Sequence[Stack]:
        """The stacks of some series, in the order of the study."""
        found = self._by_series()
        numbered = (one for uid in set(series_instance_uids) for one in found.get(str(uid), ()))
        return [stack for _, stack in sorted(numbered, key=itemgetter(0))]

    def _by_series(self) -> Mapping[str, Sequence[tuple[int, Stack]]]:
        if self._found is None:
            self._found = defaultdict(list)
            stacks = group_study(_readable(self._files), Corrector(self._corrections)).stacks
            for number, stack in enumerate(stacks):
                self._found[stack.series_instance_uid].append((number, stack))
        return self._found


class StudyAttributes(Mapping[str, tuple[Value, ...]]):
    """For each keyword the distinct values over the images of a study, sorted. Headers are read when asked for."""

    def __init__(
        self,
        indexed: Mapping[str, tuple[Value, ...]],
        files: Sequence[Path],
        series: Sequence["StudyAttributes"] = (),
        grouping: "Grouping | None" = None,
    ) -> None:
        self.grouping = grouping or Grouping(files)
        self._known = dict(indexed)
        self._files = files
        self.series = series
        """The same for each series by itself."""

    def fetch(self, keywords: Collection[str], of_series: Collection[str] = ()) -> None:
        """Reads these attributes now, of the study and of each series, in one pass over the files for each of both."""
        for one in self.series:
            one.fetch(of_series)
        missing = [keyword for keyword in keywords if keyword not in self._known]
        if missing:
            self._known |= _distinct(_headers(self._files, missing), missing)

    @property
    def stacks(self) -> Sequence[Stack]:
        """The stacks of the study, or of the series."""
        return self.grouping.of_series(self["SeriesInstanceUID"])

    def __getitem__(self, keyword: str) -> tuple[Value, ...]:
        self.fetch([keyword])
        return self._known[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def attributes_of_study(session: Session, archive: Archive, study_instance_uid: str) -> StudyAttributes:
    """The attributes of a study over the instances received, without the results made of it.

    Raises NoAttributes when nothing of the study is archived.
    """
    received = (
        select(*_INDEXED.values(), Instance.digest)
        .join(Instance.series)
        .join(Series.study)
        .where(Study.study_instance_uid == study_instance_uid, Instance.origin == Origin.RECEIVED)
    )
    rows: Sequence[Row[Any]] = session.execute(received).all()  # type: ignore[assignment]
    if not rows:
        raise NoAttributes(f"nothing is archived of study {study_instance_uid}; send it first")
    files = _files(archive, rows)
    grouping = Grouping(files)
    return StudyAttributes(_indexed(rows), files, _series(archive, rows, grouping), grouping)


def attributes_of_file(path: Path) -> StudyAttributes:
    """The attributes of a DICOM file, as if it were the whole study. Raises NoAttributes when it is not one."""
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    except UNREADABLE_FILE as error:
        raise NoAttributes(f"{path} cannot be read as a DICOM file: {error}") from error
    if "SOPClassUID" not in header:
        raise NoAttributes(f"{path} is no DICOM instance: it names no SOP class")
    grouping = Grouping([path])
    return StudyAttributes({}, [path], [StudyAttributes({RECEIVED: (1.0,)}, [path], (), grouping)], grouping)


def _series(archive: Archive, rows: Sequence[Row[Any]], grouping: Grouping) -> list[StudyAttributes]:
    by_series: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_series.setdefault(row.series_instance_uid, []).append(row)
    return [
        StudyAttributes({**_indexed(some), RECEIVED: (float(len(some)),)}, _files(archive, some), (), grouping)
        for some in by_series.values()
    ]


def _indexed(rows: Sequence[Row[Any]]) -> dict[str, tuple[Value, ...]]:
    return {keyword: _sorted(row[column] for row in rows) for column, keyword in enumerate(_INDEXED)}


def _files(archive: Archive, rows: Sequence[Row[Any]]) -> list[Path]:
    return [archive.path(row.digest) for row in rows]


def _readable(files: Iterable[Path]) -> Iterator[HeaderFile]:
    """The headers of the files that can be read; what cannot is in no stack."""
    for path in files:
        with suppress(UnusableSlice):
            yield from map(without_large_private_values, read_headers([path]))


def _headers(files: Iterable[Path], keywords: list[str]) -> Iterator[Dataset]:
    for path in files:
        try:
            yield dcmread(path, stop_before_pixels=True, specific_tags=[*keywords, "SpecificCharacterSet"])
        except UNREADABLE_FILE as error:
            raise NoAttributes(f"{path.name} in the archive cannot be read: {error}") from error


def _distinct(headers: Iterable[Dataset], keywords: list[str]) -> dict[str, tuple[Value, ...]]:
    found: dict[str, set[Value]] = {keyword: set() for keyword in keywords}
    for header in headers:
        for keyword in keywords:
            found[keyword].update(_values(header, keyword))
    return {keyword: _sorted(values) for keyword, values in found.items()}


def _values(header: Dataset, keyword: str) -> list[Value]:
    """The values of one element; one that is missing or cannot be decoded has none."""
    try:
        element = header[keyword]
        values = element.value if element.VM > 1 else [element.value]
        if element.VR in NUMERIC_VRS:
            return [float(value) for value in values if value not in (None, "")]
        return [str(value).strip("\0 ") for value in values if value is not None]
    except UNREADABLE_FILE:
        return []


def _sorted(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(sorted({value for value in values if value != ""}, key=lambda value: (isinstance(value, str), value)))
