"""The rooms of the agent stand in the order of a study's way, and calls go one way (docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "pacs_agent"

STORY = (
    *("receive", "archive", "assemble", "route", "imaging", "inference", "ahead", "results", "deliver", "bring_in"),
    *("pipeline", "review", "configuration", "console", "cli"),
)
"""A study's way. The pipeline stands after the rooms that its steps call: imaging to deliver."""
GROUND = ("config", "db", "ops", "accounts")
"""What every room stands on; it knows nothing of the way."""

EXCEPTIONS = {
    ("receive", "archive"): "what is received is stored there before Success is answered",
    ("assemble", "route"): "a study that is complete is handed to the rules",
    ("route", "imaging"): "rules say what a series is in imaging's words",
    ("ops.doctor", "route"): "the doctor looks into every room",
    ("ops.doctor", "inference"): "the doctor looks into every room",
    ("ops.doctor", "deliver"): "the doctor looks into every room",
}
"""Imports against the direction, of a room or of one module of it, and why they are."""

OPEN_MODULES = {
    "accounts.roles": "the roles alone, without the database",
    "archive.dicomweb": "a room within the room: DICOMweb over the archive",
    "console.viewer": "a room within the room: the viewer's files",
    "imaging.accept": "bundles say by it which images they take",
    "imaging.series": "what imaging gives, without decoders of pixels",
    "inference.attributes": "what a reading says, without onnxruntime",
    "inference.reading": "what a reading says, without onnxruntime",
    "inference.report": "the order of a report's sentences",
    "receive.services": "statuses of PS3.7",
    "receive.identity": "what a UID is, for DICOMweb, which stands between receive and archive",
    "receive.intake": "for STOW-RS, which stands between receive and archive",
    "receive.refusal": "for STOW-RS, which stands between receive and archive",
    "review.reviewers": "how long a panel is remembered",
}
"""Modules that another room imports past the room's door, which is its `__init__.py`. Anything of `ops` may be."""


class Import(NamedTuple):
    """One import of another room: `results.codes` imports `review.model`, and of it the names."""

    importer: str
    imported: str
    names: tuple[str, ...]

    @property
    def rooms(self) -> tuple[str, str]:
        return room_of(self.importer), room_of(self.imported)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> Iterator[Import]:
    """The imports of other rooms in one file, those inside functions too."""
    importer = module_of(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        for module, names in imported_modules(node):
            if module and room_of(module) != room_of(importer):
                yield Import(importer, module, names)


def imported_modules(node: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a statement imports of the package, without `pacs_agent.` before it."""
    if isinstance(node, ast.ImportFrom) and node.module == "pacs_agent":
        yield from ((each.name, ()) for each in node.names if each.name != "__version__")
    elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pacs_agent."):
        yield str(node.module).removeprefix("pacs_agent."), tuple(each.name for each in node.names)
    elif isinstance(node, ast.Import):
        yield from (
            (each.name.removeprefix("pacs_agent."), ()) for each in node.names if each.name.startswith("pacs_agent.")
        )


FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if "migrations" not in file.parts]
IMPORTS = [each for file in FILES if file.parent != PACKAGE for each in imports_of(file)]


def falls_under(each: Import, importer: str, room: str) -> bool:
    return f"{each.importer}.".startswith(f"{importer}.") and each.rooms[1] == room


def is_excepted(each: Import) -> bool:
    return any(falls_under(each, *exception) for exception in EXCEPTIONS)


def test_every_folder_is_a_room_of_the_story() -> None:
    folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert folders <= {*STORY, *GROUND}, "say in STORY or GROUND where the new folder stands"


@pytest.mark.parametrize("room", STORY)
def test_a_room_imports_only_earlier_ones(room: str) -> None:
    earlier = {*STORY[: STORY.index(room)], *GROUND}
    wrong = [each for each in IMPORTS if each.rooms[0] == room and each.rooms[1] not in earlier]
    assert [each for each in wrong if not is_excepted(each)] == []


@pytest.mark.parametrize("room", GROUND)
def test_the_ground_knows_no_room(room: str) -> None:
    wrong = [each for each in IMPORTS if each.rooms[0] == room and each.rooms[1] not in GROUND]
    assert [each for each in wrong if not is_excepted(each)] == []


def test_nothing_but_the_command_line_imports_the_console() -> None:
    assert {each.rooms[0] for each in IMPORTS if each.rooms[1] == "console"} <= {"cli"}


def test_a_room_is_entered_by_its_door() -> None:
    past_it = {each.imported for each in IMPORTS if "." in each.imported and each.rooms[1] != "ops"}
    assert past_it <= OPEN_MODULES.keys(), "export the name in the room's __init__.py and import it from there"


def test_nobody_uses_what_another_room_keeps_to_itself() -> None:
    private = [each for each in IMPORTS for name in (*each.imported.split("."), *each.names) if is_private(name)]
    assert private == []


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_every_exception_is_still_needed() -> None:
    assert {one for one in EXCEPTIONS for each in IMPORTS if falls_under(each, *one)} == EXCEPTIONS.keys()
    assert {each.imported for each in IMPORTS} >= OPEN_MODULES.keys()
