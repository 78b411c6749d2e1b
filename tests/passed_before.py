"""Leaves out test files that passed and of which nothing changed since: `make check` takes as long as what was edited.

pytest --passed-before FILE, which keeps a digest of each test file that passed and of all that it depends on. That is
read off the text: modules of this repository that it imports, and what those import, also where a string names them; of
data, the files beside these modules, and what a string in a test names by its place in the repository. Tests of the
repository itself, right below tests/unit, always run, as do all where there is no git.
"""

import ast
import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

OPTION = "--passed-before"
RUNNING_AGENT = ("pacs-agent", "pacs_agent")
"""A test with the one in a string runs a process of the other, whose modules nobody imports here."""
ENVIRONMENT = ("pyproject.toml", "deploy/constraints.txt")
ALWAYS = PurePosixPath("tests/unit")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
"""A text that may name a module, as those do that are loaded or replaced by name."""


class Said(NamedTuple):
    """What a module names: dotted names that it imports, and texts."""

    imports: tuple[str, ...]
    texts: tuple[str, ...]


class Direct(NamedTuple):
    """What one module depends on itself."""

    modules: frozenset[str]
    data: frozenset[str]


def said_in(source: str) -> Said:
    """Imports on any level, relative ones with their dots. Raises SyntaxError."""
    imports, texts = set[str](), set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            imports.update({base, *(f"{base}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            texts.add(node.value)
    return Said(tuple(sorted(imports)), tuple(sorted(texts)))


class Repository:
    """The files of a work tree, and which of them a test file depends on."""

    def __init__(self, root: Path, files: Iterable[str]) -> None:
        self.root = root
        self.files = {name for name in files if (root / name).is_file()}
        self._top = {PurePosixPath(name).parts[0] for name in self.files}

    @classmethod
    def of_git(cls, root: Path) -> "Repository | None":
        """Tracked files and those that git would not ignore; None where there is no git."""
        listing = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        try:
            listed = subprocess.run(listing, capture_output=True, check=True, text=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return cls(root, listed.stdout.split("\0"))

    def digest(self, test_file: str) -> str:
        """SHA-256 over a test file, all that it depends on, and the versions it runs with."""
        parts = [platform.python_version()]
        for name in sorted({*self.depends_on(test_file), *ENVIRONMENT} & self.files):
            parts.append(f"{name} {self._content(name)}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def depends_on(self, test_file: str) -> set[str]:
        """Modules and data; the file itself is among them."""
        found, data, left = set[str](), set[str](), {test_file, *self._conftests(test_file)}
        while left:
            found |= left
            direct = [self._direct(name) for name in left]
            data.update(*(one.data for one in direct))
            left = set[str]().union(*(one.modules for one in direct)) - found
        return found | data

    @cache  # noqa: B019  # of one run
    def _direct(self, name: str) -> Direct:
        said, place = said_in((self.root / name).read_text(encoding="utf-8")), PurePosixPath(name)
        named = (*said.imports, *(text for text in said.texts if DOTTED.fullmatch(text)))
        modules = {each for dotted in named for each in self._modules(dotted, place)}
        data = set(self._data_beside.get(str(place.parent), ()))
        if place.parts[0] == "tests":
            data.update(each for text in said.texts for each in self._named(text))
        return Direct(frozenset(modules), frozenset(data))

    def _conftests(self, name: str) -> Iterator[str]:
        for folder in PurePosixPath(name).parents:
            if (found := str(folder / "conftest.py")) in self.files:
                yield found

    def _modules(self, dotted: str, of: PurePosixPath) -> Iterator[str]:
        """The file of a module and those of the packages around it; of tests also modules beside them."""
        dots = len(dotted) - len(dotted.lstrip("."))
        names = dotted.lstrip(".").split(".")
        bases = [of.parents[dots - 1]] if dots else [PurePosixPath()]
        if not dots and of.parts[0] == "tests":
            bases.append(of.parent)
        for base in bases:
            for length in range(len(names) + 1):
                place = base.joinpath(*names[:length])
                for file in (f"{place}.py", str(place / "__init__.py")):
                    if file in self.files:
                        yield file

    @cached_property
    def _data_beside(self) -> dict[str, set[str]]:
        """Files that are no modules, by the nearest folder above them that has modules."""
        folders = {str(PurePosixPath(name).parent) for name in self.files if name.endswith(".py")}
        found: dict[str, set[str]] = {}
        for name in self.files:
            if not name.endswith(".py"):
                above = (str(folder) for folder in PurePosixPath(name).parents if str(folder) in folders)
                found.setdefault(next(above, "."), set()).add(name)
        return found

    def _named(self, text: str) -> set[str]:
        """Files at or below the place that a text names, as far as there is such a place."""
        parts = PurePosixPath(text).parts
        if parts[:1] == RUNNING_AGENT[:1]:
            parts = RUNNING_AGENT[1:]
        if not parts or parts[0] not in self._top:
            return set()
        return self._below("/".join(parts)) or self._below(parts[0])

    @cache  # noqa: B019  # of one run
    def _below(self, place: str) -> set[str]:
        return {name for name in self.files if name == place or name.startswith(f"{place}/")}

    @cache  # noqa: B019  # of one run
    def _content(self, name: str) -> str:
        return hashlib.sha256((self.root / name).read_bytes()).hexdigest()


class PassedBefore:
    """The plugin of one run: leaves files out, and notes those that passed."""

    def __init__(self, kept: Path, repository: Repository, chosen: str) -> None:
        """`chosen` says by what tests are chosen: a file that passed with other markers has not passed."""
        self.kept, self.repository, self.chosen = kept, repository, chosen
        self.known: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
        self.left_out = 0
        self.passed: dict[str, str] = {}
        self.failed = set[str]()

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """True for a test file that passed as it is."""
        name = self._name(collection_path)
        if not collection_path.name.startswith("test_") or PurePosixPath(name).parent == ALWAYS:
            return None
        digest = self.repository.digest(name)
        if self.known.get(self._key(name)) == digest:
            self.left_out += 1
            return True
        self.passed[name] = digest
        return None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported has not passed."""
        if report.failed:
            self.failed.add(report.nodeid.partition("::")[0])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Neither has one of which a test failed."""
        if report.failed:
            self.failed.add(report.nodeid.partition("::")[0])

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Notes what passed, unless the run was cut; that nothing is left to run is no failure."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            return
        noted = {self._key(name): digest for name, digest in self.passed.items() if name not in self.failed}
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_text(json.dumps(self.known | noted, indent=0, sort_keys=True))
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.left_out:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says how many files were left out."""
        if self.left_out:
            line = f"{self.left_out} test files left out: they passed, and nothing of theirs has changed since"
            terminalreporter.write_line(line)

    def _name(self, path: Path) -> str:
        root = self.repository.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()

    def _key(self, name: str) -> str:
        return f"{name} {self.chosen}"


def register(config: pytest.Config, root: Path) -> None:
    """Puts the plugin to work where it is asked for, all of a file is run, and there is git."""
    kept = config.getoption(OPTION)
    if not kept or config.getoption("keyword") or any("::" in each for each in config.args):
        return
    repository = Repository.of_git(root)
    if repository is not None:
        config.pluginmanager.register(PassedBefore(Path(kept), repository, str(config.getoption("markexpr"))))
