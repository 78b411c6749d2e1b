"""Which steps of a pipeline are done, and not found in what was rehearsed."""

from collections.abc import Callable

import pytest

from pacs_agent.pipeline.rehearsable import Rehearsable


def steps_done(stages: Rehearsable, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that are done from now on, as a list that grows."""
    done = list[str]()
    for name in ("_choose", "_encode_missing", "_read_study", "_weigh_evidence", "_describe"):
        real = getattr(stages, name)

        def noted(*given: object, real: Callable[..., object] = real, name: str = name) -> object:
            done.append(name)
            return real(*given)

        monkeypatch.setattr(stages, name, noted)
    return done
