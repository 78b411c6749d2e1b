"""A series, or one stack of it, named by UIDs and frame numbers alone: it can be kept and found again in the files."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from pacs_agent.imaging.acquisition import Stack
from pacs_agent.imaging.frames import Frame, slices_in
from pacs_agent.imaging.headers import HeaderFile


class SeriesPart(BaseModel):
    """A series, or one stack of it."""

    model_config = ConfigDict(frozen=True)

    series_instance_uid: str
    description: str = ""
    """Series Description."""
    stack: str = ""
    """Name of the stack, for people; empty for the whole series."""
    images: dict[str, tuple[int, ...]] | None = None
    """Of a stack its images by SOP Instance UID, each with its frames of them, from 1; a single-frame image names none.

    None for the whole series.
    """
    has_slices: bool = True
    """False for a series of documents or screenshots alone, of which nothing can be read."""

    @classmethod
    def of_stack(cls, stack: Stack) -> "SeriesPart":
        """The part that a stack is."""
        images: dict[str, tuple[int, ...]] = {}
        for frame in stack.frames:
            numbers = () if frame.frame_number is None else (frame.frame_number,)
            uid = frame.header.sop_instance_uid
            images[uid] = (*images.get(uid, ()), *numbers)
        return cls(
            series_instance_uid=stack.series_instance_uid,
            description=stack.description,
            stack=stack.name,
            images=images,
        )

    def files(self, headers: Sequence[HeaderFile]) -> list[HeaderFile]:
        """Of the files of its series those with a slice of it."""
        return [one for one in headers if self.images is None or one.sop_instance_uid in self.images]

    def slices(self, headers: Sequence[HeaderFile]) -> int:
        """How many slices of it these files hold. Raises UnusableSeries as `slices_in` does."""
        if self.images is None:
            return sum(map(slices_in, headers))
        return sum(max(1, len(self.images[one.sop_instance_uid])) for one in self.files(headers))

    def has(self, frame: Frame) -> bool:
        """Whether a frame of its series is one of its slices."""
        if self.images is None:
            return True
        numbers = self.images.get(frame.header.sop_instance_uid)
        return numbers is not None and (not numbers or frame.frame_number in numbers)
