"""`python -m pacs_agent` is `pacs-agent`."""

from pacs_agent.cli import main

main()
