"""How an association ends before its time."""

from enum import IntEnum


class AbortSource(IntEnum):
    """Who aborts (PS3.8 9.3.8)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the service provider aborts (PS3.8 9.3.8); it has no meaning from a service user."""

    NOT_SPECIFIED = 0
    UNRECOGNISED_PDU = 1
    UNEXPECTED_PDU = 2
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER_VALUE = 6


class Breach(Exception):
    """The peer broke the protocol or a limit: it is sent an A-ABORT. The text is for the audit trail."""

    def __init__(
        self,
        text: str,
        reason: AbortReason = AbortReason.INVALID_PARAMETER_VALUE,
        source: AbortSource = AbortSource.SERVICE_PROVIDER,
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.source = source


class TimeSpent(Breach):
    """The peer took more time than it has."""

    def __init__(self, text: str) -> None:
        super().__init__(text, AbortReason.NOT_SPECIFIED)


class CommandBroken(Breach):
    """A command set that cannot be read: the DIMSE provider, a user of the upper layer, aborts."""

    def __init__(self, text: str) -> None:
        super().__init__(text, AbortReason.NOT_SPECIFIED, AbortSource.SERVICE_USER)


class ProbeOnly(Breach):
    """A release without an association: somebody looked whether DICOM is spoken here."""


class Stopping(Breach):
    """The listener stops."""

    def __init__(self) -> None:
        super().__init__("the listener stops", AbortReason.NOT_SPECIFIED, AbortSource.SERVICE_USER)


class OurFault(Breach):
    """An error of ours. What it says may be of a patient: its kind alone is told."""

    def __init__(self, error: Exception) -> None:
        kind = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        super().__init__(f"an error of ours ({kind})", AbortReason.NOT_SPECIFIED)


class GaveWay(Breach):
    """Another association needed the place of one that brought nothing for long."""

    def __init__(self) -> None:
        text = "places were short, and it had brought no instance for long"
        super().__init__(text, AbortReason.NOT_SPECIFIED, AbortSource.SERVICE_USER)


class PeerGone(Exception):
    """The connection ended, or the peer aborted: nobody is left to answer."""
