"""The fuzzer itself: `python -m tests.fuzz.fuzzer tests.fuzz.wire --seconds 60` imports a target instrumented."""

import argparse
import importlib
import os
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
WORK = Path(__file__).resolve().parents[2] / "build" / "fuzz"
"""What a run finds; a crash is a file `crash-…` here, to be put into the corpus as `found-…`."""
INSTRUMENTED = ["pacs_agent.receive", "pacs_agent.archive.header"]
LONGEST_BYTES = 1 << 14
SLOWEST_S = 20
MEMORY_MB = 2048


def fuzz() -> None:
    """Runs the target module that is the main program, in this process but with its imports instrumented."""
    spec = sys.modules["__main__"].__spec__
    if spec is None:
        raise RuntimeError("a target is started by python -m")
    os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz.fuzzer", spec.name, *sys.argv[1:]])


def main() -> None:
    """Fuzzes until the time is over, or until something breaks: then the exit code is not 0."""
    import atheris

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.<target>")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=600)
    asked = parser.parse_args()
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(asked.target)
        pace = importlib.import_module("pacs_agent.receive.pace")
    pace.SHARE = 1.0  # nobody else waits for this process
    name = asked.target.rpartition(".")[2]
    found = WORK / name
    found.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": asked.seconds,
        "max_len": LONGEST_BYTES,
        "timeout": SLOWEST_S,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{WORK}/{name}-",
        "print_final_stats": 1,
    }
    words = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(found), str(CORPUS / name)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
