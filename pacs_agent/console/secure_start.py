"""Whether the settings let the web server start without leaving patient data open."""

import ipaddress

from pacs_agent.config import WebSettings


class InsecureStart(Exception):
    """The settings would let anyone in the network read and write patient data."""


def check_secure(settings: WebSettings) -> None:
    """Raises InsecureStart when the address is not loopback and no token is set."""
    if settings.token is None and not is_loopback(settings.host):
        raise InsecureStart(
            f"web.host is {settings.host}, which others can reach, but web.token is not set; "
            "set a token (PACS_AGENT_WEB__TOKEN) or bind 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what is bound to the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
