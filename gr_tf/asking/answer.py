"""Questions and answers: a prediction, and the training examples behind it."""

import csv
import dataclasses
import io
import math
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gr_tf.asking.about import About
from gr_tf.attribution.base import Explanation
from gr_tf.errors import short
from gr_tf.tasks.alternative import Alternative

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """A prediction and its explanation by one method.

    Attributes:
        asked: the parts of the question with labels for people; "?" is what the model had to predict.
        predicted: what is explained: a tail, a head, a relation, a next item, a rated item, or a group of questions.
        value: the prediction of the explained model, in `unit`; a difference or a mean of several, see `about`.
        unit: "probability" or "stars".
        method: the method's name.
        k: how many examples to show for the prediction, and how many against it.
        estimates: whether an influence is the method's estimate of how much `value` falls without the example.
        explanation: all examples that the method considers, by descending influence; those that are not shown may be
            computed only when they are asked for.
        frame: the examples to show to people: influence, the example's columns, its connection with the question,
            example_id; first the k strongest that support the prediction, then the k strongest that speak against it.
            Means over several trainings have columns "standard error" and "sign" too.
        alternatives: the best answers, if the question was open.
        warnings: reasons to doubt the influences, a line each.
        trainings: over how many trainings the influences are averaged.
        about: what is explained, in words: one prediction, or a combination of several.
        asker: who answered.
    """

    asked: tuple[str, ...]
    predicted: str
    value: float
    unit: str
    method: str
    k: int
    estimates: bool
    explanation: Explanation[Any]
    frame: pd.DataFrame
    alternatives: tuple[Alternative, ...] = ()
    warnings: tuple[str, ...] = ()
    trainings: int = 1
    about: About = dataclasses.field(kw_only=True)
    asker: Any = None

    @property
    def is_plain(self) -> bool:
        """Whether one prediction is explained, and no combination of several."""
        return type(self.about) is About

    def __repr__(self) -> str:
        question = f"({', '.join(map(short, self.asked))}) -> " if len(self.asked) > 1 else ""
        told = f"{self.about.brief} {self.value:.4f}; {self.method}"
        return (
            f"Answer({question}{short(self.predicted)}, {told}: {len(self.proponents)} for, "
            f"{len(self.opponents)} against)"
        )

    def _repr_html_(self) -> str:
        """For notebooks: the answer, its alternatives, examples, and drawing."""
        from gr_tf.asking.notebook import answer_html  # It needs the asker, which needs this module.

        return answer_html(self)

    def plot(self) -> "Figure":
        """Draws the influences of the shown examples as bars with their names."""
        from gr_tf.asking.influence_plot import influence_plot

        return influence_plot(self)

    def page(self, path: str | pathlib.Path, checks: Sequence[Any] = (), *, overwrite: bool = False) -> pathlib.Path:
        """Writes the answer as one HTML page.

        Args:
            path: of the file.
            checks: of the answer, if they are to be shown; see Asker.check.
            overwrite: replace a file that is there.

        Returns:
            The path.

        Raises:
            InputError: if the file is there (without `overwrite`), is of the data or of a run, or cannot be written.
        """
        from gr_tf.asking.page import write_page

        return write_page(self, pathlib.Path(path), checks, overwrite=overwrite)

    @property
    def proponents(self) -> pd.DataFrame:
        """The first k examples that support the prediction, the strongest first."""
        return self.frame[self.frame.influence > 0]

    @property
    def opponents(self) -> pd.DataFrame:
        """The first k examples that speak against the prediction, the strongest first."""
        return self.frame[self.frame.influence < 0]

    @property
    def named(self) -> pd.DataFrame:
        """`frame` with the names that are in the data where it has what people call them; for other programs."""
        own = self.explanation.dataset.train_frame.iloc[self.frame.example_id].reset_index(drop=True)
        return self.frame.assign(**{str(column): own[column] for column in own})

    @property
    def supporting_ids(self) -> np.ndarray:
        """Example ids of `proponents`."""
        return self.proponents.example_id.to_numpy()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "asked": list(self.asked),
            "predicted": self.predicted,
            **self.about.to_dict(self.value),
            "method": self.method,
            "trainings": self.trainings,
            "warnings": list(self.warnings),
            "alternatives": [alternative.to_dict() for alternative in self.alternatives],
            "proponents": self.proponents.to_dict("records"),
            "opponents": self.opponents.to_dict("records"),
        }


def parse_question(text: str) -> tuple[str, ...]:
    """The parts of a question such as "poland, ngoorgs3, ?"; a part with a comma needs quotes.

    A text that cannot be read is one part, which every kind of data refuses (see Task.check_parts).
    """
    try:
        (fields,) = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    except (ValueError, csv.Error):
        fields = [text]
    return tuple(field.strip() for field in fields)


def signed(value: float) -> str:
    """A change or an influence for people, with four decimals, or with two digits if it is small."""
    return f"{value:+.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:+.1e}"


def shown(value: float) -> float:
    """A number with six significant digits, for people and tables."""
    return float(f"{value:.6g}") if math.isfinite(value) else value
