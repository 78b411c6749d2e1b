"""A rule is moved up or down within the text of the rules; comments and layout stay as they were written."""

from typing import Literal

import yaml

from pacs_agent.route.document import read_document
from pacs_agent.route.errors import WrongRules
from pacs_agent.route.rules import RuleBook


def moved(text: str, name: str, to: Literal["up", "down"]) -> str:
    """The text with one rule before or behind its neighbour; the comments above a rule move with it.

    Raises WrongRules when there is no such rule, no neighbour, or the rules are not written one below the other.
    """
    names = [rule.name for rule in RuleBook.parse(text).rules]
    if name not in names:
        raise WrongRules(f"there is no rule {name!r}; load the page again")
    first = names.index(name) - (1 if to == "up" else 0)
    if not 0 <= first < len(names) - 1:
        raise WrongRules(f"{name!r} is the {'first' if to == 'up' else 'last'} rule already")
    lines = text.splitlines()
    begins = _begins(text, lines)
    one, other, end = begins[first], begins[first + 1], begins[first + 2]
    result = "\n".join([*lines[:one], *lines[other:end], *lines[one:other], *lines[end:]]) + "\n"
    names[first], names[first + 1] = names[first + 1], names[first]
    if [rule.name for rule in RuleBook.parse(result).rules] != names:
        raise WrongRules("these rules are not written one below the other; move them in the text")
    return result


def _begins(text: str, lines: list[str]) -> list[int]:
    """The line, from 0, at which each rule begins with its comments, and the line behind the last one."""
    root = read_document(text).root
    rules = next(value for key, value in root.value if key.value == "rules")
    if rules.flow_style or not isinstance(rules, yaml.SequenceNode):
        raise WrongRules("these rules are written in one line; move them in the text")
    begins = [_with_comments(node.start_mark.line, lines) for node in rules.value]
    last = rules.value[-1].end_mark
    end = last.line if last.column == 0 else last.line + 1
    return [*begins, min(end, len(lines))]


def _with_comments(line: int, lines: list[str]) -> int:
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line
