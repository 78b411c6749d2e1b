"""Whether the settings let the web server start without leaving patient data open."""

import ipaddress

from pacs_agent.accounts import is_common
from pacs_agent.config import WebSettings

MIN_TOKEN = 20
"""Characters of `web.token` where others can reach the server. Wrong ones are not throttled: there would be no end."""


class InsecureStart(Exception):
    """The settings would let anyone in the network read and write patient data, or passwords pass in the clear."""


def check_secure(settings: WebSettings, *, accounts: bool) -> None:
    """Raises InsecureStart when others can reach the server and either nobody is asked who he is, or in the clear."""
    if not is_reachable(settings):
        return
    if settings.token is not None:
        _refuse_weak(settings.token.get_secret_value())
    elif not accounts and settings.oidc is None:
        raise InsecureStart(
            f"{_where(settings)}, but there is no account and web.token is not set; add an account "
            "(pacs-agent user add), set a token (PACS_AGENT_WEB__TOKEN), or bind 127.0.0.1"
        )
    if not settings.behind_tls_proxy:
        raise InsecureStart(
            f"{_where(settings)}, but passwords and images would cross the network in the clear; put a TLS proxy "
            "before the agent and set web.behind_tls_proxy and web.proxy_address, or bind 127.0.0.1"
        )


def _refuse_weak(token: str) -> None:
    if len(token) < MIN_TOKEN or len(set(token)) < 8 or is_common(token):
        raise InsecureStart(
            f"web.token is easily guessed; take {MIN_TOKEN} or more random characters: openssl rand -hex 32"
        )


def is_open(settings: WebSettings) -> bool:
    """Whether nothing in the settings says who may ask, and only this machine can: then the first start is here."""
    return settings.token is None and settings.oidc is None and not is_reachable(settings)


def is_reachable(settings: WebSettings) -> bool:
    """Whether others than this machine can reach the server, directly or by a proxy."""
    return settings.behind_tls_proxy or not is_loopback(settings.host)


def is_loopback(host: str) -> bool:
    """Whether a name or address is of this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _where(settings: WebSettings) -> str:
    proxy = " behind a proxy" if settings.behind_tls_proxy else ""
    return f"web.host is {settings.host}{proxy}, which others can reach"
