"""The kinds of destination. A further kind is one file with such a class and one line in KINDS."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ValidationError

from pacs_agent.config import Settings
from pacs_agent.db import Destination
from pacs_agent.deliver.answer import Answer, Confirmation
from pacs_agent.deliver.dimse import DimseDestination
from pacs_agent.deliver.errors import Refused, WrongSettings
from pacs_agent.deliver.means import Means
from pacs_agent.deliver.outgoing import Outgoing
from pacs_agent.deliver.stow import StowDestination
from pacs_agent.ops.outbound import outbound_of


class DestinationKind(Protocol):
    """A destination that is ready to be spoken to. All methods raise Unreachable and Refused."""

    settings_type: ClassVar[type[BaseModel]]

    def __init__(self, settings: Any, means: Means = ...) -> None: ...

    def send(self, objects: Sequence[Outgoing]) -> Iterator[Answer]:
        """Sends the objects in one association or request; one answer for each, in any order."""
        ...

    def confirm(self, objects: Sequence[Outgoing]) -> Iterator[Confirmation]:
        """Asks the destination whether it has the objects; one confirmation for each."""
        ...

    def probe(self) -> str:
        """Says hello and gives the answer, for people."""
        ...


KINDS: dict[str, type[DestinationKind]] = {"dimse": DimseDestination, "stow": StowDestination}


def check_settings(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a destination of this kind, checked, as plain JSON content. Raises WrongSettings."""
    if kind not in KINDS:
        raise WrongSettings(f"{kind!r} is not a kind of destination; there are {', '.join(sorted(KINDS))}")
    try:
        checked = KINDS[kind].settings_type.model_validate(dict(settings))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise WrongSettings(f"not the settings of a {kind} destination: {faults}") from error
    return checked.model_dump(mode="json", exclude_unset=True)


def open_destination(row: Destination, settings: Settings, *, even_disabled: bool = False) -> DestinationKind:
    """The destination of a row, ready to be spoken to. Raises Refused when it is disabled or set up wrongly."""
    if not row.enabled and not even_disabled:
        raise Refused(f"destination {row.name} is disabled; enable it and run the job again")
    try:
        checked = check_settings(row.kind, _with_own_ae_title(row, settings))
    except WrongSettings as error:
        raise Refused(f"destination {row.name}: {error}") from error
    kind = KINDS[row.kind]
    return kind(kind.settings_type.model_validate(checked), means_for(row, settings))


def means_for(row: Destination | None, settings: Settings) -> Means:
    """By which means a destination is spoken to; without a row, a node that is no destination."""
    secrets = {secret.name: secret.value for secret in row.secrets} if row else {}
    return Means(settings.deliver.timeout_s, outbound_of(settings.web), secrets, settings.dimse.tls)


def probe(row: Destination, settings: Settings) -> str:
    """Says hello to a destination (C-ECHO, QIDO-RS). Raises DeliveryError."""
    return open_destination(row, settings).probe()


def _with_own_ae_title(row: Destination, settings: Settings) -> dict[str, Any]:
    own = {"calling_ae": settings.dimse.ae_title} if row.kind == "dimse" else {}
    return {**own, **row.settings}
