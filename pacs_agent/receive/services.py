"""The services besides C-STORE: a table from command field and SOP class to what answers (PS3.7 9 and 10)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom.sop_class import Verification

SUCCESS = 0x0000
UNRECOGNISED_OPERATION = 0x0211
"""PS3.7 C.5.15: there is no such service on this presentation context."""
MISTYPED_ARGUMENT = 0x0212
"""PS3.7 C.5.16: an element of the command, or the data set, cannot be read."""
RESOURCE_LIMITATION = 0x0213
"""PS3.7 C.5.14: the data set of a request is larger than services take."""
PROCESSING_FAILURE = 0x0110
C_ECHO_RQ, N_EVENT_REPORT_RQ, N_ACTION_RQ = 0x0030, 0x0100, 0x0130


@dataclass(frozen=True)
class AssociationFacts:
    """Who is at the other end of an association."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    """IP address of the peer, by its connection."""
    certificate_names: frozenset[str] = frozenset()
    """Names that the peer proved by its certificate, in small letters; none on a plain connection."""

    @property
    def source(self) -> str:
        """The peer as "AE@address", as audit lines and index rows name it."""
        return f"{self.calling_ae_title}@{self.address}"


@dataclass(frozen=True)
class ServiceRequest:
    """One request: its command set (group 0000), and its data set as it came."""

    command: Dataset
    data_set: bytes | None
    """None when the command says that there is none, and when it is too large."""
    sop_class_uid: str
    """Abstract syntax of the presentation context."""
    transfer_syntax_uid: str
    facts: AssociationFacts
    too_large: bool = False
    """It came with a data set larger than services take, of which nothing was kept."""


@dataclass(frozen=True)
class ServiceAnswer:
    """The response: Status and what else is the service's own.

    The wire adds Command Field, Message ID Being Responded To and Command Data Set Type. The data set is in the
    transfer syntax of the request's presentation context.
    """

    command: Dataset = field(default_factory=Dataset)
    data_set: bytes | None = None

    @classmethod
    def of(cls, status: int, comment: str = "") -> "ServiceAnswer":
        """An answer that is a status, with an Error Comment (LO: at most 64 characters) where there is one."""
        command = Dataset()
        command.Status = status
        if comment:
            command.ErrorComment = comment.replace("\\", "/")[:64]
        return cls(command)


Service = Callable[[ServiceRequest], ServiceAnswer]
Services = Mapping[tuple[int, str], Service]
"""What answers a command field on a presentation context of a SOP class."""


def serve_echo(request: ServiceRequest) -> ServiceAnswer:
    """C-ECHO (PS3.7 9.1.5): Success. It has no data set."""
    if request.too_large:
        return ServiceAnswer.of(RESOURCE_LIMITATION, "the data set of the request is too large")
    return ServiceAnswer.of(SUCCESS)


ECHO: Services = {(C_ECHO_RQ, str(Verification)): serve_echo}
