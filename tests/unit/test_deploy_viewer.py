"""deploy/viewer.sh with stand-ins for Node and npm: what it runs, when it runs it again, and what it says."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "cat", "cut", "find", "mkdir", "sha256sum", "sort")
NPM = """#!/bin/sh
echo "npm $*" >> "$ASKED"
[ "$FAILS" = "${3:-$1}" ] && exit 1
case "$*" in
    *ci*) mkdir -p node_modules ;;
    *build*) mkdir -p dist && : > dist/extension.js ;;
    *fetch-viewer*) mkdir -p viewer && : > viewer/viewer-build.json ;;
esac
exit 0
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the script in a project of its own, by somebody who is not root."""
    programs, project = tmp_path / "bin", tmp_path / "project"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or "")
    put(programs / "id", "#!/bin/sh\necho 1000\n")
    put(programs / "node", "#!/bin/sh\n[ $1 = --version ] && echo v20.20.0 || exit ${OLD:-0}\n")
    put(programs / "npm", NPM)
    for name in ("package.json", "package-lock.json", "tsconfig.json", "viewer.json"):
        put(project / "ohif-extension" / name, "{}")
    for name in ("scripts/build.mjs", "scripts/fetch-viewer.mjs", "scripts/viewer-files.mjs", "src/id.ts"):
        put(project / "ohif-extension" / name, "")

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        asked = {"PATH": str(programs), "ASKED": str(tmp_path / "asked"), "FAILS": "", **environment}
        command = [REPOSITORY / "deploy" / "viewer.sh", *arguments]
        return subprocess.run(command, cwd=project, env=asked, capture_output=True, text=True, timeout=60)

    return run


def asked(tmp_path: Path) -> list[str]:
    """What npm was asked since the last time."""
    file = tmp_path / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_a_second_run_does_nothing_and_a_change_only_what_it_concerns(tmp_path: Path, run: Run) -> None:
    everything = ["npm ci --silent", "npm run --silent build", "npm run --silent fetch-viewer"]
    first = run()
    assert first.returncode == 0
    assert asked(tmp_path) == everything
    assert "making ohif-extension/node_modules" in first.stdout
    second = run()
    assert (second.returncode, second.stdout) == (0, "")
    assert asked(tmp_path) == []
    plugin = tmp_path / "project" / "ohif-extension"
    (plugin / "src" / "id.ts").write_text("export const id = 1;")
    run()
    assert asked(tmp_path) == ["npm run --silent build"]
    (plugin / "package-lock.json").write_text('{"lockfileVersion": 3}')
    run()
    assert asked(tmp_path) == everything[:2]
    shutil.rmtree(plugin / "viewer")
    run()
    assert asked(tmp_path) == everything[2:]


@pytest.mark.parametrize(
    ("fails", "words"),
    [("ci", "is there a network"), ("build", "could not be built"), ("fetch-viewer", "could not be fetched")],
)
def test_a_step_that_fails_is_told_and_taken_again(tmp_path: Path, run: Run, fails: str, words: str) -> None:
    failed = run(FAILS=fails)
    assert failed.returncode == 1
    assert words in failed.stderr
    before = asked(tmp_path)
    going_on = run("optional", FAILS=fails)
    assert going_on.returncode == 0
    assert "make viewer" in going_on.stderr
    assert asked(tmp_path) == before[-1:]
    assert run().returncode == 0


def test_without_node_it_says_what_to_install(tmp_path: Path, run: Run) -> None:
    (tmp_path / "bin" / "node").unlink()
    assert run().returncode == 1
    ended = run("optional")
    assert ended.returncode == 0
    assert "apt-get install nodejs npm" in ended.stderr
    assert asked(tmp_path) == []


def test_an_old_node_is_refused(run: Run) -> None:
    ended = run(OLD="1")
    assert ended.returncode == 1
    assert "v20.20.0" in ended.stderr
