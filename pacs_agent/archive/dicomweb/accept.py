"""What representation a client asks for: its Accept header or parameter (PS3.18 8.3.3, 8.7)."""

from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header
from werkzeug.wrappers import Request

MULTIPART = "multipart/related"
ANY = "*/*"


@dataclass(frozen=True)
class Wanted:
    """One acceptable media type. `transfer_syntax_uid` is "*" for the stored one, None when nothing was asked."""

    media_type: str
    multipart: bool
    transfer_syntax_uid: str | None = None


def wanted(request: Request) -> Iterator[Wanted]:
    """The acceptable media types, best first. A client that asks for nothing accepts anything, as multipart."""
    header = request.args.get("accept") or request.headers.get("Accept") or ANY
    accepted: MIMEAccept = parse_accept_header(header, MIMEAccept)
    for value, quality in accepted:
        if quality > 0:
            yield _wanted(value)


def accepts_json(request: Request) -> bool:
    """Whether DICOM JSON is acceptable; it is the only form of metadata and of answers here."""
    return any(
        each.media_type in ("application/dicom+json", "application/json", "application/*", ANY)
        for each in wanted(request)
    )


def _wanted(value: str) -> Wanted:
    media_type, options = parse_options_header(value)
    transfer_syntax_uid = options.get("transfer-syntax")
    if media_type == MULTIPART:
        return Wanted(options.get("type", ANY).lower(), True, transfer_syntax_uid)
    return Wanted(media_type.lower(), media_type == ANY, transfer_syntax_uid)
