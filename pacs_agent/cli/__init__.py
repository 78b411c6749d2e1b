"""The command line: `pacs-agent`.

In: what an administrator types. Out: tables for people, JSON for programs (`--json` on every listing). A wrong call
or a wrong setting ends with exit code 2 and a sentence that says what to do; a failed act with exit code 1.
"""

from pacs_agent.cli.main import main

__all__ = ["main"]
