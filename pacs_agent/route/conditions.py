"""The conditions a rule can set. A condition about an attribute holds when any of the study's values satisfies it.

With `all_values: true` there must be a value and every value must satisfy it. A further kind of condition is a class
here, its name in _KINDS and a line in Condition.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from typing_extensions import override

from pacs_agent.imaging import Stack
from pacs_agent.route.explanation import Explanation
from pacs_agent.route.keywords import checked_keyword
from pacs_agent.route.limits import Limits
from pacs_agent.route.stacks import WantedStack, WithStacks

Value: TypeAlias = str | float
Attributes: TypeAlias = Mapping[str, tuple[Value, ...]]
"""For each keyword the distinct values over the instances of a study; numbers for attributes with a numeric VR."""

MAX_PATTERN_CHARACTERS = 1000
_DECIMAL = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$", re.ASCII)


def number(value: Value) -> float | None:
    """The finite number a value stands for, or None. PS3.5 6.2, value representation DS."""
    if isinstance(value, str):
        value = float(value) if _DECIMAL.match(value) else math.nan
    return value if math.isfinite(value) else None


def _same(value: Value, wanted: str) -> bool:
    return value == wanted if isinstance(value, str) else value == number(wanted)


class _Condition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def keywords(self) -> frozenset[str]:
        """The attributes that must be known to answer."""
        raise NotImplementedError

    def explain(self, attributes: Attributes) -> Explanation:
        """Whether it holds, and why."""
        raise NotImplementedError

    def may_hold(self, known: Attributes) -> bool:
        """Whether it holds, or may where it asks for stacks, or for an attribute of which nothing is known yet."""
        is_open = self.asks_stacks or not self.keywords() <= set(known)
        return is_open or self.explain(known).held

    def stacks_meant(self, attributes: Attributes) -> tuple[Stack, ...]:
        """Of a condition that holds the stacks by which it does, each once; none where it asks for none."""
        return ()

    @property
    def asks_stacks(self) -> bool:
        """Whether it, or a part of it, is about stacks."""
        return False


class _AboutAttribute(_Condition):
    attribute: Annotated[str, AfterValidator(checked_keyword)]
    all_values: bool = False

    @override
    def keywords(self) -> frozenset[str]:
        return frozenset({self.attribute})

    @override
    def explain(self, attributes: Attributes) -> Explanation:
        values = attributes.get(self.attribute, ())
        return Explanation(condition=self.text(), held=self._holds(values), saw=values)

    def _holds(self, values: tuple[Value, ...]) -> bool:
        if self.all_values:
            return bool(values) and all(self.satisfied_by(value) for value in values)
        return any(self.satisfied_by(value) for value in values)

    def satisfied_by(self, value: Value) -> bool:
        """Whether one value satisfies the condition."""
        raise NotImplementedError

    def text(self) -> str:
        """The condition in words."""
        every = "every " if self.all_values else ""
        return f"{every}{self.attribute} {self.wanted()}"

    def wanted(self) -> str:
        """What is asked of the value, in words."""
        raise NotImplementedError


class Equals(_AboutAttribute):
    """The value is exactly this; numbers are compared as numbers, so 1.0 equals 1."""

    equals: str

    @override
    def satisfied_by(self, value: Value) -> bool:
        return _same(value, self.equals)

    @override
    def wanted(self) -> str:
        return f"equals {self.equals!r}"


class In(_AboutAttribute):
    """The value is one of these."""

    in_: tuple[str, ...] = Field(alias="in", min_length=1)

    @override
    def satisfied_by(self, value: Value) -> bool:
        return any(_same(value, wanted) for wanted in self.in_)

    @override
    def wanted(self) -> str:
        return f"in {list(self.in_)}"


def _compiled(pattern: str) -> Any:
    """The pattern as RE2 understands it. Raises ValueError."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
        raise ValueError(f"{pattern!r} is not an RE2 pattern: {reason}") from error


def _checked_pattern(pattern: str) -> str:
    _compiled(pattern)
    return pattern


class Regex(_AboutAttribute):
    """The value contains a match. RE2 syntax: linear time, so no pattern and no value can hold the agent up."""

    regex: Annotated[str, Field(max_length=MAX_PATTERN_CHARACTERS), AfterValidator(_checked_pattern)]

    @cached_property
    def _pattern(self) -> Any:
        return _compiled(self.regex)

    @override
    def satisfied_by(self, value: Value) -> bool:
        return self._pattern.search(value if isinstance(value, str) else f"{value:g}") is not None

    @override
    def wanted(self) -> str:
        return f"matches {self.regex!r}"


class Range(_AboutAttribute):
    """The value is a number within limits. What is not a finite number is outside."""

    range: Limits

    @override
    def satisfied_by(self, value: Value) -> bool:
        return self.range.holds(number(value))

    @override
    def wanted(self) -> str:
        words = self.range.in_words()
        return f"is a number {words}" if words.startswith("from") else f"is a number of {words}"


class Exists(_AboutAttribute):
    """The attribute has a value (true), or has none in the whole study (false)."""

    exists: bool
    all_values: Literal[False] = False

    @override
    def _holds(self, values: tuple[Value, ...]) -> bool:
        return bool(values) == self.exists

    @override
    def wanted(self) -> str:
        return "has a value" if self.exists else "has no value"


