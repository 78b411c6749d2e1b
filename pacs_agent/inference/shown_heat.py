"""The heat of a finding in a slice that was read, from the token cache alone: no graph runs, no bundle is needed."""

from pathlib import Path

from pacs_agent.inference.heat import Field, Heat, heat_of
from pacs_agent.inference.reading import StudyReading
from pacs_agent.inference.refusal import InferenceError
from pacs_agent.inference.tokens import TokenCache


class HeatGone(InferenceError):
    """The token of a slice is not kept any more, or the reading does not say which it was."""


def heat_of_reading(reading: StudyReading, finding: str, index: int, token_root: Path) -> Heat:
    """Where a finding (key) lies in slice `index` of all series that were read.

    Raises KeyError for a finding that the model does not know, IndexError for a slice beyond them, HeatGone.
    """
    return _Kept(reading, finding, token_root).heat(index)


def heats_of_reading(reading: StudyReading, finding: str, token_root: Path, series: int = 0) -> tuple[Heat, ...]:
    """The same in every slice of one of the series, in its order."""
    kept = _Kept(reading, finding, token_root)
    first = sum(len(one.slices) for one in reading.all_series[:series])
    return tuple(kept.heat(first + index) for index in range(len(reading.all_series[series].slices)))


class _Kept:
    """What is kept of a finding in the slices that were read."""

    def __init__(self, reading: StudyReading, finding: str, token_root: Path) -> None:
        keys, read = [one.label.key for one in reading.findings], reading.tokens
        if finding not in keys:
            raise KeyError(finding)
        if read is None:
            raise HeatGone("this reading was made before the places of findings were kept")
        self._slices, self._keys = reading.all_slices, read.keys
        self._number = read.structure_of.get(finding, keys.index(finding))
        self._field = Field(read.field_px, read.pixel_mm)
        grid = (read.structures or len(keys), *read.patch_grid)
        self._cache = TokenCache(token_root, read.encoder_digest, read.token_width, grid)

    def heat(self, index: int) -> Heat:
        one, token = self._slices[index], self._cache.load(self._keys[index])
        if token is None:
            raise HeatGone("the place of findings in this slice is not kept any more")
        return heat_of(token, self._number, one, self._field)
