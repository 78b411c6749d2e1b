"""What the JSON API understands, one entry a request: the OpenAPI document is made of these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Schema = Mapping[str, Any]


class Problem(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: str
    """In words, with what to do."""


@dataclass(frozen=True)
class Operation:
    """One request that is understood. `answers`: the model, or the media type, of each status.

    `asked` is a model of the query's parameters; `query` names single ones. `upload` is the name of a file in a
    multipart body, whose other fields are `body`.
    """

    method: Literal["get", "post", "delete"]
    path: str
    summary: str
    answers: Mapping[int, type[BaseModel] | str | None]
    body: type[BaseModel] | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    asked: type[BaseModel] | None = None
    upload: str | None = None
