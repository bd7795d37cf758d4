"""The answers to a question that leaves its answer open."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Alternative:
    """One of the answers to an open question.

    Attributes:
        name: what people call it.
        value: the prediction, in `unit`.
        unit: "probability" or "stars".
    """

    name: str
    value: float
    unit: str = "probability"

    @property
    def probability(self) -> float:
        """The value, of kinds of data that predict probabilities."""
        if self.unit != "probability":
            raise AttributeError(f"{self.name!r} has no probability, but a value in {self.unit}.")
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the name, and the value under its unit."""
        return {"name": self.name, self.unit: self.value}
