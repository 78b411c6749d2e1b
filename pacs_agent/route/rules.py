"""Ordered rules: which pipeline reads a study, and where its results go."""

from collections.abc import Collection, Sequence
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pacs_agent.route.attributes import StudyAttributes
from pacs_agent.route.conditions import All, Attributes, Condition, about_images
from pacs_agent.route.corrections import Corrector, SeriesCorrection
from pacs_agent.route.document import Document, read_document
from pacs_agent.route.errors import WrongRules
from pacs_agent.route.expects import Expects, missing
from pacs_agent.route.explanation import Explanation
from pacs_agent.route.met import Expectation, met
from pacs_agent.route.pipeline import NAME, Pipeline

Name: TypeAlias = Annotated[str, Field(pattern=f"^{NAME}$")]
LOWEST_PRIORITY = 1_000_000


class Rule(BaseModel):
    """One rule. A lower priority number runs first; `continue: true` lets later rules match as well."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    when: Annotated[Condition, AfterValidator(about_images)] = All(all=())
    expects: Expects | None = None
    pipeline: Pipeline
    destinations: tuple[Name, ...] = ()
    priority: int = Field(100, ge=1, le=LOWEST_PRIORITY)
    enabled: bool = True
    continue_: bool = Field(False, alias="continue")


class RuleOutcome(BaseModel):
    """What became of one rule and why."""

    model_config = ConfigDict(frozen=True)

    rule: str
    matched: bool
    explanation: Explanation
    expects: Explanation | None = None
    """Whether all that a rule which matches expects has come; None where it expects nothing, or was not asked."""
    met: tuple[Expectation, ...] = Field((), exclude=True)
    """Each thing that it expects, and what of the study met it."""

    def lines(self) -> list[str]:
        """The outcome as text for people, one condition a line."""
        lines = [f"{'✓' if self.matched else '✗'} {self.rule}", *self.explanation.lines(1)]
        if self.expects is None:
            return lines
        return [*lines, f"  {'✓' if self.expects.held else '✗'} expects", *self.expects.lines(2)[1:]]


class Unmet(BaseModel):
    """A rule that matches a study of which something is missing."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    expects: Expects
    words: str
    """What has not come."""


class Decision(BaseModel):
    """Which rules matched a study, in order, and why each rule did or did not."""

    model_config = ConfigDict(frozen=True)

    matched: tuple[Rule, ...]
    rules: tuple[RuleOutcome, ...]

    @property
    def ignored(self) -> bool:
        """True when no rule matched."""
        return not self.matched

    @property
    def summary(self) -> str:
        """The decision in one sentence."""
        if self.ignored:
            return (
                "No rule matches: the study is ignored." if self.rules else "There are no rules: the study is ignored."
            )
        return "; ".join(f"{rule.name} → {rule.pipeline} → {_where(rule)}" for rule in self.matched)

    def met(self, rules: Collection[str]) -> tuple[Expectation, ...]:
        """What these rules expect, and what of the study met it."""
        return tuple(one for outcome in self.rules if outcome.rule in rules for one in outcome.met)

    @property
    def unmet(self) -> tuple[Unmet, ...]:
        """The rules that match and miss something."""
        asked = {outcome.rule: outcome.expects for outcome in self.rules}
        return tuple(
            Unmet(rule=rule, expects=rule.expects, words=missing(rule.expects, explanation))
            for rule in self.matched
            if rule.expects is not None and (explanation := asked[rule.name]) is not None and not explanation.held
        )

    def lines(self) -> list[str]:
        """The explanation as text for people."""
        return [*(line for outcome in self.rules for line in outcome.lines()), self.summary]


def _where(rule: Rule) -> str:
    return ", ".join(rule.destinations) or "own archive only"


