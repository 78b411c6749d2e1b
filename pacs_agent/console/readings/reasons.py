"""Why there is no result to show, or not the newest, and what can be done about it, in words for people."""

from sqlalchemy.orm import Session

from pacs_agent.archive import Archive
from pacs_agent.config import Settings
from pacs_agent.console.readings.models import Measurements
from pacs_agent.console.readings.stored import JobKnown, StudyKnown
from pacs_agent.db import JobState, StudyState
from pacs_agent.route import Decision, Explanation, NoAttributes, WrongRules, attributes_of_study, rules_in_force

MAX_RULES = 5
"""Rules that are explained; a list of hundreds is for `pacs-agent rules test`."""

NOT_SHOWN = "The study was read by a pipeline whose result cannot be shown here; its objects are in the archive."


def why_unknown(settings: Settings) -> str:
    """Of a study of which no image ever came."""
    dimse = settings.dimse
    return (
        f"The agent has received no image of this study. Send it by C-STORE to {dimse.ae_title}, port {dimse.port}, "
        "or let the PACS route it there."
    )


def why_arriving(settings: Settings) -> str:
    """Of a study that grows, for the first time or again."""
    quiet_s = settings.assemble.quiet_s
    return (
        "Images are still arriving. The study is read when as many have come as the sender counts, or when no new one "
        f"has come for {quiet_s:g} s."
    )


def why_without_job(session: Session, archive: Archive, settings: Settings, uid: str, study: StudyKnown) -> str:
    """Of a study that has no reading job."""
    if study.state == StudyState.RECEIVING:
        return why_arriving(settings)
    if study.state == StudyState.HELD:
        return f"The study is held: {study.state_reason}. An operator can have it read: pacs-agent force {uid}"
    if study.state == StudyState.IGNORED:
        return _why_ignored(session, archive, uid, study)
    return f"The study is complete but was given no reading. An operator can ask for one: pacs-agent force {uid}"


def why_of_job(job: JobKnown) -> str:
    """Of a study whose newest reading job did not come to a result; empty when all is well."""
    again = f"An operator can run it again: pacs-agent rerun {job.id}"
    if job.state == JobState.FAILED:
        what = "The result could not be delivered everywhere" if job.told else "The reading failed"
        return f"{what}: {job.error or 'no reason was kept'}. {again}"
    if job.state == JobState.CANCELED:
        return f"The reading was canceled: {job.error or 'no reason was kept'}. {again}"
    if job.state == JobState.NO_RESULT:
        return job.error
    if job.state == JobState.QUEUED and not job.told:
        return "The study is waiting for its turn to be read."
    return ""


def measured_by_recalled(measurements: Measurements) -> str:
    """Of a result whose segmenter was recalled."""
    model = measurements.model
    return (
        f"The measurements are by {model.name} {model.version}, which was recalled: do not rely on them. "
        f"Reason: {measurements.recalled}"
    )


def _why_ignored(session: Session, archive: Archive, uid: str, study: StudyKnown) -> str:
    """The rules asked again, for the conditions that did not hold; they may have changed since the study came."""
    try:
        decision = rules_in_force(session).decide(attributes_of_study(session, archive, uid))
    except (NoAttributes, WrongRules) as error:
        return f"The study is not read: {study.state_reason} ({error})"
    if not decision.ignored:
        return f"By the rules now in force the study is read. An operator can ask for it: pacs-agent force {uid}"
    if not decision.rules:
        return "There are no rules yet, so no study is read. An operator puts them in force: pacs-agent rules put FILE"
    return f"No rule matches this study. {_explained(decision)} An operator can change the rules: pacs-agent rules put"


def _explained(decision: Decision) -> str:
    told = [f"“{one.rule}”: {'; '.join(_not_held(one.explanation))}." for one in decision.rules[:MAX_RULES]]
    more = len(decision.rules) - MAX_RULES
    return " ".join([*told, f"And {more} more rules."] if more > 0 else told)


def _not_held(explanation: Explanation) -> list[str]:
    """The conditions that did not hold, each by what it saw."""
    missed = [text for part in explanation.parts if not part.held for text in _not_held(part)]
    if missed:
        return missed
    inner = ", ".join(part.text for part in explanation.parts)
    return [f"{explanation.text}: {inner}" if inner else explanation.text]
