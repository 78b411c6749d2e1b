"""What the operator needs: the audit trail, and log lines without patient data.

In: events from every room. Out: rows in the database, lines on standard error. Never an error of its own: a failing
audit write fails the act that it describes.
"""

from pacs_agent.ops.audit import Outcome, audit
from pacs_agent.ops.log import configure_log, get_log

__all__ = ["Outcome", "audit", "configure_log", "get_log"]
