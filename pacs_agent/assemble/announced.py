"""Counts that some PACS put into the images they send, as in their answers to queries (PS3.4 C.3.4).

Number of Study Related Series (0020,1206) and Instances (0020,1208), Number of Series Related Instances (0020,1209).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs_agent.archive import UNREADABLE_FILE, UNREADABLE_VALUE, Archive
from pacs_agent.assemble.grown import Grown
from pacs_agent.assemble.verdict import Announced

_STUDY_SERIES, _STUDY_INSTANCES, _SERIES_INSTANCES = (
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
)
_LARGEST = 1_000_000
_LONGEST_DIGITS = 12
"""An IS has at most twelve characters, PS3.5 6.2."""


@dataclass(frozen=True)
class ImageCounts:
    """What one image says."""

    study_series: int | None = None
    study_instances: int | None = None
    series_instances: int | None = None


NOTHING = ImageCounts()


@dataclass(frozen=True)
class _Said:
    """What the image with this key in the index says."""

    key: int = 0
    counts: ImageCounts = NOTHING


@dataclass
class Announcements:
    """What the images of one study said so far. Of each series the first image is read once, and the newest one."""

    first: dict[int, _Said] = field(default_factory=dict)
    newest: dict[int, _Said] = field(default_factory=dict)
    tells: bool = True
    """Some image has a count. Where none has, no further one is looked at before another series begins."""

    def is_worth_reading(self, grown: Grown) -> bool:
        """Whether an image that came may say something."""
        return self.tells or grown.series.keys() != self.first.keys()

    def read(self, archive: Archive, grown: Grown, digests: Mapping[int, str]) -> None:
        """Takes in what the study's series say by now; `digests` by the instance's key in the index."""
        for series, part in grown.series.items():
            self.first[series] = _said(archive, part.first, digests, self.first.get(series))
            self.newest[series] = _said(archive, part.newest, digests, self.newest.get(series), self.first[series])
        self.tells = any(said.counts != NOTHING for said in (*self.first.values(), *self.newest.values()))

    def announced(self, grown: Grown) -> Announced | None:
        """How many instances the study has; None when it is not said."""
        said = [one.counts for one in (*self.first.values(), *self.newest.values())]
        counts = {one.study_instances for one in said if one.study_instances}
        if counts:
            return Announced(max(counts), is_steady=len(counts) == 1)
        if {one.study_series for one in said if one.study_series} == {len(grown.series)}:
            return self._by_series(grown)
        return None

    def _by_series(self, grown: Grown) -> Announced | None:
        """The sum over the series, once as many have begun as there are; None unless each says how many it has."""
        pairs = [
            (self.first[series].counts.series_instances, self.newest[series].counts.series_instances)
            for series in grown.series
        ]
        counts = [newest for _, newest in pairs if newest]
        if len(counts) < len(pairs):
            return None
        return Announced(sum(counts), is_steady=all(first == newest for first, newest in pairs))


def _said(archive: Archive, key: int, digests: Mapping[int, str], *known: _Said | None) -> _Said:
    """What an image says; one that was read before is not read again."""
    same = [one for one in known if one is not None and one.key == key]
    if same or key not in digests:
        return same[0] if same else _Said(key)
    return _Said(key, counts_of_file(archive.path(digests[key])))


def counts_of_file(path: Path) -> ImageCounts:
    """What the image in a file says; nothing when it cannot be read."""
    keywords = [_STUDY_SERIES, _STUDY_INSTANCES, _SERIES_INSTANCES]
    try:
        image = dcmread(path, stop_before_pixels=True, specific_tags=keywords)
    except UNREADABLE_FILE:
        return NOTHING
    return ImageCounts(*(_count(image, keyword) for keyword in keywords))


def _count(data_set: Dataset, keyword: str) -> int | None:
    try:
        text = str(data_set.get(keyword, "")).strip("\0 ")
    except UNREADABLE_VALUE:
        return None
    is_count = text.isascii() and text.isdigit() and len(text) <= _LONGEST_DIGITS
    return int(text) if is_count and 0 < int(text) <= _LARGEST else None
