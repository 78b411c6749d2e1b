"""Objects leave for where they are wanted: C-STORE or STOW-RS, each object with a state of its own.

In: the objects of a job (`result_objects`), destinations. Out: rows in `deliveries`, audit lines. Fails with
Unreachable, which may pass, and Refused, which will not; nothing counts as sent before the destination has said so.
"""

from pacs_agent.deliver.answer import Answer, Confirmation, Verdict, Whereabouts
from pacs_agent.deliver.counting import SourceQuery, destination_of
from pacs_agent.deliver.destinations import (
    DestinationInUse,
    DestinationShown,
    NewDestination,
    SecretShown,
    UnknownDestination,
    destinations_shown,
    enable_destination,
    put_destination,
    remove_destination,
    rules_using,
)
from pacs_agent.deliver.dimse import DimseDestination, ScuAddress
from pacs_agent.deliver.errors import (
    DeliveryError,
    NeverConfirmed,
    NotCommitted,
    NotThere,
    Refused,
    Uncommitted,
    Unconfirmed,
    Unreachable,
    WrongSettings,
)
from pacs_agent.deliver.kinds import KINDS, DestinationKind, check_settings, open_destination, probe
from pacs_agent.deliver.means import Means
from pacs_agent.deliver.outbox import Outbox, reset_deliveries, send_deliveries_again
from pacs_agent.deliver.outgoing import Outgoing, outgoing
from pacs_agent.deliver.probing import Probed, echoed, probed
from pacs_agent.deliver.stow import StowAddress, StowDestination
from pacs_agent.deliver.vouching import Vouching

__all__ = [
    "KINDS",
    "Answer",
    "Confirmation",
    "DeliveryError",
    "DestinationInUse",
    "DestinationKind",
    "DestinationShown",
    "DimseDestination",
    "Means",
    "NeverConfirmed",
    "NewDestination",
    "NotCommitted",
    "NotThere",
    "Outbox",
    "Outgoing",
    "Probed",
    "Refused",
    "ScuAddress",
    "SecretShown",
    "SourceQuery",
    "StowAddress",
    "StowDestination",
    "Uncommitted",
    "Unconfirmed",
    "UnknownDestination",
    "Unreachable",
    "Verdict",
    "Vouching",
    "Whereabouts",
    "WrongSettings",
    "check_settings",
    "destination_of",
    "destinations_shown",
    "echoed",
    "enable_destination",
    "open_destination",
    "outgoing",
    "probe",
    "probed",
    "put_destination",
    "remove_destination",
    "reset_deliveries",
    "rules_using",
    "send_deliveries_again",
]
