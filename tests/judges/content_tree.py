"""An SR content tree as nodes that are easy to walk."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Node:
    """A content item and those under it."""

    item: Dataset
    children: tuple["Node", ...]

    @property
    def value_type(self) -> str:
        return str(self.item.get("ValueType", ""))

    @property
    def relationship(self) -> str:
        return str(self.item.get("RelationshipType", ""))

    @property
    def code(self) -> tuple[str, str]:
        """Value and scheme of the concept name; empty without one."""
        names = self.item.get("ConceptNameCodeSequence")
        return code(names[0]) if names else ("", "")

    @property
    def name(self) -> str:
        names = self.item.get("ConceptNameCodeSequence")
        return str(names[0].get("CodeMeaning", "")) if names else ""

    def walk(self) -> Iterator["Node"]:
        """The node itself and all under it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()


def tree(item: Dataset) -> Node:
    """The content tree under an item; a document is its own root."""
    return Node(item, tuple(tree(child) for child in item.get("ContentSequence", [])))


def code(item: Dataset) -> tuple[str, str]:
    """Value and scheme of a code item. PS3.3 8.8."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    return str(value), str(item.get("CodingSchemeDesignator", ""))


def named(node: Node, value: str, *, deep: bool = True) -> Iterator[Node]:
    """The nodes whose concept name has this code value: anywhere under a node, or only right under it."""
    for each in node.walk() if deep else node.children:
        if each.code[0] == value:
            yield each
