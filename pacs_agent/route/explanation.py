"""Why a rule did or did not match: the values each condition saw, as facts for people and for JSON."""

from pydantic import BaseModel, ConfigDict

SHOWN_VALUES = 10
_JOINS = {"all of": " and ", "any of": " or "}


class Explanation(BaseModel):
    """One condition asked of one study. `parts` are the conditions inside an all, any or not."""

    model_config = ConfigDict(frozen=True)

    condition: str
    held: bool
    saw: tuple[str | float, ...] | None = None
    """The values of the attribute asked about; None for a condition that only joins others."""
    parts: tuple["Explanation", ...] = ()

    @property
    def text(self) -> str:
        """The condition and the values it saw, in one line; many values are cut short."""
        if self.saw is None:
            return self.condition
        shown = [f"{value:g}" if isinstance(value, float) else value for value in self.saw[:SHOWN_VALUES]]
        more = f" and {len(self.saw) - SHOWN_VALUES} more" if len(self.saw) > SHOWN_VALUES else ""
        return f"{self.condition} (saw {', '.join(shown) or 'no value'}{more})"

    @property
    def sentence(self) -> str:
        """What was asked, not what was seen, as one sentence."""
        parts = [part.sentence if not part.parts else f"({part.sentence})" for part in self.parts]
        if not parts:
            return self.condition
        return f"not {parts[0]}" if self.condition == "not" else _JOINS[self.condition].join(parts)

    def lines(self, depth: int = 0) -> list[str]:
        """The tree as indented text, one condition a line."""
        own = f"{'  ' * depth}{'✓' if self.held else '✗'} {self.text}"
        return [own, *(line for part in self.parts for line in part.lines(depth + 1))]
