"""Who read the audit trail is in the audit trail. PS3.15 A.5.3.2, audit log used."""

import json
from typing import Any

from pacs_agent.console.audit_trail.models import ExportAsked, Sought
from pacs_agent.console.looks import Looks
from pacs_agent.db import Database
from pacs_agent.ops import Outcome, audit


class TrailLooks:
    """One line for each search of a person within ten minutes, not one for each page; an export always has its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looks = Looks()

    def note_search(self, actor: str, sought: Sought) -> None:
        """Notes that the actor reads the lines that are sought."""
        self._note(actor, _said(sought))

    def note_line(self, actor: str, line: int) -> None:
        """Notes that the actor reads one line with all that it says."""
        self._note(actor, {"line": line})

    def note_export(self, actor: str, asked: ExportAsked, form: str) -> None:
        """Notes that the actor takes lines away, as a file of this form."""
        sought = asked.model_dump(mode="json", exclude_defaults=True)
        self._write(actor, "audit.exported", form=form, sought=sought)

    def _note(self, actor: str, sought: dict[str, Any]) -> None:
        with self._looks.noting(actor, json.dumps(sought, sort_keys=True)) as is_new:
            if is_new:
                self._write(actor, "audit.viewed", sought=sought)

    def _write(self, actor: str, action: str, **detail: Any) -> None:
        with self._database.writing() as session:
            audit(session, actor=actor, action=action, outcome=Outcome.SUCCESS, **detail)


def _said(sought: Sought) -> dict[str, Any]:
    """What is sought, without the page of it that is asked for."""
    return sought.model_dump(mode="json", exclude_defaults=True, include=set(Sought.model_fields))
