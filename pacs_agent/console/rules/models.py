"""The JSON of the rules' pages."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pacs_agent.console.frame import Done
from pacs_agent.route import DryRun, RuleOutcome, RulesVersion

LARGEST_ID = 2**31 - 1


def _with_plain_ends(text: str) -> str:
    """Browsers send lines that end with CR and LF (HTML, form submission); kept is what was written."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


RulesText = Annotated[str, AfterValidator(_with_plain_ends)]
VersionId = Annotated[int, Field(ge=0, le=LARGEST_ID)]


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Fault(_Told):
    """What is wrong with a text of rules, or with a file."""

    words: str
    line: int | None = None
    """From 1."""
    field: str = ""
    """The path in the document."""


class RuleShown(_Told):
    """One rule, in words."""

    name: str
    when: str
    expects: str
    """Series that must have come, how long they are waited for, and what then; empty when nothing is expected."""
    pipeline: str
    destinations: tuple[str, ...]
    priority: int
    enabled: bool
    goes_on: bool
    """Later rules may match as well."""


class CorrectionShown(_Told):
    """What series are that tell it wrongly, in words."""

    name: str
    when: str
    says: str
    """Such as `weighting T2, plane axial`."""
    enabled: bool


class Editor(_Told):
    """A text of rules that is being edited."""

    text: str
    based_on: int
    """The version in force when the editing began; 0 where there was none."""
    fault: Fault | None = None


class RulesPage(_Told):
    """The rules in force, and how they came to be."""

    version: int
    editor: Editor
    rules: tuple[RuleShown, ...]
    corrections: tuple[CorrectionShown, ...]
    versions: tuple[RulesVersion, ...]
    """Newest first."""


class RulesVersionPage(_Told):
    """One version of the rules."""

    id: int
    created_at: datetime
    created_by: str
    text: str
    difference: tuple[str, ...]
    """From the version before, as lines of a unified diff."""
    from_now: tuple[str, ...]
    """What would change if it were put in force again."""
    in_force: int
    """The id of the version in force."""


class NewRules(_Told):
    """A text to be put in force."""

    text: RulesText
    based_on: VersionId
    """The version that the author saw; 0 where there was none."""


class RulesToCheck(_Told):
    """A text to be checked."""

    text: RulesText


class RulesChecked(Done):
    """Whether a text could be put in force."""

    fault: Fault | None = None


class RuleMove(_Told):
    """A rule to be moved before or behind its neighbour."""

    name: str = Field(min_length=1, max_length=64)
    to: Literal["up", "down"]
    based_on: VersionId


class BasedOn(_Told):
    """The version in force that was seen."""

    based_on: VersionId


class RulesToTest(_Told):
    """A text to be tried on the DICOM file that comes with it."""

    text: RulesText
    based_on: VersionId = 0


class RulesTested(_Told):
    """What rules say of one file, as if it were a whole study: of each rule and condition whether it held, and why."""

    editor: Editor
    file: str
    """Its name."""
    summary: str
    rules: tuple[RuleOutcome, ...]
    corrections: tuple[RuleOutcome, ...] = ()
    """Of each correction whether it is about the image, and why."""
    fault: Fault | None = None


class RulesToTry(RulesToTest):
    """A text to be tried on the studies received last."""

    studies: int = Field(50, ge=1, le=1000)


class RulesTried(_Told):
    """What rules would change for the studies received last."""

    editor: Editor
    studies_asked: int
    run: DryRun | None
    fault: Fault | None = None
