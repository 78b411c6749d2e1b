"""Every setting as it is in force: description, value, and where that comes from. Secrets are set or not set."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pacs_agent import __version__
from pacs_agent.config import Settings

SET, NOT_SET = "set", "not set"
LIBRARIES = (
    *("onnxruntime", "onnxruntime-gpu", "pydicom", "pynetdicom", "highdicom", "numpy", "sqlalchemy", "psycopg"),
    *("dbos", "flask", "waitress", "cryptography", "authlib", "pillow", "python-gdcm", "pylibjpeg-openjpeg"),
)


class Source(StrEnum):
    """Where the value of a setting comes from."""

    DEFAULT = "default"
    FILE = "agent.yaml"
    ENVIRONMENT = "environment"
    START = "start"
    """Given by whatever started the process, such as the demo."""


@dataclass(frozen=True)
class EffectiveSetting:
    """One setting. `is_secret`: its value is told only as set or not set."""

    name: str
    value: str
    default: str
    source: Source
    description: str
    is_secret: bool


def effective_settings(settings: Settings) -> Iterator[EffectiveSetting]:
    """All settings of the process that asks, in their order."""
    yield from _of(settings, "", _file_content(settings))


def versions() -> dict[str, str]:
    """The versions of the agent and of the libraries it stands on, as far as they are installed."""
    found = {"pacs-agent": __version__}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _of(section: BaseModel, prefix: str, written: Mapping[str, Any]) -> Iterator[EffectiveSetting]:
    for name, field in type(section).model_fields.items():
        value, path = getattr(section, name), f"{prefix}{name}"
        below = written.get(name) if isinstance(written, Mapping) else None
        if isinstance(value, BaseModel):
            yield from _of(value, f"{path}.", below if isinstance(below, Mapping) else {})
        else:
            is_secret = _is_secret(field)
            shown = (SET if value else NOT_SET) if is_secret else _shown(name, value)
            default = "" if field.is_required() or is_secret else _shown(name, field.default)
            is_default = not field.is_required() and value == field.default
            source = _source(path, is_written=name in written, is_default=is_default)
            yield EffectiveSetting(path, shown, default, source, field.description or "", is_secret)


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _shown(name: str, value: Any) -> str:
    """A value for people; the address of a database without its password."""
    if value is None or value == ():
        return "none"
    if name == "database_url":
        try:
            return make_url(value).render_as_string(hide_password=True)
        except ArgumentError:
            return SET
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _source(path: str, *, is_written: bool, is_default: bool) -> Source:
    """The environment wins over the file. A section may be given whole, as JSON, in one variable."""
    parts = path.upper().split(".")
    names = {f"PACS_AGENT_{'__'.join(parts[: depth + 1])}" for depth in range(len(parts))}
    if names & {name.upper() for name in os.environ}:
        return Source.ENVIRONMENT
    if is_written:
        return Source.FILE
    return Source.DEFAULT if is_default else Source.START


def _file_content(settings: Settings) -> dict[str, Any]:
    """What the settings file says now; nothing where there is none."""
    named = type(settings).model_config.get("yaml_file")
    if not isinstance(named, str | Path) or not Path(named).is_file():
        return {}
    content = yaml.safe_load(Path(named).read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
