"""The whole configuration as one file: exported, compared with what is in force, and taken over all or not at all.

In: a YAML text without secrets. Out: the difference line by line, and after it was confirmed exactly that change, each
part with its audit line. What may fail: a text that is none (WrongConfiguration), or a state that has changed meanwhile
(StateChanged); nothing has changed then.
"""

from pacs_agent.configuration.document import (
    Configuration,
    WrongConfiguration,
    read_configuration,
    refused_on_import,
    write_configuration,
)
from pacs_agent.configuration.plan import Line, Plan, StateChanged, apply_plan, plan_import
from pacs_agent.configuration.present import configuration_now

__all__ = [
    "Configuration",
    "Line",
    "Plan",
    "StateChanged",
    "WrongConfiguration",
    "apply_plan",
    "configuration_now",
    "plan_import",
    "read_configuration",
    "refused_on_import",
    "write_configuration",
]
