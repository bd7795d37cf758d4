"""Checks whether an explanation is true: does the prediction fall if its examples are left out of the training?

Controls show what chance does: as many random related examples are left out; nothing is, but the seed is another.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.asking.about import About
from gr_tf.asking.answer import signed
from gr_tf.evaluation.statistics import mean_interval

HELD, UNCERTAIN, FAILED = "held", "not certain", "did not hold"
# What was left out.
EXPLAINED, RANDOM, NOTHING = "explained", "random", "nothing"


@dataclasses.dataclass(frozen=True)
class Check:
    """Compares trainings with all examples and without some of them, one of each for every seed.

    Attributes:
        example_ids: the removed examples, which are the first of an explanation; of a control, those of the first seed.
        predicted: the method's estimate of how the prediction changes; None if it makes none.
        before: the prediction of the training with all examples, by seed.
        after: the prediction of the training without the removed examples, by seed.
        top_changed: whether another answer is the best without them than with all examples, by seed; of one answer
            rather than another, whether the other is ahead without them. None if the question has no other answer, or
            the explained one was not the best.
        what: EXPLAINED; RANDOM: a control, as many random related examples, others for each seed; NOTHING: a control,
            the training of the next seed instead of this one.
        fallen: of a group of questions, for how many the prediction is lower without the examples, by seed.
        questions: how many the group has.
        explained, column: what is to fall, and what `top_changed` says, for people; see asking.about.
    """

    example_ids: tuple[int, ...]
    predicted: float | None
    before: tuple[float, ...]
    after: tuple[float, ...]
    top_changed: tuple[bool, ...] | None
    what: str = EXPLAINED
    fallen: tuple[int, ...] | None = None
    questions: int = 1
    explained: str = About.explained
    column: str = About.column

    def __repr__(self) -> str:
        changed = f"by {self.spread:.4f}" if self.what == NOTHING else signed(self.interval[0])
        verdict = f"; {self.verdict}" if self.verdict else ""
        trainings = "1 training" if len(self.before) == 1 else f"{len(self.before)} trainings"
        return f"Check({self.removed}: {self.explained} changed {changed} in {trainings}{verdict})"

    @property
    def removed(self) -> str:
        """Says for people what was removed."""
        if self.what == NOTHING:
            return "nothing, but another seed"
        if self.what == RANDOM:
            return f"{len(self.example_ids)} random related"
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
    def spread(self) -> float:
        """The mean size of the changes."""
        return float(np.mean(np.abs(self.changes)))

    @property
    def verdict(self) -> str:
        """HELD: the prediction fell without them; FAILED: it did not; UNCERTAIN: the interval contains 0.

        A control has none: "".
        """
        if self.what != EXPLAINED:
            return ""
        mean, low, high = self.interval
        if low is not None and high is not None and low < 0 < high:
            return UNCERTAIN
        return HELD if mean < 0 else FAILED

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        mean, low, high = self.interval
        told = dataclasses.asdict(self)
        usual = {"fallen": None, "questions": 1, "explained": About.explained, "column": About.column}
        return {
            "removed": self.removed,
            **{name: value for name, value in told.items() if name not in usual or value != usual[name]},
            "changes": list(self.changes),
            "change": {"mean": mean, "low": low, "high": high},
            "verdict": self.verdict,
        }


def check_of_dict(told: Mapping[str, Any]) -> Check:
    """Reads a Check from the result of Check.to_dict."""
    values: dict[str, Any] = {field.name: told[field.name] for field in dataclasses.fields(Check) if field.name in told}
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Check(**values)


def check_frame(checks: Sequence[Check]) -> pd.DataFrame:
    """Shows predicted and measured changes side by side, and those of the controls."""
    rows = []
    for check in checks:
        mean, low, high = check.interval
        interval = "" if low is None or high is None else f" [{signed(low)}, {signed(high)}]"
        row = {
            "removed": check.removed,
            "predicted change": "-" if check.predicted is None else signed(check.predicted),
            "measured change": f"by {check.spread:.4f}" if check.what == NOTHING else f"{signed(mean)}{interval}",
        }
        if any(one.top_changed is not None for one in checks):
            changed = check.top_changed
            row[check.column] = "-" if changed is None else f"{np.sum(changed)} of {len(changed)}"
        if check.fallen is not None:
            row["lower for"] = f"{np.mean(check.fallen):.0f} of {check.questions:,} questions"
        rows.append({**row, "explanation": check.verdict or "(chance)"})
    return pd.DataFrame(rows)


def seeds_frame(checks: Sequence[Check]) -> pd.DataFrame:
    """The predictions of each training: a row for each seed, a column for what was removed."""
    columns = {"nothing": checks[0].before} if checks else {}
    columns |= {check.removed: check.after for check in checks if check.what != NOTHING}
    frame = pd.DataFrame({name: [f"{value:.4f}" for value in values] for name, values in columns.items()})
    frame.insert(0, "training", [str(place) for place in range(1, len(frame) + 1)])
    return frame


def conclusion(checks: Sequence[Check]) -> str:
    """Says in plain words whether the explanation is true, and whether it is better than chance."""
    random = {len(check.example_ids): check for check in checks if check.what == RANDOM}
    controlled = any(check.what == NOTHING for check in checks)
    told = []
    for check in checks:
        if check.what == EXPLAINED:
            told += [_conclusion(check), *_also(check)]
            if len(check.example_ids) in random:
                told.append(_beside_chance(check, random[len(check.example_ids)]))
            elif controlled:
                told.append(f"Fewer than {len(check.example_ids)} examples are related: chance is not measured.")
    return " ".join(told)


def _also(check: Check) -> Iterator[str]:
    """Yields what else a check of a difference, or of a group, tells."""
    trainings = len(check.changes)
    if check.column != About.column and check.top_changed is not None:
        yield f"{check.column} in {sum(check.top_changed)} of {trainings} trainings."
    if check.fallen is not None:
        mean = ", on average over the trainings" if trainings > 1 else ""
        yield f"The prediction is lower for {np.mean(check.fallen):.0f} of {check.questions:,} questions{mean}."


def _beside_chance(check: Check, random: Check) -> str:
    """Compares a check with as many random related examples, training by training."""
    mean, low, high = mean_interval(np.subtract(check.changes, random.changes).tolist())
    count = len(check.example_ids)
    others = f"{count} random related examples" if count > 1 else "a random related example"
    verb = "change" if count > 1 else "changes"
    told = f"{others[0].upper()}{others[1:]} {verb} it by {signed(random.interval[0])}"
    if low is None or high is None:
        return f"{told} in this training{': the explanation is no better' if mean >= 0 else ''}."
    if mean >= 0:
        return f"But this is NO better than chance: {others} {verb} it by {signed(random.interval[0])}."
    if high < 0:
        return f"{told}: the explanation is better than chance (95% interval of the difference below 0)."
    return f"{told}: that the explanation is better than chance is not certain."


def _conclusion(check: Check) -> str:
    trainings = len(check.changes)
    fell = sum(change < 0 for change in check.changes)
    without = f"without {check.removed} {check.explained}"
    if trainings == 1:
        if check.verdict == HELD:
            return f"Held in this one training: {without} fell. Another seed may differ: ask for several seeds."
        return f"Did NOT hold: {without} did not fall in the one training that was done."
    seen = f"fell in {fell} of {trainings} trainings"
    return {
        HELD: f"Held: {without} {seen}, by a mean whose 95% interval is below 0.",
        UNCERTAIN: f"Not certain: {without} {seen}, and the 95% interval of the mean change has 0 in it.",
        FAILED: f"Did NOT hold: {without} {seen}; the mean change is not below 0.",
    }[check.verdict]
