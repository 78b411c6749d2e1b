"""What the rules of a job expect, what of the study met it, and what of that the job reads."""

from pacs_agent.console.queue.models import ExpectationShown, PartShown
from pacs_agent.db import Job
from pacs_agent.imaging import SeriesPart
from pacs_agent.route import Expectation, expected_of


def expectations_of(job: Job) -> list[ExpectationShown]:
    """What is expected, as the rules name it."""
    read, expected = _read(job), expected_of(job.expected)
    return [_shown(one, read) for one in expected.of] if expected else []


def expectations_in_words(expectations: list[ExpectationShown]) -> str:
    """All of it in one line, for a list of what happened."""
    return "; ".join(f"{one.words}: {_met_by(one)}" for one in expectations)


def _met_by(expectation: ExpectationShown) -> str:
    if not expectation.met_by:
        return "has not come" if expectation.required else "has not come, optional"
    return ", ".join(f"{one.description or one.series_instance_uid}{_stack(one)}" for one in expectation.met_by)


def _stack(part: PartShown) -> str:
    return f" ({part.stack})" if part.stack else ""


def _shown(one: Expectation, read: set[tuple[str, str]]) -> ExpectationShown:
    parts = [_part(part, read) for part in one.met_by]
    return ExpectationShown(rule=one.rule, words=one.words, required=one.required, met_by=parts)


def _part(part: SeriesPart, read: set[tuple[str, str]]) -> PartShown:
    return PartShown(
        series_instance_uid=part.series_instance_uid,
        description=part.description,
        stack=part.stack,
        is_read=(part.series_instance_uid, part.stack) in read,
    )


def _read(job: Job) -> set[tuple[str, str]]:
    """Series and stack of what the job chose to read; a series of which it reads a stack stands there alone as well."""
    verdicts = (job.series_choice or {}).get("verdicts", ())
    chosen = [(one["series_instance_uid"], one.get("stack", "")) for one in verdicts if one["chosen"]]
    return {*chosen, *((series, "") for series, _ in chosen)}
