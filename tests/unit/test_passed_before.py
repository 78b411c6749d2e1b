"""`make check` leaves out what passed, and never what anything that it depends on was changed of."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.passed_before import Repository, said_in

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ("__init__.py", "console/__init__.py", "console/pages/one.html")
FILES = {
    "pacs_agent/__init__.py": "",
    "pacs_agent/receive/__init__.py": "from pacs_agent.receive.pace import rest",
    "pacs_agent/receive/pace.py": "def rest(): from ..archive import store",
    "pacs_agent/archive/__init__.py": "import struct",
    "pacs_agent/archive/store.py": "",
    "pacs_agent/console/__init__.py": "",
    "pacs_agent/console/pages/one.html": "",
    "docs/operations.md": "",
    "models/bundles/one/manifest.json": "",
    "tests/conftest.py": "",
    "tests/peers/__init__.py": "RUN = ['pacs-agent', 'run']",
    "tests/unit/receive/cases.py": "",
    "tests/unit/receive/test_receive.py": "import cases\nimport pacs_agent.receive",
    "tests/unit/receive/test_bundles.py": "HERE = ROOT / 'models' / 'bundles'",
    "tests/unit/console/test_console.py": "import importlib\nimportlib.import_module('pacs_agent.console')",
    "tests/unit/console/test_running.py": "import tests.peers",
    "tests/unit/console/test_docs.py": "'docs/operations.md'",
}

AGENT = {name for name in FILES if name.startswith("pacs_agent/")}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return Repository(tmp_path, FILES)


@pytest.mark.parametrize(
    ("test_file", "needs"),
    [
        (
            "receive/test_receive",
            {
                *("tests/unit/receive/cases.py", "pacs_agent/__init__.py", "pacs_agent/receive/__init__.py"),
                *("pacs_agent/receive/pace.py", "pacs_agent/archive/__init__.py", "pacs_agent/archive/store.py"),
            },
        ),
        ("receive/test_bundles", {"models/bundles/one/manifest.json"}),
        (
            "console/test_console",
            {f"pacs_agent/{name}" for name in ("__init__.py", "console/__init__.py", "console/pages/one.html")},
        ),
        (
            "console/test_running",
            {"tests/peers/__init__.py", *(name for name in FILES if name.startswith("pacs_agent/"))},
        ),
        ("console/test_docs", {"docs/operations.md"}),
    ],
)
def test_a_test_depends_on_what_it_names(repository: Repository, test_file: str, needs: set[str]) -> None:
    name = f"tests/unit/{test_file}.py"
    assert repository.depends_on(name) == {name, "tests/conftest.py", *needs}


def test_any_change_of_what_it_depends_on_changes_its_digest(repository: Repository) -> None:
    name = "tests/unit/receive/test_receive.py"
    before = repository.digest(name)
    for changed in repository.depends_on(name):
        kept = (repository.root / changed).read_text()
        (repository.root / changed).write_text(f"{kept}\n# changed")
        assert Repository(repository.root, FILES).digest(name) != before
        (repository.root / changed).write_text(kept)
    (repository.root / "docs/operations.md").write_text("changed")
    assert Repository(repository.root, FILES).digest(name) == before


def test_relative_imports_keep_their_dots() -> None:
    assert said_in("from ..archive import store").imports == ("..archive", "..archive.store")


def test_a_real_test_file_depends_on_the_real_modules_it_is_of() -> None:
    repository = Repository.of_git(ROOT)
    if repository is None:
        pytest.skip("no git here")
    needs = repository.depends_on("tests/unit/receive/test_receive_pace.py")
    assert "pacs_agent/receive/pace.py" in needs and "tests/conftest.py" in needs
    assert not any(name.startswith("models/") for name in needs)


@pytest.mark.slow
def test_what_passed_is_left_out_until_it_changes_and_what_failed_is_not(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from tests import passed_before\n"
        "def pytest_addoption(parser): parser.addoption(passed_before.OPTION)\n"
        "def pytest_configure(config): passed_before.register(config, Path(__file__).parent)\n"
    )
    (tmp_path / "test_good.py").write_text("import number\ndef test_it(): assert number.ONE == 1\n")
    (tmp_path / "number.py").write_text("ONE = 1\n")
    (tmp_path / "test_bad.py").write_text("def test_it(): assert False\n")
    (tmp_path / ".gitignore").write_text("__pycache__/\nkept.json\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def run() -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--passed-before", "kept.json"]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout

    assert "1 failed, 1 passed" in run()
    assert "1 failed in" in (again := run()) and "1 test files left out" in again
    (tmp_path / "number.py").write_text("ONE = 2\n")
    assert "2 failed in" in run()
    (tmp_path / "test_bad.py").write_text("def test_it(): pass\n")
    (tmp_path / "number.py").write_text("ONE = 1\n")
    run()
    assert "2 test files left out" in run()