class RuleBook(BaseModel):
    """Rules in their order. The first match wins, unless the matching rule says `continue: true`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Rule, ...] = ()
    corrections: tuple[SeriesCorrection, ...] = ()

    @model_validator(mode="after")
    def _distinct_names(self) -> "RuleBook":
        for what, named in (("rule", self.rules), ("correction", self.corrections)):
            names = [one.name for one in named]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} names given twice: {', '.join(twice)}")
        return self

    @classmethod
    def parse(cls, text: str) -> "RuleBook":
        """The rules in a YAML text. Raises WrongRules with the line, the rule and the field that is wrong."""
        document = read_document(text)
        try:
            return cls.model_validate(document.content)
        except ValidationError as error:
            raise _invalid(error, document) from error

    def corrector(self) -> Corrector:
        """The corrections, as `imaging.group_study` takes them."""
        return Corrector(self.corrections)

    def explain_corrections(self, attributes: Attributes) -> tuple[RuleOutcome, ...]:
        """Which corrections are about an image with these attributes, and why each is or is not."""
        asked = [(one, one.explain(attributes)) for one in self.corrections]
        return tuple(
            RuleOutcome(rule=f"{one.name}: {one.is_.in_words()}", matched=explanation.held, explanation=explanation)
            for one, explanation in asked
        )

    def keywords(self) -> frozenset[str]:
        """Every attribute that some enabled rule asks about."""
        return frozenset().union(*(rule.when.keywords() for rule in self.rules if rule.enabled))

    def keywords_of_series(self) -> frozenset[str]:
        """Every attribute that some enabled rule expects something of."""
        return frozenset().union(*(rule.expects.keywords() for rule in self.rules if rule.enabled and rule.expects))

    def decide_study(self, attributes: StudyAttributes, given_up: Collection[str] = ()) -> Decision:
        """Which rules match a study, and what they miss of it. Raises NoAttributes when its files cannot be read.

        `given_up` are rules that do not read it without what they expect; those after them are asked.
        """
        attributes.fetch(self.keywords(), self.keywords_of_series())
        attributes.grouping.correct(self.corrections)
        return self.decide(attributes, attributes.series, given_up)

    def decide(
        self, attributes: Attributes, series: Sequence[Attributes] | None = None, given_up: Collection[str] = ()
    ) -> Decision:
        """Which rules match a study with these attributes, and what they miss of it.

        `series` are the attributes of each series by itself; without them no rule is asked what it expects.
        """
        matched: list[Rule] = []
        outcomes: list[RuleOutcome] = []
        for rule in self.rules:
            over = bool(matched) and not matched[-1].continue_
            not_asked = _why_not_asked(rule, over, rule.name in given_up)
            outcome = _not_asked(rule, not_asked) if not_asked else _outcome(rule, attributes, series)
            outcomes.append(outcome)
            if outcome.matched:
                matched.append(rule)
        return Decision(matched=tuple(matched), rules=tuple(outcomes))


def _why_not_asked(rule: Rule, over: bool, given_up: bool) -> str:
    if over or not rule.enabled:
        return "an earlier rule matched" if over else "the rule is not enabled"
    return "what it expects did not come in time" if given_up else ""


def _not_asked(rule: Rule, why: str) -> RuleOutcome:
    explanation = Explanation(condition=f"not asked: {why}", held=False)
    return RuleOutcome(rule=rule.name, matched=False, explanation=explanation)


def _outcome(rule: Rule, attributes: Attributes, series: Sequence[Attributes] | None) -> RuleOutcome:
    explanation = rule.when.explain(attributes)
    asked = rule.expects if explanation.held and series is not None else None
    expects = asked.explain(series or ()) if asked else None
    found = met(rule.name, asked, series or ()) if asked else ()
    return RuleOutcome(rule=rule.name, matched=explanation.held, explanation=explanation, expects=expects, met=found)


def _invalid(error: ValidationError, document: Document) -> WrongRules:
    """The first thing wrong, told with the author's names; a mistyped name before what it leaves missing."""
    wrong = sorted(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    first = wrong[0]
    line, field = document.place(first["loc"])
    if first["type"] == "missing":
        field = f"{field}.{first['loc'][-1]}"
    known = first["type"] != "extra_forbidden"
    text = first["msg"].removeprefix("Value error, ") if known else "this name is not known here"
    more = f" ({len(wrong) - 1} more)" if wrong[1:] else ""
    return WrongRules(text + more, line=line, field=field)
