"""Objects leave for where they are wanted: C-STORE or STOW-RS, each object with a state of its own.

In: the objects of a job (`result_objects`), destinations. Out: rows in `deliveries`, audit lines. Fails with
Unreachable, which may pass, and Refused, which will not; nothing counts as sent before the destination has said so.
"""

from pacs_agent.deliver.answer import Answer, Confirmation, Verdict, Whereabouts
from pacs_agent.deliver.dimse import DimseDestination, ScuAddress
from pacs_agent.deliver.errors import DeliveryError, NotThere, Refused, Unreachable, WrongSettings
from pacs_agent.deliver.kinds import KINDS, DestinationKind, check_settings, open_destination, probe
from pacs_agent.deliver.outbox import Outbox, reset_deliveries, send_deliveries_again
from pacs_agent.deliver.outgoing import Outgoing, outgoing
from pacs_agent.deliver.stow import StowAddress, StowDestination

__all__ = [
    "KINDS",
    "Answer",
    "Confirmation",
    "DeliveryError",
    "DestinationKind",
    "DimseDestination",
    "NotThere",
    "Outbox",
    "Outgoing",
    "Refused",
    "ScuAddress",
    "StowAddress",
    "StowDestination",
    "Unreachable",
    "Verdict",
    "Whereabouts",
    "WrongSettings",
    "check_settings",
    "open_destination",
    "outgoing",
    "probe",
    "reset_deliveries",
    "send_deliveries_again",
]
