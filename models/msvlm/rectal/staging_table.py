"""A hospital's own stagings: a CSV file with StudyInstanceUID and the seven items, one row a study.

| column | values |
|---|---|
| `StudyInstanceUID` | of the MR study |
| `tumour` | optional: yes, no |
| `location` | lower, middle, upper third of the rectum |
| `peritoneal_involvement`, `crm`, `nodes`, `emvi` | yes, no (involved margin, suspicious nodes) |
| `t_stage` | T1 to T4; a prefix (mr, c, y) and a subdivision (T3b, T4a) are dropped |
| `sphincter_involvement` | yes, no, or how deep: internal, intersphincteric, external |

An empty cell is not known; it is never taken for `no`. An item that rests on a tumour says that there is one.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.msvlm.rectal.items import OF_TUMOUR, SEVEN, Told, scale_of
from models.phantoms.pelvis import Item

STUDY = "StudyInstanceUID"
_UID = re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
"""PS3.5 9.1."""
_T_STAGE = re.compile(r"(?:mr|[cyp])*t?([1-4])[a-d]?", re.IGNORECASE)
_YES_NO = {"yes": 1, "no": 0}


@dataclass(frozen=True)
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
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = [name for name in (STUDY, *SEVEN) if name not in (rows.fieldnames or ())]
        if missing:
            raise WrongTable(path, 1, f"no column {', '.join(missing)}")
        for row in rows:
            uid = (row[STUDY] or "").strip()
            if not _UID.fullmatch(uid):
                raise WrongTable(path, rows.line_num, f"{uid!r} is no UID")
            if uid in found:
                raise WrongTable(path, rows.line_num, f"study {uid} stands there twice")
            try:
                found[uid] = told_in(row)
            except ValueError as fault:
                raise WrongTable(path, rows.line_num, str(fault)) from fault
    return found


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
