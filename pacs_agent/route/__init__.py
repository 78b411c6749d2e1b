"""Which pipeline reads a study, with which priority, and where its results go; what series are that tell it wrongly.

In: rules as YAML and the attributes of a study. Out: a Decision that explains every condition and says what met what is
expected, and corrections for `imaging.group_study`. Fails with WrongRules (naming line, rule, field) and NoAttributes.
"""

from pacs_agent.route.attributes import StudyAttributes, attributes_of_file, attributes_of_study
from pacs_agent.route.conditions import Attributes
from pacs_agent.route.corrections import Corrector, SeriesCorrection
from pacs_agent.route.document import Document, read_document
from pacs_agent.route.dry_run import DryRun, Order, StudyTried, dry_run
from pacs_agent.route.errors import NoAttributes, RulesChanged, WrongRules
from pacs_agent.route.expects import Expects, IfIncomplete
from pacs_agent.route.explanation import Explanation
from pacs_agent.route.in_force import (
    RulesVersion,
    difference,
    put_rules,
    rules_in_force,
    rules_text,
    rules_version,
    versions_of_rules,
)
from pacs_agent.route.met import Expectation, Expected, expected_of, series_left
from pacs_agent.route.order import moved
from pacs_agent.route.pipeline import PipelineAsked, pipeline_asked
from pacs_agent.route.rules import LOWEST_PRIORITY, Decision, Rule, RuleBook, RuleOutcome

__all__ = [
    "LOWEST_PRIORITY",
    "Attributes",
    "Corrector",
    "Decision",
    "Document",
    "DryRun",
    "Expectation",
    "Expected",
    "Expects",
    "Explanation",
    "IfIncomplete",
    "NoAttributes",
    "Order",
    "PipelineAsked",
    "Rule",
    "RuleBook",
    "RuleOutcome",
    "RulesChanged",
    "RulesVersion",
    "SeriesCorrection",
    "StudyAttributes",
    "StudyTried",
    "WrongRules",
    "attributes_of_file",
    "attributes_of_study",
    "difference",
    "dry_run",
    "expected_of",
    "moved",
    "pipeline_asked",
    "put_rules",
    "read_document",
    "rules_in_force",
    "rules_text",
    "rules_version",
    "series_left",
    "versions_of_rules",
]
