"""The audit trail: who did what to what, with which outcome, for whoever must prove it afterwards.

In: what is searched for. Out: lines with what was before and after, and exports as CSV and as DICOM audit messages.
What may fail: nothing is changed here; an export is itself an audit line.
"""

from pacs_agent.console.audit_trail.blueprint import audit_trail_blueprint

__all__ = ["audit_trail_blueprint"]
