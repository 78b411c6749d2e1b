"""Numbers out of attributes that may be missing, empty, of the wrong multiplicity, NaN or infinite."""

import math

from pydicom import Dataset, Sequence


class MalformedAttribute(ValueError):
    """An attribute that is there but does not hold the finite numbers it must."""

    def __init__(self, keyword: str, value: object, wanted: str) -> None:
        super().__init__(f"{keyword} is {str(value)[:80]!r}; {wanted} needed")


def text(dataset: Dataset, keyword: str) -> str:
    """The text of an attribute, its values joined by a backslash; empty when it is missing."""
    value = dataset.get(keyword)
    return "\\".join(values(dataset, keyword)) if value is not None else ""


def values(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of an attribute as text, none when it is missing or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    several = isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(value, (str, bytes)))
    return tuple(str(item).strip() for item in value) if several else (str(value).strip(),)


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, or None when the attribute is missing or empty. Raises MalformedAttribute."""
    wanted = f"{count} finite number{'s' if count > 1 else ''}"
    try:
        found = values(dataset, keyword)
        parsed = tuple(float(item) for item in found)
    except (ValueError, TypeError, OverflowError) as error:
        raise MalformedAttribute(keyword, error, wanted) from error
    if not found:
        return None
    if len(parsed) != count or not all(math.isfinite(number) for number in parsed):
        raise MalformedAttribute(keyword, "\\".join(found), wanted)
    return parsed


def number(dataset: Dataset, keyword: str) -> float | None:
    """One finite number, or None when the attribute is missing or empty. Raises MalformedAttribute."""
    found = numbers(dataset, keyword, 1)
    return found[0] if found else None


def whole_number(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """A whole number, `default` when the attribute is missing or empty. Raises MalformedAttribute."""
    found = number(dataset, keyword)
    if found is not None and found != int(found):
        raise MalformedAttribute(keyword, found, "a whole number is")
    return default if found is None else int(found)


def first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, or None when it is missing or empty."""
    sequence = dataset.get(keyword)
    return sequence[0] if isinstance(sequence, Sequence) and len(sequence) else None
