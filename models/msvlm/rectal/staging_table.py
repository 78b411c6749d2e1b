"""A hospital's own stagings: a CSV file with StudyInstanceUID and the seven items, one row a study.

| column | values |
|---|---|
| `StudyInstanceUID` | of the MR study |
| `patient` | optional: whose study it is, where Patient ID does not tell; then in every row |
| `tumour` | optional: yes, no |
| `location` | lower, middle, upper third of the rectum |
| `peritoneal_involvement`, `crm`, `nodes`, `emvi` | yes, no (involved margin, suspicious nodes) |
| `t_stage` | T1 to T4; a prefix (mr, c, y) and a subdivision (T3b, T4a) are dropped |
| `sphincter_involvement` | yes, no, or how deep: internal, intersphincteric, external |

An empty cell is not known; it is never taken for `no`. An item that rests on a tumour says that there is one.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.msvlm.rectal.items import OF_TUMOUR, SEVEN, Told, scale_of
from models.phantoms.pelvis import Item

STUDY, PATIENT = "StudyInstanceUID", "patient"
_UID = re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
"""PS3.5 9.1."""
_T_STAGE = re.compile(r"(?:mr|[cyp])*t?([1-4])[a-d]?", re.IGNORECASE)
_YES_NO = {"yes": 1, "no": 0}


@dataclass(eq=False)
class WrongTable(ValueError):
    """A staging table says what cannot be used; `line` counts from 1, the heading included."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.what}"


def read_stagings(path: Path) -> dict[str, dict[Item, Told]]:
    """What is told of each study by its UID. Raises WrongTable."""
    found: dict[str, dict[Item, Told]] = {}
    for line, row in _rows(path):
        uid = row[STUDY].strip()
        if not _UID.fullmatch(uid):
            raise WrongTable(path, line, f"{uid!r} is no UID")
        if uid in found:
            raise WrongTable(path, line, f"study {uid} stands there twice")
        try:
            found[uid] = told_in(row)
        except ValueError as fault:
            raise WrongTable(path, line, str(fault)) from fault
    return found


def read_patients(path: Path) -> dict[str, str]:
    """The patient of each study by its UID; nothing where the table has no such column. Raises WrongTable."""
    found = {}
    for line, row in _rows(path):
        if PATIENT not in row:
            return {}
        if not row[PATIENT].strip():
            raise WrongTable(path, line, "no patient, though the table has a column of patients")
        found[row[STUDY].strip()] = row[PATIENT].strip()
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table, each with the number of its last line. Raises WrongTable."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        raise WrongTable(path, line, "not in UTF-8; save the table as `CSV UTF-8`") from fault
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = [name for name in (STUDY, *SEVEN) if name not in (rows.fieldnames or ())]
    if missing:
        raise WrongTable(path, 1, f"no column {', '.join(missing)}; columns are divided by commas")
    try:
        for row in rows:
            if None in row or None in row.values():
                raise WrongTable(path, rows.line_num, f"not the {len(rows.fieldnames or ())} cells of the heading")
            yield rows.line_num, row
    except csv.Error as fault:
        raise WrongTable(path, rows.line_num, str(fault)) from fault


def told_in(row: Mapping[str, str | None]) -> dict[Item, Told]:
    """What a row tells. Raises ValueError for a value that a column does not have, and for a contradiction."""
    cells = {item: (row.get(item) or "").strip() for item in (Item.TUMOUR, *SEVEN)}
    told = {item: told_by(item, cell) for item, cell in cells.items() if cell}
    staged = sorted(item.value for item in OF_TUMOUR & set(told))
    if staged and told.setdefault(Item.TUMOUR, Told(1)).level == 0:
        raise ValueError(f"tumour is no, but {', '.join(staged)} is given")
    return told


def told_by(item: Item, cell: str) -> Told:
    """What a cell tells of an item. Raises ValueError."""
    value, levels = cell.strip().lower(), scale_of(item).levels
    if item is Item.T_STAGE and (stage := _T_STAGE.fullmatch(value)):
        return Told(int(stage[1]) - 1)
    if item is Item.SPHINCTER and value == "yes":
        return Told(1, is_exact=False)
    if item not in (Item.T_STAGE, Item.LOCATION) and value in _YES_NO:
        return Told(_YES_NO[value])
    if item in (Item.LOCATION, Item.SPHINCTER) and value in levels:
        return Told(levels.index(value))
    raise ValueError(f"{item.value} is {cell!r}; write {_allowed(item)}, or nothing where it is not known")


def _allowed(item: Item) -> str:
    levels = scale_of(item).levels
    if item in (Item.LOCATION, Item.T_STAGE):
        return ", ".join(levels)
    return ", ".join(("yes", "no", *(levels[1:] if item is Item.SPHINCTER else ())))
