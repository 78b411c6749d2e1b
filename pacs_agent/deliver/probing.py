"""A destination's real answer to a hello, for people: how long it took, and in words what is wrong."""

import time
from dataclasses import dataclass

from pacs_agent.config import Settings
from pacs_agent.db import Destination
from pacs_agent.deliver.dimse import DimseDestination, ScuAddress
from pacs_agent.deliver.errors import DeliveryError
from pacs_agent.deliver.kinds import DestinationKind, means_for, open_destination


@dataclass(frozen=True)
class Probed:
    """What a destination answered. `words` say it in one sentence, with what to do where something is wrong."""

    ok: bool
    words: str
    took_ms: float


def probed(row: Destination, settings: Settings) -> Probed:
    """What a destination answers to C-ECHO or a search (QIDO-RS), be it enabled or not."""
    try:
        kind = open_destination(row, settings, even_disabled=True)
    except DeliveryError as error:
        return Probed(False, str(error), 0.0)
    return _timed(kind)


def echoed(
    host: str, port: int, called_ae: str, settings: Settings, *, tls: bool = False, certificate_name: str = ""
) -> Probed:
    """What a DICOM node answers to C-ECHO from our own AE title."""
    address = ScuAddress(
        host=host,
        port=port,
        called_ae=called_ae,
        calling_ae=settings.dimse.ae_title,
        tls=tls,
        certificate_name=certificate_name,
    )
    return _timed(DimseDestination(address, means_for(None, settings)))


def _timed(kind: DestinationKind) -> Probed:
    begun = time.perf_counter()
    try:
        words, ok = kind.probe(), True
    except DeliveryError as error:
        words, ok = str(error), False
    took_ms = 1000 * (time.perf_counter() - begun)
    return Probed(ok, f"{words} after {took_ms:.0f} ms" if ok else words, took_ms)
