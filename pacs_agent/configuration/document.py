"""The file of a configuration: what it holds, how it is read, and how it is written.

It holds no secret: where one was set, its name stands in `secrets`, as a reminder to set it again. Accounts have no
password in it either, and those of an identity provider are left out, as they come with their first login.
"""

from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pacs_agent.accounts import Role
from pacs_agent.deliver import WrongSettings, check_settings
from pacs_agent.ops.runtime import Notifications, Retention, Watermark
from pacs_agent.receive import NewPeer
from pacs_agent.route import WrongRules, read_document

VERSION: Literal["1"] = "1"


class WrongConfiguration(ValueError):
    """A text that is no configuration, or one that cannot be taken over here: what is wrong, and where."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PeerEntry(NewPeer):
    """A peer, as it is set up."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DestinationEntry(_Entry):
    """A destination; `secrets` are the names of those that were set."""

    name: str
    kind: str
    enabled: bool = True
    settings: dict[str, Any] = {}
    secrets: tuple[str, ...] = ()


class ModelEntry(_Entry):
    """A model in use, by the digest of its manifest. The bundle itself is no part of a configuration."""

    name: str
    version: str
    digest: str = Field(pattern="^[0-9a-f]{64}$")


class UserEntry(_Entry):
    """A local account, without its password."""

    login: str
    name: str
    person_name: str
    roles: tuple[Role, ...] = Field(min_length=1)
    enabled: bool = True


class Configuration(_Entry):
    """A configuration. A part that is missing stays as it is; a part that is there is all of its kind."""

    pacs_agent_configuration: Literal["1"] = VERSION
    peers: tuple[PeerEntry, ...] | None = None
    destinations: tuple[DestinationEntry, ...] | None = None
    rules: str | None = None
    models: tuple[ModelEntry, ...] | None = None
    users: tuple[UserEntry, ...] | None = None
    retention: Retention | None = None
    watermark: Watermark | None = None
    notifications: Notifications | None = None
    secrets: tuple[str, ...] = ()
    """Names of secrets of the notifications that were set."""


def read_configuration(text: str) -> Configuration:
    """The configuration in a YAML text, without tags, anchors and aliases. Raises WrongConfiguration."""
    try:
        document = read_document(text)
        found = Configuration.model_validate(document.content)
    except WrongRules as error:
        raise WrongConfiguration(f"not a configuration: {error}") from error
    except ValidationError as error:
        raise WrongConfiguration(_in_words(error)) from error
    for kind, names in _names(found):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise WrongConfiguration(f"{kind}: {', '.join(twice)} is given twice")
    return found


def refused_on_import(configuration: Configuration) -> list[str]:
    """What of a configuration in force could not be taken over from a file, in words: it is older than the check."""
    faults = []
    for peer in configuration.peers or ():
        try:
            PeerEntry.model_validate(peer.model_dump(warnings=False))
        except ValidationError as error:
            faults.append(f"peer {peer.ae_title}: {_in_words(error)}")
    for one in configuration.destinations or ():
        try:
            check_settings(one.kind, one.settings)
        except WrongSettings as error:
            faults.append(f"destination {one.name}: {error}")
    return faults


def write_configuration(configuration: Configuration, heading: str = "") -> str:
    """The YAML text of a configuration, always in the same order, with a comment above it."""
    content = configuration.model_dump(mode="json", exclude_none=True)
    content["secrets"] = list(configuration.secrets)
    if not configuration.secrets:
        del content["secrets"]
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    return comment + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)


def _names(found: Configuration) -> list[tuple[str, list[str]]]:
    return [
        ("peers", [one.ae_title for one in found.peers or ()]),
        ("destinations", [one.name for one in found.destinations or ()]),
        ("models", [one.name for one in found.models or ()]),
        ("users", [one.login for one in found.users or ()]),
    ]


def _in_words(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in faults[:10])


Node = TypeVar("Node")


class _Dumper(yaml.SafeDumper):
    """YAML in which a text of several lines stays one that people can read and change."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _write_text)
