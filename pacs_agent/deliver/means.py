"""By which means a destination is spoken to, beside its own settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pacs_agent.config import DimseTlsSettings
from pacs_agent.ops.outbound import Outbound


@dataclass(frozen=True)
class Means:
    """Time limit of a connection or answer, which addresses may be asked at all, secrets and certificates."""

    timeout_s: float = 30
    outbound: Outbound = field(default_factory=Outbound)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name: `password` or `token`. Never shown, never logged."""
    tls: DimseTlsSettings | None = None
    """Our own certificate for DICOM over TLS, and the authorities of others."""
