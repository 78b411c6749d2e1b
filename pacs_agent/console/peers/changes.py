"""What people post about destinations, as the settings and secrets that `deliver` knows."""

from typing import Any
from urllib.parse import urlsplit

from pacs_agent.console.frame import Refusal
from pacs_agent.console.peers.models import NewDestinationBody
from pacs_agent.db import Destination
from pacs_agent.deliver import NewDestination

_VARIABLES = ("password_env", "token_env")
_OBJECTS = ("segmentations", "key_objects", "saliency_maps", "secondary_captures")
"""Settings that say which objects a destination gets."""


def new_destination(name: str, body: NewDestinationBody, before: Destination | None) -> NewDestination:
    """The destination that is posted; of one that is there, what the page does not show stays.

    Raises Refusal when a secret of the environment would go to another origin than the one it was named for.
    """
    if body.kind == "dimse":
        return NewDestination(name, "dimse", _dimse(body), enabled=body.enabled)
    secrets = _secrets(body)
    settings = _stow(body, before, given=bool(secrets) or body.forget_secrets)
    return NewDestination(name, "stow", settings, secrets, enabled=body.enabled)


def _dimse(body: NewDestinationBody) -> dict[str, Any]:
    settings = body.model_dump(include={"host", "port", "called_ae", "confirm", "tls", *_OBJECTS})
    optional = {"calling_ae": body.calling_ae, "certificate_name": body.certificate_name}
    return {**settings, **{key: value for key, value in optional.items() if value}}


def _secrets(body: NewDestinationBody) -> dict[str, str]:
    if body.forget_secrets:
        return {"password": "", "token": ""}
    return {name: value for name, value in (("password", body.password), ("token", body.token)) if value}


def _stow(body: NewDestinationBody, before: Destination | None, *, given: bool) -> dict[str, Any]:
    """A secret that is given here takes the place of one in the environment."""
    settings = {"url": body.url, "user": body.user, "ca_file": body.ca_file}
    named = {key: before.settings[key] for key in _VARIABLES if before and before.settings.get(key)}
    if named and not given:
        if before and _origin(str(before.settings.get("url"))) != _origin(body.url):
            raise Refusal(
                f"{' and '.join(named.values())} of the environment was named for {before.settings.get('url')}; give "
                "the password or token of the new address here, or change it by the command line"
            )
        settings |= named
    return {key: value for key, value in settings.items() if value} | body.model_dump(include=set(_OBJECTS))


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", url
    return parts.scheme, parts.netloc.lower()
