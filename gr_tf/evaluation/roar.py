"""Remove and retrain: is an explanation what the model's prediction rests on?

Lawrence et al. (2021), "Identifying explanations" and "Evaluation metrics", after Hooker et
al. (2019), "A Benchmark for Interpretability Methods in Deep Neural Networks" (ROAR).
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.errors import InputError
from gr_tf.evaluation.intervals import proportion_interval
from gr_tf.evaluation.retraining import MEASURES, Retraining, retrain
from gr_tf.runs.journal import Journal
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

ALL = "ALL"
# Predictions count as fallen when they differ to this many decimals.
_DECIMALS = 5
_MEASURE = "answers"


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

    @property
    def key(self) -> tuple[int, str, str]:
        """What tells a removal from the others."""
        return self.prediction, self.method, self.k


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
    def key(self) -> tuple[int, str, str]:
        """The removal's."""
        return self.prediction, self.method, self.k

    @property
    def probability_drop(self) -> bool:
        """PD: the prediction fell, both values rounded to 5 decimals."""
        return round(self.p_after, _DECIMALS) < round(self.p_before, _DECIMALS)

    @property
    def top1_change(self) -> bool | None:
        """TC: the best answer is another; None of kinds without alternatives."""
        return None if self.top1_before is None else self.top1_after != self.top1_before


@dataclasses.dataclass(frozen=True)
class Score:
    """One row of the table: shares in percent over n predictions, with 95% intervals.

    TC is None of kinds without alternatives.
    """

    method: str
    k: str
    n: int
    mean_removed: float
    pd: float
    pd_interval: tuple[float, float]
    tc: float | None
    tc_interval: tuple[float, float] | None


def parse_ks(ks: Iterable[str]) -> tuple[str, ...]:
    """Checks the sizes asked for: whole numbers from 1, or ALL.

    Raises:
        InputError: naming the size that is neither.
    """
    parsed = tuple(_parse_k(k) for k in ks)
    if len(set(parsed)) < len(parsed) or not parsed:
        raise InputError(f"want each k once; got {','.join(parsed)!r}.")
    return parsed


def _parse_k(k: str) -> str:
    text = k.strip().upper()
    if text == ALL:
        return ALL
    if not (text.isdecimal() and int(text) >= 1):
        raise InputError(f"k must be a whole number from 1, or ALL; got {k!r}.")
    return str(int(text))


def make_removals(
    prediction: int, num_supporting: int, rankings: Mapping[str, Explanation[Any]], ks: Sequence[str]
) -> list[Removal]:
    """What each method removes for one prediction.

    Args:
        prediction: its place.
        num_supporting: what ALL stands for, for every method: how many examples have influence >= 0 by the method
            that explained the prediction.
        rankings: all examples that a method considers, by method.
        ks: sizes, from `parse_ks`.
    """
    return [
        Removal(
            prediction, method, k, tuple(sorted(ranking.example_ids[: num_supporting if k == ALL else int(k)].tolist()))
        )
        for method, ranking in rankings.items()
        for k in ks
    ]


def remove_and_retrain(
    trained: Trained,
    queries: Sequence[Any],
    removals: Sequence[Removal],
    journal: Journal,
    jobs: int,
    *,
    retrained: Task[Any] | None = None,
    length: int | None = None,
) -> Iterator[Outcome]:
    """Retrains without each removal's examples that the journal does not have yet.

    The initial values, the order and the negatives of the other steps stay; what is known already, which filters
    the best answers, stays that of the full data.

    Args:
        trained: the explained model.
        queries: of the explained predictions.
        removals: what to train without.
        journal: outcomes known already; new ones are added.
        jobs: trainings at a time.
        retrained: how to retrain; default: as the explained model was trained.
        length: of a retraining; default: the training's.

    Yields:
        New outcomes, in the order of completion.
    """
    done = {Outcome(**record).key for record in journal.records}
    missing = [removal for removal in removals if removal.key not in done]
    task = trained.task if retrained is None else retrained
    known: list[Task[Any] | Trained] = [trained] if retrained is None else [trained, retrained]
    other = {"task": task.reference} if length is None else {"task": task.reference, "length": length}
    asked = [
        Retraining.of(trained, removal.example_ids, _MEASURE, [queries[removal.prediction]], **other)
        for removal in missing
    ]
    before = _before(trained, queries, jobs, other) if missing else []
    for place, outcome in retrain(asked, jobs, known=known):
        removal, ((value, answer),) = missing[place], outcome.measured
        whole, own = before[removal.prediction]
        found = Outcome(
            *removal.key,
            num_removed=len(removal.example_ids),
            learning_rate=task.first_learning_rate(np.array(removal.example_ids, np.int64)),
            p_before=whole,
            p_after=value,
            top1_before=own,
            top1_after=answer,
        )
        journal.add(dataclasses.asdict(found))
        yield found


def _before(
    trained: Trained, queries: Sequence[Any], jobs: int, other: Mapping[str, Any]
) -> list[tuple[float, int | None]]:
    """Of each query, the value and its answer with all examples.

    Where a check goes on from the trained model, after going on with all of them: both would move without a removal.
    """
    if trained.task.continues:
        asked = Retraining.of(trained, (), _MEASURE, queries, **other)
        ((_, outcome),) = retrain([asked], jobs, known=[trained])
        return [(value, answer) for value, answer in outcome.measured]
    measured = MEASURES["value"]
    task, parameters = trained.task, trained.parameters
    return [(measured(task, parameters, [query])[0], task.answer_of(query)) for query in queries]


def score_outcomes(outcomes: Sequence[Outcome]) -> list[Score]:
    """PD% and TC% of each method and size, in the order of first appearance."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.method, outcome.k), []).append(outcome)
    scores = []
    for (method, k), group in groups.items():
        pd, pd_interval = _share([outcome.probability_drop for outcome in group])
        changes = [outcome.top1_change for outcome in group if outcome.top1_change is not None]
        tc, tc_interval = _share(changes) if changes else (None, None)
        mean_removed = float(np.mean([outcome.num_removed for outcome in group]))
        scores.append(Score(method, k, len(group), mean_removed, pd, pd_interval, tc, tc_interval))
    return scores


def _share(hits: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    """How many are true, in percent, with the interval."""
    low, high = proportion_interval(sum(hits), len(hits))
    return 100 * sum(hits) / len(hits), (100 * low, 100 * high)