class HasStack(_Condition):
    """Some stack of the images is what is asked for."""

    stack: WantedStack

    @override
    def keywords(self) -> frozenset[str]:
        return frozenset()

    @override
    def explain(self, attributes: Attributes) -> Explanation:
        saw = tuple(dict.fromkeys(f"“{stack.name}”" for stack in _stacks(attributes)))
        held = bool(self.stacks_meant(attributes))
        return Explanation(condition=f"a stack of {self.stack.in_words()}", held=held, saw=saw)

    @override
    def stacks_meant(self, attributes: Attributes) -> tuple[Stack, ...]:
        return tuple(stack for stack in _stacks(attributes) if self.stack.is_met_by(stack))

    @property
    @override
    def asks_stacks(self) -> bool:
        return True


class All(_Condition):
    """Every part holds; without parts it always holds."""

    all: tuple["Condition", ...]

    @override
    def keywords(self) -> frozenset[str]:
        return frozenset().union(*(part.keywords() for part in self.all))

    @override
    def explain(self, attributes: Attributes) -> Explanation:
        parts = tuple(part.explain(attributes) for part in self.all)
        text = "all of" if parts else "every study"
        return Explanation(condition=text, held=all(part.held for part in parts), parts=parts)

    @override
    def may_hold(self, known: Attributes) -> bool:
        return all(part.may_hold(known) for part in self.all)

    @override
    def stacks_meant(self, attributes: Attributes) -> tuple[Stack, ...]:
        return stacks_meant_by(self.all, attributes)

    @property
    @override
    def asks_stacks(self) -> bool:
        return any_asks_stacks(self.all)


class AnyOf(_Condition):
    """At least one part holds; without parts it never holds."""

    any: tuple["Condition", ...]

    @override
    def keywords(self) -> frozenset[str]:
        return frozenset().union(*(part.keywords() for part in self.any))

    @override
    def explain(self, attributes: Attributes) -> Explanation:
        parts = tuple(part.explain(attributes) for part in self.any)
        return Explanation(condition="any of", held=any(part.held for part in parts), parts=parts)

    @override
    def may_hold(self, known: Attributes) -> bool:
        return any(part.may_hold(known) for part in self.any)

    @override
    def stacks_meant(self, attributes: Attributes) -> tuple[Stack, ...]:
        return stacks_meant_by(self.any, attributes)

    @property
    @override
    def asks_stacks(self) -> bool:
        return any_asks_stacks(self.any)


class Not(_Condition):
    """The part does not hold. Of an attribute that is missing everywhere every such statement holds."""

    not_: "Condition" = Field(alias="not")

    @override
    def keywords(self) -> frozenset[str]:
        return self.not_.keywords()

    @override
    def explain(self, attributes: Attributes) -> Explanation:
        part = self.not_.explain(attributes)
        return Explanation(condition="not", held=not part.held, parts=(part,))

    @property
    @override
    def asks_stacks(self) -> bool:
        return self.not_.asks_stacks


def _stacks(attributes: Attributes) -> Sequence[Stack]:
    return attributes.stacks if isinstance(attributes, WithStacks) else ()


def stacks_meant_by(parts: Iterable["Condition"], attributes: Attributes) -> tuple[Stack, ...]:
    """The stacks by which those of the conditions hold that do."""
    held = (part for part in parts if part.explain(attributes).held)
    return tuple({id(stack): stack for part in held for stack in part.stacks_meant(attributes)}.values())


def any_asks_stacks(parts: Iterable["Condition"]) -> bool:
    """Whether one of the conditions is about stacks."""
    return any(part.asks_stacks for part in parts)


def about_images(condition: "Condition") -> "Condition":
    """The condition itself. Raises ValueError where it is about stacks: they are asked of what a rule expects."""
    if condition.asks_stacks:
        raise ValueError("a stack can be asked for under `expects` of a rule alone")
    return condition


_KINDS = ("all", "any", "not", "equals", "in", "regex", "range", "exists", "stack")


def _kind_of(content: Any) -> str | None:
    """The tag of a condition, as written or as a model; None, which is refused, unless exactly one kind is named.

    Tags hold a space, so that in the location of an error they are never taken for a name of the document.
    """
    names = (
        set(content)
        if isinstance(content, dict)
        else {name.rstrip("_") for name in getattr(type(content), "__annotations__", ())}
    )
    named = [kind for kind in _KINDS if kind in names]
    return f"kind {named[0]}" if len(named) == 1 else None


Condition: TypeAlias = Annotated[
    Annotated[All, Tag("kind all")]
    | Annotated[AnyOf, Tag("kind any")]
    | Annotated[Not, Tag("kind not")]
    | Annotated[Equals, Tag("kind equals")]
    | Annotated[In, Tag("kind in")]
    | Annotated[Regex, Tag("kind regex")]
    | Annotated[Range, Tag("kind range")]
    | Annotated[Exists, Tag("kind exists")]
    | Annotated[HasStack, Tag("kind stack")],
    Discriminator(
        _kind_of,
        custom_error_type="condition",
        custom_error_message=f"a condition names exactly one of: {', '.join(_KINDS)}",
    ),
]
for _group in (All, AnyOf, Not):
    _group.model_rebuild()
