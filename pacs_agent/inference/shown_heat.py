"""The heat of a finding in a slice that was read, from the token cache alone: no graph runs, no bundle is needed."""

from pathlib import Path

from pacs_agent.inference.heat import Field, Heat, heat_of
from pacs_agent.inference.reading import StudyReading
from pacs_agent.inference.refusal import InferenceError
from pacs_agent.inference.tokens import TokenCache


class HeatGone(InferenceError):
    """The token of a slice is not kept any more, or the reading does not say which it was."""


def heat_of_reading(reading: StudyReading, finding: str, index: int, token_root: Path) -> Heat:
    """Where a finding (key) lies in slice `index` of the series that was read.

    Raises KeyError for a finding that the model does not know, IndexError for a slice out of the series, HeatGone.
    """
    keys = [one.label.key for one in reading.findings]
    if finding not in keys:
        raise KeyError(finding)
    one, read = reading.series.slices[index], reading.tokens
    if read is None:
        raise HeatGone("this reading was made before the places of findings were kept")
    cache = TokenCache(token_root, read.encoder_digest, read.token_width, (len(reading.findings), *read.patch_grid))
    token = cache.load(read.keys[index])
    if token is None:
        raise HeatGone("the place of findings in this slice is not kept any more")
    return heat_of(token, keys.index(finding), one, Field(read.field_px, read.pixel_mm))
