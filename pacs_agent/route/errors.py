"""What can be wrong with routing rules and with what they are asked about."""


class WrongRules(ValueError):
    """Rules that cannot be put in force. `line` counts from 1; `field` is the path inside the document."""

    def __init__(self, text: str, *, line: int | None = None, field: str = "") -> None:
        self.line = line
        self.field = field
        place = ", ".join(part for part in (f"line {line}" if line else "", field) if part)
        super().__init__(f"{place}: {text}" if place else text)


class NoAttributes(ValueError):
    """A file or study whose attributes cannot be read: it is not there, or it is not DICOM."""


class RulesChanged(RuntimeError):
    """Rules that rest on a version which is not in force any more: somebody else was faster."""
