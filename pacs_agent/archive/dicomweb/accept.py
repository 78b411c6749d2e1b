"""What representation a client asks for: its Accept header or parameter (PS3.18 8.3.3, 8.7)."""

from dataclasses import dataclass
from email.message import Message
from urllib.request import parse_http_list

from werkzeug.wrappers import Request

MULTIPART = "multipart/related"
ANY = "*/*"


@dataclass(frozen=True)
class Wanted:
    """One acceptable media type. `transfer_syntax_uid` is "*" for the stored one, None when nothing was asked."""

    media_type: str
    multipart: bool
    transfer_syntax_uid: str | None = None


def media_type_of(header: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case and its parameters.

    Clients write `type=application/octet-stream` without the quotes that RFC 9110 demands of a slash (OHIF does), and
    werkzeug drops such a parameter; the parser of mail headers keeps it.
    """
    message = Message()
    message["Accept"] = header.replace("\r", "").replace("\n", "")
    (media_type, _), *parameters = message.get_params([("", "")], header="Accept")
    return media_type.lower(), {name.lower(): str(value) for name, value in parameters}


def wanted(request: Request) -> list[Wanted]:
    """The acceptable media types, best first. A client that asks for nothing accepts anything, as multipart."""
    header = request.args.get("accept") or request.headers.get("Accept") or ANY
    accepted = [media_type_of(item) for item in parse_http_list(header)]
    ranked = sorted(accepted, key=lambda item: -_quality(item[1]))
    return [_wanted(media_type, parameters) for media_type, parameters in ranked if _quality(parameters) > 0]


def accepts_json(request: Request) -> bool:
    """Whether DICOM JSON is acceptable; it is the only form of metadata and of answers here."""
    return any(
        each.media_type in ("application/dicom+json", "application/json", "application/*", ANY)
        for each in wanted(request)
    )


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def _wanted(media_type: str, parameters: dict[str, str]) -> Wanted:
    transfer_syntax_uid = parameters.get("transfer-syntax")
    if media_type == MULTIPART:
        return Wanted(parameters.get("type", ANY).lower(), True, transfer_syntax_uid)
    return Wanted(media_type, media_type == ANY, transfer_syntax_uid)
