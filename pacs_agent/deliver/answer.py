"""What a destination says of one object, in one form for all kinds of destination."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What an answer means for the object: it is there, try again, or never try again."""

    STORED = "stored"
    TRY_AGAIN = "try again"
    REFUSED = "refused"
    NOT_TAKEN = "not taken"
    """It takes no objects of this SOP class, whatever is in them."""


@dataclass(frozen=True)
class Answer:
    """The answer for one object."""

    sop_instance_uid: str
    verdict: Verdict
    text: str


class Whereabouts(StrEnum):
    """Whether an object was found again at its destination."""

    THERE = "there"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    """The destination was not asked or cannot be asked."""


@dataclass(frozen=True)
class Confirmation:
    """What asking for one object gave."""

    sop_instance_uid: str
    whereabouts: Whereabouts
    text: str


_STORED_FAILURES = {0x0111}
"""Duplicate SOP instance: our UIDs are made of the content, so what is there under the UID is what we send."""
_WARNINGS = {0x0001, 0x0107, 0x0116}
_NOT_TAKEN = {0x0122}
"""SOP class not supported."""
_TEMPORARY = {0x0110, 0x0213}
"""Processing failure, resource limitation: of the moment, not of the object."""


def verdict_of(status: int) -> Verdict:
    """What a C-STORE status or a STOW-RS failure reason means.

    PS3.4 B.2.3, PS3.7 C, PS3.18 I.2.2: A7xx is out of resources, B0xx a warning with the object stored, A9xx and Cxxx
    are failures of the object itself.
    """
    if status == 0 or status in _WARNINGS | _STORED_FAILURES or status & 0xF000 == 0xB000:
        return Verdict.STORED
    if status & 0xFF00 == 0xA700 or status in _TEMPORARY:
        return Verdict.TRY_AGAIN
    return Verdict.NOT_TAKEN if status in _NOT_TAKEN else Verdict.REFUSED


def answer_for(sop_instance_uid: str, status: int, comment: str = "") -> Answer:
    """The answer that a status means, its number and comment kept for people."""
    text = f"0x{status:04X}{f' {comment}' if comment else ''}"
    return Answer(sop_instance_uid, verdict_of(status), text[:1000])
