"""Addresses of the PACS in its DICOM JSON, turned into addresses of the proxy while the text passes by.

BulkDataURI (PS3.18 F.2.2) and RetrieveURL (0008,1190) name the PACS as it knows itself, which the browser cannot reach.
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from pacs_agent.console.proxy.resources import LEVELS

_LONGEST_ADDRESS_BYTES = 2048
_SLASH = rb"\\?/"  # JSON may write \/


class Readdressed:
    """Turns the addresses of one PACS into those of the proxy."""

    def __init__(self, base_url: str, root: str) -> None:
        """`base_url` is where the PACS serves DICOMweb, `root` the path where we do.

        The host is not compared: behind a reverse proxy a PACS names itself by its inner name. Nothing is gained by a
        wrong one, for what comes back is asked of the configured PACS only.
        """
        below = _SLASH.join(re.escape(part.encode()) for part in urlsplit(base_url).path.split("/"))
        host = rb"(?:https?:" + _SLASH + _SLASH + rb"[^\"/\\\s]{1,255})?"
        level = b"|".join(level.encode() for level in LEVELS)
        self._pattern = re.compile(rb'"' + host + below + _SLASH + rb"(?=(?:" + level + rb")(?:[/?\\\"]|\Z))")
        self._ours = f'"{root}/'.encode()

    def stream(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The text with our addresses, in pieces. It holds back no more than the longest address."""
        kept = b""
        for piece in pieces:
            text = kept + piece
            start = self._unfinished(text)
            kept = text[start:]
            if start:
                yield self._pattern.sub(self._ours, text[:start])
        if kept:
            yield self._pattern.sub(self._ours, kept)

    @staticmethod
    def _unfinished(text: bytes) -> int:
        """Where a string begins that may become an address when more comes. An address has no quotation mark inside."""
        start = text.rfind(b'"')
        return len(text) if start < 0 or len(text) - start > _LONGEST_ADDRESS_BYTES else start
