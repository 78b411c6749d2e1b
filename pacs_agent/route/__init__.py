"""Which pipeline reads a study, with which priority, and where its results go.

In: rules as YAML and the attributes of a study. Out: a Decision that explains every condition. Fails with WrongRules
(naming line, rule and field) and NoAttributes.
"""

from pacs_agent.route.attributes import StudyAttributes, attributes_of_file, attributes_of_study
from pacs_agent.route.conditions import Attributes
from pacs_agent.route.errors import NoAttributes, WrongRules
from pacs_agent.route.explanation import Explanation
from pacs_agent.route.in_force import put_rules, rules_in_force, rules_text
from pacs_agent.route.rules import LOWEST_PRIORITY, Decision, Rule, RuleBook, RuleOutcome

__all__ = [
    "LOWEST_PRIORITY",
    "Attributes",
    "Decision",
    "Explanation",
    "NoAttributes",
    "Rule",
    "RuleBook",
    "RuleOutcome",
    "StudyAttributes",
    "WrongRules",
    "attributes_of_file",
    "attributes_of_study",
    "put_rules",
    "rules_in_force",
    "rules_text",
]
