"""What a model is asked and what it answers: a prediction, and the training examples behind it."""

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation
from gr_tf.errors import InputError

ANY = "?"


@dataclasses.dataclass(frozen=True)
class Alternative:
    """One of the predictions for a question that leaves its tail open.

    Attributes:
        name: of the tail, as people call it.
        probability: of it.
    """

    name: str
    probability: float


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """A prediction and its explanation by one method.

    Attributes:
        asked: the parts of the question, as people call them; ANY where it was open.
        predicted: what is explained: a tail, or a rated item.
        value: the prediction: a probability, or stars.
        unit: "probability" or "stars".
        method: a name of the asker's methods.
        k: how many examples to show on either side.
        estimates: whether an influence is the method's estimate of how much `value` falls without the example.
        explanation: all examples that the method considers, by descending influence.
        examples: the same for people: influence, what the example is, its connection, example_id.
        alternatives: the most probable predictions, where the tail was open.
        warnings: why the influences are to be doubted, a line each.
        trainings: that the influences are means over; `value` is that of the first.
    """

    asked: tuple[str, ...]
    predicted: str
    value: float
    unit: str
    method: str
    k: int
    estimates: bool
    explanation: Explanation[Any]
    examples: pd.DataFrame
    alternatives: tuple[Alternative, ...] = ()
    warnings: tuple[str, ...] = ()
    trainings: int = 1

    @property
    def proponents(self) -> pd.DataFrame:
        """The first k examples that support the prediction, the strongest first."""
        return self.examples[self.examples.influence > 0].head(self.k)

    @property
    def opponents(self) -> pd.DataFrame:
        """The first k examples that speak against the prediction, the strongest first."""
        return self.examples[self.examples.influence < 0].iloc[::-1].head(self.k)

    @property
    def supporting_ids(self) -> np.ndarray:
        """Example ids of `proponents`."""
        return self.proponents.example_id.to_numpy()

    @property
    def frame(self) -> pd.DataFrame:
        """`proponents`, then `opponents`."""
        return pd.concat([self.proponents, self.opponents], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "asked": list(self.asked),
            "predicted": self.predicted,
            self.unit: self.value,
            "method": self.method,
            "trainings": self.trainings,
            "warnings": list(self.warnings),
            "alternatives": [dataclasses.asdict(alternative) for alternative in self.alternatives],
            "proponents": self.proponents.to_dict("records"),
            "opponents": self.opponents.to_dict("records"),
        }


def parse_question(text: str, parts: Sequence[str]) -> tuple[str, ...]:
    """The parts of a question such as "poland, ngoorgs3, ?"; quotes hold a part with a comma together.

    Args:
        text: the question.
        parts: what is asked for, for the message, such as head, relation, tail.

    Raises:
        InputError: if it has not as many parts.
    """
    try:
        (fields,) = list(csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)) or [[]]
    except (ValueError, csv.Error):
        fields = []
    found = tuple(field.strip() for field in fields)
    if len(found) != len(parts) or not all(found):
        raise InputError(f"a question is {','.join(parts)}, with quotes around a part that has a comma; got {text!r}.")
    return found


def signed(value: float) -> str:
    """A change or an influence for people: four decimals, or two digits if it is small."""
    return f"{value:+.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:+.1e}"


def shown(value: float) -> float:
    """A number with six significant digits, for people and tables."""
    return float(f"{value:.6g}") if math.isfinite(value) else value
