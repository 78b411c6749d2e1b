"""What was learned of an archive and what was left out, study by study; and what the bundle says of it."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group
from rich.table import Table

from models.msvlm.rectal.archive import SHARES, ArchiveFault, StagedArchive
from models.msvlm.rectal.archive_tokens import ArchiveRow, ArchiveTokens
from models.msvlm.rectal.export import Learned

COLUMNS = ("StudyInstanceUID", "split", "series", "slices", "left out", "series left out")


def rows_of(archive: StagedArchive, read: Iterable[ArchiveTokens]) -> list[ArchiveRow]:
    """A row of each study: those that were read or could not be, then those that table or headers leave out."""
    tried = [row for tokens in read for row in tokens.rows]
    return [*tried, *(ArchiveRow(one.uid, "", (), (), one.reason) for one in archive.left_out)]


def write_rows(rows: Iterable[ArchiveRow], path: Path) -> None:
    """Writes the table of all studies, with tabs between columns; it names no patient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            slices = sum(count for _, count in row.series)
            names = "; ".join(f"{name} ({count})" for name, count in row.series)
            without = "; ".join(f"{one.name}: {one.reason}" for one in row.without)
            table.writerow((row.uid, row.split, names, slices, row.reason, without))


def archive_summary(archive: StagedArchive, rows: Sequence[ArchiveRow]) -> Group:
    """How many studies of how many patients each split has, and the table of those that are left out, and why."""
    splits = {split: archive.studies(split) for split in SHARES}
    counts = [f"{split} {len(every)} ({len({one.patient for one in every})})" for split, every in splits.items()]
    out = [row for row in rows if row.reason]
    table = Table("study", "split", "why", title=f"left out: {len(out)}", title_justify="left")
    for row in out:
        table.add_row(row.uid, row.split or "–", row.reason)
    return Group(f"archive, studies (patients): {', '.join(counts)}; {len(out)} left out", *([table] if out else []))


def learned_from(archive: StagedArchive, reader: ArchiveTokens, validation: ArchiveTokens) -> Learned:
    """What the bundle says it has learned from. Raises ArchiveFault where no study of the archive was learned from."""
    if not reader.studies:
        raise ArchiveFault(f"no study of {archive.folder} can be learned from; see the table of what is left out")
    calibrating = f" {len(validation.studies)} more, of other patients, calibrated its probabilities."
    return Learned(
        intended_use="Research only. Learned from computer-made phantoms and studies of one archive. "
        "Not for clinical use.",
        training_data="Procedurally generated pelvic MR phantoms (models/phantoms/pelvis) with generated masks, labels "
        f"and reports, and {len(reader.studies)} MR studies of {len(set(reader.patients))} patients of one archive "
        "with the levels of their items from a table. The slice encoder learned from phantoms alone; of the studies "
        f"from which the items were learned, {archive.share:.0%} were the archive's."
        f"{calibrating if validation.studies else ''} No text of a person's report was used.",
    )
