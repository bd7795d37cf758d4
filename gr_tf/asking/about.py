"""What an answer is about, in words: one prediction, one rather than another, or a group of them."""

import dataclasses
from typing import Any

from gr_tf.errors import short


@dataclasses.dataclass(frozen=True)
class About:
    """One prediction.

    Attributes:
        predicted: what is predicted, for people.
        unit: of the prediction.
    """

    predicted: str
    unit: str

    # What speaks for and against it, after "What" and "Nothing".
    supports = "supports it"
    opposes = "speaks against it"
    # What falls if the explanation is true, of what each training's numbers are, and what a lost best answer is called.
    explained = "the prediction"
    column = "top-1 changed"

    @property
    def title(self) -> str:
        """The question in a line."""
        return f"Why {self.predicted}?"

    @property
    def brief(self) -> str:
        """What the explained number is, in a word or two."""
        return self.unit

    @property
    def quantity(self) -> str:
        """What the explained number is."""
        return f"The {self.unit}"

    def told(self, value: float) -> str:
        """A sentence on the explained number."""
        return f"The model gives {self.predicted} {amount(value, self.unit)}."

    def to_dict(self, value: float) -> dict[str, Any]:
        """The explained number by name, for JSON."""
        return {self.unit: value}


@dataclasses.dataclass(frozen=True)
class RatherThan(About):
    """One answer rather than another: the difference of two predictions.

    Attributes:
        other: the other answer, for people.
        values: the two predictions, that of `predicted` first.
    """

    other: str
    values: tuple[float, float]

    @property
    def supports(self) -> str:  # type: ignore[override]
        """See About."""
        return f"speaks for {self.predicted} rather than {self.other}"

    @property
    def opposes(self) -> str:  # type: ignore[override]
        """See About."""
        return f"speaks for {self.other} rather than {self.predicted}"

    @property
    def explained(self) -> str:  # type: ignore[override]
        """See About."""
        return f"the lead of {self.predicted} over {self.other}"

    @property
    def column(self) -> str:  # type: ignore[override]
        """See About."""
        return f"{self.other} would win"

    @property
    def title(self) -> str:
        """See About."""
        return f"Why {self.predicted} rather than {self.other}?"

    @property
    def brief(self) -> str:
        """See About."""
        return f"rather than {short(self.other)}, {self.unit} difference"

    @property
    def quantity(self) -> str:
        """See About."""
        return f"The difference ({self.unit} of {self.predicted} less that of {self.other})"

    def told(self, value: float) -> str:
        """See About."""
        mine, others = (amount(one, self.unit) for one in self.values)
        ahead = f"the model prefers {self.predicted}" if value > 0 else f"the model does NOT prefer {self.predicted}"
        return (
            f"The model gives {self.predicted} {mine}, and {self.other} {others}: {ahead}. "
            f"Explained is the difference, {value:+.4f}."
        )

    def to_dict(self, value: float) -> dict[str, Any]:
        """See About."""
        return {"rather_than": self.other, f"{self.unit} of each": list(self.values), "difference": value}


@dataclasses.dataclass(frozen=True)
class Several(About):
    """The mean of the predictions of several questions.

    Attributes:
        count: how many there are.
    """

    count: int

    supports = "helps"
    opposes = "hurts"

    @property
    def explained(self) -> str:  # type: ignore[override]
        """See About."""
        return f"the mean of the {self.count:,} predictions" if self.count > 1 else "the prediction"

    @property
    def title(self) -> str:
        """See About."""
        return f"What helps and what hurts {self.predicted}?"

    @property
    def brief(self) -> str:
        """See About."""
        return f"mean {self.unit}"

    @property
    def quantity(self) -> str:
        """See About."""
        return f"The mean {self.unit}"

    def told(self, value: float) -> str:
        """See About."""
        if self.count == 1:
            return f"This is 1 question. Explained is the {self.unit} of its answer, {value:.4f}."
        return f"These are {self.count:,} questions. Explained is the mean {self.unit} of their answers, {value:.4f}."

    def to_dict(self, value: float) -> dict[str, Any]:
        """See About."""
        return {"questions": self.count, f"mean {self.unit}": value}


def amount(value: float, unit: str) -> str:
    """A prediction for people."""
    return f"a probability of {value:.4f}" if unit == "probability" else f"{value:.4f} {unit}"
