"""What the pages around the login share: their words, where they may lead, and who asks."""

import re
from urllib.parse import urlsplit

from flask import Response, make_response, render_template, request

from pacs_agent.console.words import asked_words

HOME = "/"


def local_path(path: str) -> str:
    """A path of this server that a login may lead to; `/` for anything that may lead elsewhere."""
    parts = urlsplit(path) if re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", path) else None
    return path if parts and not parts.scheme and not parts.netloc else HOME


def page(template: str, status: int = 200, **values: object) -> Response:
    """A page of the login, in the browser's language."""
    response = make_response(render_template(template, words=asked_words(), **values), status)
    response.vary.add("Accept-Language")
    return response


def address() -> str:
    """IP address of whoever asks."""
    return request.remote_addr or "unknown"
