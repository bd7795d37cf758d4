"""Checks whether an explanation is true: does the prediction fall if its examples are left out of the training?"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.asking.answer import signed
from gr_tf.evaluation.statistics import mean_interval

HELD, UNCERTAIN, FAILED = "held", "not certain", "did not hold"


@dataclasses.dataclass(frozen=True)
class Check:
    """Compares trainings with all examples and without some of them, one of each for every seed.

    Attributes:
        example_ids: the removed examples, which are the first of an explanation.
        predicted: the method's estimate of how the prediction changes; None if it makes none.
        before: the prediction of the training with all examples, by seed.
        after: the prediction of the training without the removed examples, by seed.
        top_changed: whether another answer is the best without them, by seed; None if the question has no other
            answer, or the explained one was not the best.
    """

    example_ids: tuple[int, ...]
    predicted: float | None
    before: tuple[float, ...]
    after: tuple[float, ...]
    top_changed: tuple[bool, ...] | None

    @property
    def removed(self) -> str:
        """Says for people what was removed."""
        return f"the first {len(self.example_ids)}" if len(self.example_ids) > 1 else "the first example"

    @property
    def changes(self) -> tuple[float, ...]:
        """The measured changes of the prediction, by seed; they are negative if the explanation is true."""
        return tuple(after - before for before, after in zip(self.before, self.after, strict=True))

    @property
    def interval(self) -> tuple[float, float | None, float | None]:
        """The mean change and its 95% t-interval over seeds; one seed has no interval."""
        return mean_interval(self.changes)

    @property
    def verdict(self) -> str:
        """HELD: the prediction fell without them; FAILED: it did not; UNCERTAIN: the interval contains 0."""
        mean, low, high = self.interval
        if low is not None and high is not None and low < 0 < high:
            return UNCERTAIN
        return HELD if mean < 0 else FAILED

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        mean, low, high = self.interval
        return {
            "removed": self.removed,
            **dataclasses.asdict(self),
            "changes": list(self.changes),
            "change": {"mean": mean, "low": low, "high": high},
            "verdict": self.verdict,
        }


def check_of_dict(told: Mapping[str, Any]) -> Check:
    """Reads a Check from the result of Check.to_dict."""
    values: dict[str, Any] = {field.name: told[field.name] for field in dataclasses.fields(Check)}
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Check(**values)


def check_frame(checks: Sequence[Check]) -> pd.DataFrame:
    """Shows predicted and measured changes side by side."""
    rows = []
    for check in checks:
        mean, low, high = check.interval
        interval = "" if low is None or high is None else f" [{signed(low)}, {signed(high)}]"
        row = {
            "removed": check.removed,
            "predicted change": "-" if check.predicted is None else signed(check.predicted),
            "measured change": f"{signed(mean)}{interval}",
        }
        if check.top_changed is not None:
            row["top-1 changed"] = f"{np.sum(check.top_changed)} of {len(check.top_changed)}"
        rows.append({**row, "explanation": check.verdict})
    return pd.DataFrame(rows)


def conclusion(checks: Sequence[Check]) -> str:
    """Says in plain words whether the explanation is true."""
    return " ".join(map(_conclusion, checks))


def _conclusion(check: Check) -> str:
    trainings = len(check.changes)
    fell = sum(change < 0 for change in check.changes)
    without = f"without {check.removed} the prediction"
    if trainings == 1:
        if check.verdict == HELD:
            return (
                f"Held in this one training: {without} fell. Another seed may differ: ask for more with verify_seeds."
            )
        return f"Did NOT hold: {without} did not fall in the one training that was done."
    seen = f"fell in {fell} of {trainings} trainings"
    return {
        HELD: f"Held: {without} {seen}, by a mean whose 95% interval is below 0.",
        UNCERTAIN: f"Not certain: {without} {seen}, and the 95% interval of the mean change has 0 in it.",
        FAILED: f"Did NOT hold: {without} {seen}; the mean change is not below 0.",
    }[check.verdict]
