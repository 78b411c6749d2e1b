"""Bounds of a number."""

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Limits(BaseModel):
    """Bounds of a number, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min: float = Field(-math.inf, allow_inf_nan=False)
    max: float = Field(math.inf, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> "Limits":
        if not self.model_fields_set:
            raise ValueError("give min, max or both")
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}: nothing can lie between")
        return self

    def holds(self, found: float | None) -> bool:
        """Whether a number is within; none is not."""
        return found is not None and self.min <= found <= self.max

    def in_words(self) -> str:
        """Such as `at least 600`."""
        if math.isinf(self.min):
            return f"at most {self.max:g}"
        return f"at least {self.min:g}" if math.isinf(self.max) else f"from {self.min:g} to {self.max:g}"
