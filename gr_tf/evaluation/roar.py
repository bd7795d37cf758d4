"""Remove and retrain: is an explanation what the model's prediction rests on?

Lawrence et al. (2021), "Identifying explanations" and "Evaluation metrics", after Hooker et
al. (2019), "A Benchmark for Interpretability Methods in Deep Neural Networks" (ROAR).
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import Retraining, outcomes_of
from gr_tf.evaluation.statistics import proportion_interval
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

ALL = "ALL"
# Predictions count as fallen when they differ to this many decimals.
_DECIMALS = 5


@dataclasses.dataclass(frozen=True)
class Removal:
    """The examples to train without, for one prediction and one row of the table.

    Attributes:
        prediction: place in the list of explained predictions.
        method: "GR", "NH", ...
        k: "1", "10", ... or ALL.
        example_ids: sorted.
    """

    prediction: int
    method: str
    k: str
    example_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What retraining without a removal's examples did to its prediction; ids as in the dataset.

    Attributes:
        prediction, method, k: the removal's.
        num_removed: how many examples were removed.
        learning_rate: of the retraining's first step.
        p_before, p_after: the prediction, in the task's unit.
        top1_before, top1_after: the best answer; None of kinds without alternatives.
    """

    prediction: int
    method: str
    k: str
    num_removed: int
    learning_rate: float
    p_before: float
    p_after: float
    top1_before: int | None
    top1_after: int | None

    @property
    def probability_drop(self) -> bool:
        """PD: the prediction fell, both values rounded to 5 decimals."""
        return round(self.p_after, _DECIMALS) < round(self.p_before, _DECIMALS)

    @property
    def top1_change(self) -> bool | None:
        """TC: the best answer is another; None of kinds without alternatives."""
        return None if self.top1_before is None else self.top1_after != self.top1_before


def parse_ks(ks: Iterable[str]) -> tuple[str, ...]:
    """Checks the sizes asked for: whole numbers from 1, or ALL.

    Raises:
        InputError: naming the size that is neither.
    """
    parsed = []
    for k in ks:
        text = k.strip().upper()
        if text != ALL and not (text.isdecimal() and int(text) >= 1):
            raise InputError(f"k must be a whole number from 1, or ALL; got {k!r}.")
        parsed.append(text if text == ALL else str(int(text)))
    if len(set(parsed)) < len(parsed) or not parsed:
        raise InputError(f"want each k once; got {','.join(parsed)!r}.")
    return tuple(parsed)


def make_removals(
    prediction: int, method: str, ranking: Explanation[Any], ks: Sequence[str], num_supporting: int
) -> list[Removal]:
    """What a method removes for one prediction.

    Args:
        prediction: its place.
        method: its name.
        ranking: all examples that the method considers.
        ks: sizes, from `parse_ks`.
        num_supporting: what ALL stands for, for every method: how many examples have influence >= 0 by the method
            that explained the prediction.
    """
    counts = {k: num_supporting if k == ALL else int(k) for k in ks}
    return [
        Removal(prediction, method, k, tuple(sorted(ranking.example_ids[:count].tolist())))
        for k, count in counts.items()
    ]


def remove_and_retrain(
    trained: Trained,
    queries: Sequence[Any],
    removals: Sequence[Removal],
    journal: pathlib.Path,
    jobs: int,
    *,
    retrained: Task[Any] | None = None,
    length: int | None = None,
) -> list[Outcome]:
    """Retrains without the examples of each removal.

    The initial values, the order and the negatives of the other steps stay; what is known already, which filters
    the best answers, stays that of the full data.

    Args:
        trained: the explained model.
        queries: of the explained predictions.
        removals: what to train without.
        journal, jobs: see retraining.outcomes_of.
        retrained: how to retrain; default: as the explained model was trained.
        length: of a retraining; default: the training's.
    """
    explained, task = trained.task, trained.task if retrained is None else retrained
    like = {"task": task.reference} if length is None else {"task": task.reference, "length": length}
    asked = [(removal.example_ids, [queries[removal.prediction]]) for removal in removals]
    if explained.continues:
        # Going on with all examples moves the predictions too.
        asked.append(((), queries))
    retrainings = [Retraining.of(trained, ids, "answers", of, **like) for ids, of in asked]
    measured = [outcome.measured for outcome in outcomes_of([trained, task], retrainings, journal, jobs)]
    if explained.continues:
        before = measured.pop()
    else:
        values = [float(explained.value(trained.parameters, [query])[0]) for query in queries]
        before = list(zip(values, map(explained.answer_of, queries), strict=True))
    return [
        Outcome(
            removal.prediction,
            removal.method,
            removal.k,
            num_removed=len(removal.example_ids),
            learning_rate=task.first_learning_rate(np.array(removal.example_ids, np.int64)),
            p_before=before[removal.prediction][0],
            p_after=p_after,
            top1_before=before[removal.prediction][1],
            top1_after=top1_after,
        )
        for removal, ((p_after, top1_after),) in zip(removals, measured, strict=True)
    ]


def score_outcomes(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The rows of the table, one of each method and size, from outcomes in the order of the table.

    Returns:
        Of each "method" and "k": "n" predictions; "mean_removed" examples; "pd" and "tc" in percent, and their 95%
        intervals "pd_interval" and "tc_interval"; TC is None of kinds without alternatives.
    """
    rows = []
    for (method, k), group in itertools.groupby(outcomes, key=lambda outcome: (outcome.method, outcome.k)):
        of_group = list(group)
        mean_removed = float(np.mean([outcome.num_removed for outcome in of_group]))
        row: dict[str, Any] = {"method": method, "k": k, "n": len(of_group), "mean_removed": mean_removed}
        changes = [outcome.top1_change for outcome in of_group if outcome.top1_change is not None]
        for name, hits in (("pd", [outcome.probability_drop for outcome in of_group]), ("tc", changes)):
            bounds = proportion_interval(sum(hits), len(hits)) if hits else None
            row[name] = 100 * sum(hits) / len(hits) if hits else None
            row[f"{name}_interval"] = bounds and [100 * bound for bound in bounds]
        rows.append(row)
    return rows
