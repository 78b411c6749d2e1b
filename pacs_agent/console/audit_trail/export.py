"""The audit trail as files: CSV for spreadsheets, and DICOM audit messages (PS3.15 A.5)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from pacs_agent.db import AuditEvent
from pacs_agent.ops.audit_message import Source, audit_message

COLUMNS = ("at", "actor", "action", "outcome", "subject", "detail", "position", "digest")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def csv_of(groups: Iterable[Sequence[AuditEvent]]) -> Iterator[str]:
    """Lines as CSV (RFC 4180), a piece for each group. No cell is a formula where a spreadsheet opens it."""
    yield _rows([COLUMNS])
    for group in groups:
        yield _rows([_cells(line) for line in group])


def xml_of(groups: Iterable[Sequence[AuditEvent]], source: Source) -> Iterator[bytes]:
    """Lines as one `AuditMessage` each, within a root of ours: the standard has none for several."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n'
    for group in groups:
        yield b"".join(audit_message(line, source) + b"\n" for line in group)
    yield b"</AuditMessages>\n"


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, CSV Injection): an apostrophe before what may be one."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _cells(line: AuditEvent) -> list[str]:
    detail = json.dumps(line.detail, ensure_ascii=False, sort_keys=True) if line.detail else ""
    said = [line.actor, line.action, line.outcome, line.subject, detail]
    seal = [str(line.position or ""), line.digest or ""]
    return [line.at.isoformat(), *(safe_cell(text.replace("\0", "\N{REPLACEMENT CHARACTER}")) for text in said), *seal]


def _rows(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
