"""Figures and rows as Markdown."""

from collections.abc import Sequence

from models.evaluation.metrics import Figure


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as a table, the first as its heading."""
    heading, *others = (f"| {' | '.join(row)} |" for row in rows)
    return [heading, "|" + "---|" * len(rows[0]), *others]


def cell(one: Figure) -> str:
    """A figure with its interval."""
    if one["value"] is None:
        return "–"
    if one["low"] is None:
        return f"{one['value']:.2f}"
    return f"{one['value']:.2f} ({one['low']:.2f}–{one['high']:.2f})"
