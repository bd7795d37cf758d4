"""The checks of one answer together: a list that shows itself."""

from collections.abc import Iterable

import pandas as pd

from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.check_plot import check_plot
from gr_tf.runs import html_text


class Checks(list[Check]):
    """The checks of an explanation, then their controls.

    Attributes:
        how: how they measured, for people.
        quantity: what the explained number is, for people.
    """

    def __init__(self, checks: Iterable[Check], how: str = "", quantity: str = "the prediction") -> None:
        super().__init__(checks)
        self.how, self.quantity = how, quantity

    @property
    def frame(self) -> pd.DataFrame:
        """Predicted and measured changes side by side, and those of the controls."""
        return check_frame(self)

    @property
    def seeds(self) -> pd.DataFrame:
        """The predictions of each training."""
        return seeds_frame(self)

    @property
    def conclusion(self) -> str:
        """Whether the explanation is true, and whether it is better than chance, in plain words."""
        return conclusion(self)

    def __repr__(self) -> str:
        told = (f"{check.removed}: {check.verdict or '(chance)'}" for check in self)
        return f"Checks({'; '.join(told)})"

    def _repr_html_(self) -> str:
        """For notebooks: the conclusion, the table, and its drawing."""
        parts = [html_text.line("Is it true?", strong=True), html_text.line(f"{self.how}. {self.conclusion}")]
        return html_text.block([*parts, html_text.table(self.frame), check_plot(self, self.quantity)])
