"""A rules document read from YAML without any of YAML's surprises.

Every scalar stays the text as written: NO is the code "NO" and not false, 007 stays 007. Tags, anchors and aliases
are refused, so no document grows when read and no class is ever constructed. Source: YAML 1.1, chapters 3 and 6.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pacs_agent.route.errors import WrongRules

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 24


@dataclass(frozen=True)
class Document:
    """The plain content of a YAML text (str, list, dict) and the line of each part of it."""

    content: Any
    root: yaml.Node

    def place(self, location: Sequence[int | str]) -> tuple[int, str]:
        """The line and the path of a part, or of the closest part around it; names not in the text are skipped."""
        node, path = self.root, ""
        for name in location:
            child = _child(node, name)
            if child is not None:
                node, path = child, path + (f"[{name}]{_name_in(child)}" if isinstance(name, int) else f".{name}")
        return _line(node), path.lstrip(".")


def read_document(text: str) -> Document:
    """The document in a YAML text. Raises WrongRules, naming the line."""
    if len(text) > MAX_CHARACTERS:
        raise WrongRules(f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
    try:
        _refuse_surprises(yaml.parse(text, Loader=yaml.SafeLoader))
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except WrongRules:
        raise
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise WrongRules(f"not YAML: {error.problem or error.context}", line=line) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: characters outside Unicode's range
        raise WrongRules(f"not YAML: {error}") from error
    if root is None:
        raise WrongRules("the document is empty; write `rules: []` for no rules")
    return Document(_plain(root), root)


def _refuse_surprises(events: Iterator[yaml.Event]) -> None:
    """Checks the stream of events before anything is built from it, since building is recursive."""
    depth = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise WrongRules("anchors and aliases are not allowed; write the part out", line=line)
        if tag := getattr(event, "tag", None):
            raise WrongRules(f"tags such as {tag} are not allowed", line=line)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise WrongRules(f"nested deeper than {MAX_DEPTH} levels", line=line)


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child) for child in node.value]
    return _mapping(node)


def _mapping(node: yaml.Node) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise WrongRules("a name must be a plain word", line=_line(key))
        if key.value in content:
            raise WrongRules(f"{key.value} is given twice", line=_line(key))
        content[key.value] = _plain(value)
    return content


def _child(node: yaml.Node, name: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(name, int) and name < len(node.value):
        child: yaml.Node = node.value[name]
        return child
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == name), None)
    return None


def _name_in(node: yaml.Node) -> str:
    name = _child(node, "name")
    return f" ({name.value})" if isinstance(name, yaml.ScalarNode) else ""


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
