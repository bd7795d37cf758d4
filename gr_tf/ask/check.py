"""Whether an explanation is true: what really happened without its examples."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.ask.answer import signed
from gr_tf.evaluation.intervals import mean_interval

HELD, UNCERTAIN, FAILED = "held", "not certain", "did not hold"


@dataclasses.dataclass(frozen=True)
class Check:
    """Trainings with everything and without some examples, one of each a seed.

    Attributes:
        removed: which examples, for people.
        example_ids: of them.
        predicted: the method's estimate of how the prediction changes; None: it makes none.
        before: the prediction with everything, by seed.
        after: the prediction without the examples, by seed.
        top_changed: whether another tail is the most probable now, by seed; None: of a rating.
    """

    removed: str
    example_ids: tuple[int, ...]
    predicted: float | None
    before: tuple[float, ...]
    after: tuple[float, ...]
    top_changed: tuple[bool, ...] | None

    @classmethod
    def of(
        cls,
        example_ids: np.ndarray,
        predicted: float | None,
        before: Sequence[float],
        after: Sequence[float],
        top_changed: Sequence[bool] | None = None,
    ) -> "Check":
        """Of an explanation's first examples."""
        count = len(example_ids)
        return cls(
            removed="the first example" if count == 1 else f"the first {count}",
            example_ids=tuple(map(int, example_ids)),
            predicted=predicted,
            before=tuple(before),
            after=tuple(after),
            top_changed=None if top_changed is None else tuple(top_changed),
        )

    @property
    def changes(self) -> tuple[float, ...]:
        """Measured changes of the prediction, by seed; an explanation that holds makes them negative."""
        return tuple(after - before for before, after in zip(self.before, self.after, strict=True))

    @property
    def interval(self) -> tuple[float, float | None, float | None]:
        """Mean change and its 95% t-interval over seeds; no interval for one seed."""
        return mean_interval(self.changes)

    @property
    def verdict(self) -> str:
        """HELD: the prediction fell without them; FAILED: it did not; UNCERTAIN: the interval has both."""
        mean, low, high = self.interval
        if low is not None and high is not None and low < 0 < high:
            return UNCERTAIN
        return HELD if mean < 0 else FAILED

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        mean, low, high = self.interval
        return {
            **dataclasses.asdict(self),
            "changes": list(self.changes),
            "change": {"mean": mean, "low": low, "high": high},
            "verdict": self.verdict,
        }


def check_of_dict(told: Mapping[str, Any]) -> Check:
    """From Check.to_dict."""
    values: dict[str, Any] = {
        field.name: tuple(told[field.name]) if isinstance(told[field.name], list) else told[field.name]
        for field in dataclasses.fields(Check)
    }
    return Check(**values)


def check_frame(checks: Sequence[Check]) -> pd.DataFrame:
    """Predicted and measured changes side by side, for reading."""
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
    """One plain sentence on whether the explanation held."""
    seeds = len(checks[0].before)
    trained = "in one training" if seeds == 1 else f"over {seeds} trainings"
    told = {
        HELD: f"The explanation held: the prediction fell without {{}} ({trained}).",
        UNCERTAIN: f"Not certain: without {{}} the prediction fell in some trainings and rose in others ({trained}).",
        FAILED: f"The explanation did NOT hold: the prediction did not fall without {{}} ({trained}).",
    }
    return " ".join(
        told[verdict].format(" nor without ".join(names) if verdict == FAILED else " and without ".join(names))
        for verdict in (HELD, UNCERTAIN, FAILED)
        if (names := [check.removed for check in checks if check.verdict == verdict])
    )
