"""Fixtures of the console's tests, and what makes their hundreds of applications quick to make."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from pacs_agent.accounts import passwords


class _LazyRule(Rule):
    """A rule that compiles the function that builds its URL when one is built, which is hardly ever.

    Compiling takes five sixths of the time in which an application is made.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compile_now(append_unknown)(rule, **values)

        return build


class _KeptTemplates(BytecodeCache):
    """Templates compiled once for all applications; a changed source has another checksum."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._codes:
            bucket.bytecode_from_string(self._codes[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def quick_applications() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "url_rule_class", _LazyRule)
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": _KeptTemplates()})
        yield


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time: what is tested here is not how hard they are to guess."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
