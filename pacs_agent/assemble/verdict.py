"""Whether a study is complete, and by which sign: facts in, a verdict with its words out. No clock, no database.

A count can only shorten the wait for the quiet time, never lengthen it: a peer may count objects that it does not send
or that the agent does not take. What lengthens it is what a rule expects, and for a while that the association which
brought the newest image is still open.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from pacs_agent.route import IfIncomplete

OPEN_TIMES = 4
"""An association that is still open lengthens the quiet time to so many times itself, not more."""


@dataclass(frozen=True)
class Announced:
    """How many instances a study has, as its images say, PS3.4 C.3.4."""

    instances: int
    is_steady: bool
    """The first and the newest image say the same. A sender that counts along says something else in each."""


@dataclass(frozen=True)
class SourceCount:
    """How many instances a study has at the peer that sent it."""

    instances: int
    by: str
    """Who was asked and how, in words."""
    steady_s: float
    """For how long it has said the same."""
    is_fresh: bool
    """It was asked after the newest instance had come."""


@dataclass(frozen=True)
class Missing:
    """What a rule that matches expects, and what has not come."""

    rule: str
    words: str
    wait_at_most_s: float
    if_incomplete: IfIncomplete


@dataclass(frozen=True)
class Facts:
    """What is known of a study that receives, at one moment."""

    received: int
    """Instances, documents too: who counts counts them all."""
    quiet_for_s: float
    """Since its newest image."""
    announced: Announced | None = None
    at_source: SourceCount | None = None
    source_trouble: str = ""
    """Why the source could not be asked; empty when nobody is there to ask."""
    commitment_by_now: bool = False
    """Its sender asked for storage commitment after the newest image, and all of it was committed."""
    still_open: str = ""
    """The peer, AE@address, whose association brought its newest instance and is still open."""
    was_open: bool = False
    """The end of such an association was waited for."""
    missing: tuple[Missing, ...] = ()
    """Of the rules that match; they are asked when everything else says that the study is complete."""


@dataclass(frozen=True)
class Limits:
    """The quiet time, and how long a sign that the sender may still change must have held; both in seconds."""

    quiet_s: float
    settle_s: float

    @property
    def open_s(self) -> float:
        """After so long without an image an association that is still open counts as if it had ended, in seconds."""
        return OPEN_TIMES * self.quiet_s


class Act(StrEnum):
    """What becomes of a study now."""

    WAIT = "wait"
    COMPLETE = "complete"
    HOLD = "hold"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a study now, and why."""

    act: Act
    words: str
    dropped: tuple[str, ...] = ()
    """Rules that leave a study without what they expect."""
    reported: tuple[str, ...] = ()
    """Rules that do not have it read without what they expect: they have a document made that says what is missing."""


def weigh(facts: Facts, limits: Limits) -> Verdict:
    """The verdict over a study: the first sign that holds, and then what its rules expect."""
    sign = _count_in_images(facts) or _count_at_source(facts, limits) or _commitment(facts, limits)
    sign = sign or _quiet(facts, limits)
    if not sign:
        return Verdict(Act.WAIT, f"{_open_still(facts, limits)}{_so_far(facts)}")
    return _with_rules(facts, Verdict(Act.COMPLETE, sign))


def expected(facts: Facts) -> tuple[int | None, str]:
    """How many instances the study has by the count that is believed most, and whose count that is."""
    if facts.at_source is not None:
        return facts.at_source.instances, facts.at_source.by
    if facts.announced is not None and facts.announced.is_steady:
        return facts.announced.instances, "the images themselves"
    return None, ""


def _count_in_images(facts: Facts) -> str:
    """A count of one is never believed: a sender that counts along says so in its first image."""
    said = facts.announced
    if said is None or not said.is_steady or not 1 < said.instances == facts.received:
        return ""
    return f"all {said.instances} instances came that the images themselves announce"


def _count_at_source(facts: Facts, limits: Limits) -> str:
    """A source that still receives the study itself counts more each time; so its count must have settled."""
    said = facts.at_source
    if said is None or not said.is_fresh or said.steady_s < limits.settle_s or said.instances != facts.received:
        return ""
    return f"all {said.instances} instances came that the source has, by {said.by}"


def _commitment(facts: Facts, limits: Limits) -> str:
    """Some senders ask after each series: a count that says that more is to come is believed rather."""
    count, _by = expected(facts)
    if not facts.commitment_by_now or facts.quiet_for_s < limits.settle_s or (count or 0) > facts.received:
        return ""
    return f"its sender asked for storage commitment after the last of {facts.received} instances"


def waits_for_sender(facts: Facts, limits: Limits) -> bool:
    """Whether a study that has been quiet for long enough waits for the association that brought it to end."""
    return bool(facts.still_open) and limits.quiet_s <= facts.quiet_for_s < limits.open_s


def _quiet(facts: Facts, limits: Limits) -> str:
    """A sender that keeps its association open may look for the next image yet."""
    if facts.quiet_for_s < limits.quiet_s or waits_for_sender(facts, limits):
        return ""
    if facts.still_open:
        words = f"{limits.open_s:g} s, though the association of {facts.still_open} that brought them is still open"
    else:
        ended = ", and the association that brought them has ended" if facts.was_open else ""
        words = f"{limits.quiet_s:g} s{ended}"
    return f"nothing came for {words}; {_so_far(facts)}"


def _open_still(facts: Facts, limits: Limits) -> str:
    """Why a study that is quiet waits; nothing where it is not quiet."""
    if not waits_for_sender(facts, limits):
        return ""
    return (
        f"nothing came for {limits.quiet_s:g} s, but the association of {facts.still_open} that brought the newest "
        f"instance is still open; its end is waited for until {limits.open_s:g} s after that instance; "
    )


def _so_far(facts: Facts) -> str:
    """How many came of how many, and what is wrong with the counts that did not help."""
    count, by = expected(facts)
    told = [f"{facts.received} instances came"]
    if count is not None and count >= facts.received:
        told = [f"{facts.received} of {count} instances came, by {by}"]
    elif count is not None:
        told.append(f"more than the {count} by {by}, so that count is not believed")
    if facts.announced is not None and not facts.announced.is_steady:
        told.append("the images announce other counts each time")
    if facts.source_trouble:
        told.append(f"the source could not be asked: {facts.source_trouble}")
    return "; ".join(told) if count is not None or len(told) > 1 else f"{told[0]}, and no count is known"


def _with_rules(facts: Facts, found: Verdict) -> Verdict:
    """A study that misses what a rule expects waits, but not for ever."""
    waiting = [one for one in facts.missing if facts.quiet_for_s < one.wait_at_most_s]
    if waiting:
        longest = max(one.wait_at_most_s for one in waiting)
        return Verdict(Act.WAIT, f"{_named(waiting)}; it waits for {longest:g} s after the newest image")
    held = [one for one in facts.missing if one.if_incomplete == "hold"]
    if held:
        return Verdict(Act.HOLD, f"{_named(held)}, and the time for it is over: an operator decides")
    if not facts.missing:
        return found
    words = f"{found.words}; {_named(facts.missing)}, and the time for it is over"
    return replace(found, words=words, dropped=_that(facts, "ignore"), reported=_that(facts, "report"))


def _that(facts: Facts, if_incomplete: IfIncomplete) -> tuple[str, ...]:
    return tuple(one.rule for one in facts.missing if one.if_incomplete == if_incomplete)


def _named(missing: list[Missing] | tuple[Missing, ...]) -> str:
    return "; ".join(f"rule “{one.rule}” misses {one.words}" for one in missing)
