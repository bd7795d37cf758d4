"""Remove and retrain: is an explanation what the model's prediction rests on?

Lawrence et al. (2021), "Identifying explanations" and "Evaluation metrics", after Hooker et
al. (2019), "A Benchmark for Interpretability Methods in Deep Neural Networks" (ROAR).
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from gr_tf.attribution.queries import ExplainedPrediction
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.evaluation.intervals import proportion_interval
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.retraining import retrain_without
from gr_tf.models.prediction import predict_top, tail_probability
from gr_tf.training.trainer import Trainer

ALL = "ALL"
# Probabilities count as dropped when they differ to this many decimals.
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
        p_before, p_after: probability of the predicted tail.
        top1_before, top1_after: filtered top-1.
    """

    prediction: int
    method: str
    k: str
    num_removed: int
    learning_rate: float
    p_before: float
    p_after: float
    top1_before: int
    top1_after: int

    @property
    def key(self) -> tuple[int, str, str]:
        """The removal's."""
        return self.prediction, self.method, self.k

    @property
    def probability_drop(self) -> bool:
        """PD: the prediction lost probability, both rounded to 5 decimals."""
        return round(self.p_after, _DECIMALS) < round(self.p_before, _DECIMALS)

    @property
    def top1_change(self) -> bool:
        """TC: the filtered top-1 is another."""
        return self.top1_after != self.top1_before


@dataclasses.dataclass(frozen=True)
class Score:
    """One row of the table: shares in percent over n predictions, with 95% intervals."""

    method: str
    k: str
    n: int
    mean_removed: float
    pd: float
    pd_interval: tuple[float, float]
    tc: float
    tc_interval: tuple[float, float]


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
    prediction: int, num_supporting: int, rankings: Mapping[str, TripleExplanation], ks: Sequence[str]
) -> list[Removal]:
    """What each method removes for one prediction.

    Args:
        prediction: its place.
        num_supporting: what ALL stands for, for every method: how many examples have
            influence >= 0 by Gradient Rollback.
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
    trainer: Trainer,
    table: np.ndarray,
    epochs: int,
    predictions: Sequence[ExplainedPrediction],
    removals: Sequence[Removal],
    journal: Journal,
    jobs: int,
) -> Iterator[Outcome]:
    """Retrains without each removal's examples that the journal does not have yet.

    The initial values, the order and the negatives of the other steps stay; the filter stays
    that of the full data.

    Args:
        trainer: how to retrain: of the explained model, or of one with the same parameters.
        table: [num_rows, width], the explained model's parameters.
        epochs: of the explained model's selected epoch.
        predictions: the explained predictions.
        removals: what to train without.
        journal: outcomes known already; new ones are added.
        jobs: trainings at a time.

    Yields:
        New outcomes, in the order of completion.
    """
    done = {Outcome(**record).key for record in journal.records}
    missing = [removal for removal in removals if removal.key not in done]
    model = trainer.model
    known = known_from_train_and_valid(trainer.triples)

    def top1(table: np.ndarray, query: Query) -> int:
        return int(predict_top(model, table, known, np.array([query.head]), np.array([query.relation])).tails[0])

    def measure(place: int, retrained: np.ndarray) -> Outcome:
        removal = missing[place]
        query = predictions[removal.prediction].query
        return Outcome(
            *removal.key,
            num_removed=len(removal.example_ids),
            learning_rate=trainer.config.initial_learning_rate(np.array(removal.example_ids, np.int64)),
            p_before=tail_probability(model, table, query),
            p_after=tail_probability(model, retrained, query),
            top1_before=query.tail,
            top1_after=top1(retrained, query),
        )

    ids = [np.array(removal.example_ids, np.int64) for removal in missing]
    for outcome in retrain_without(trainer, epochs, ids, measure, jobs):
        journal.add(dataclasses.asdict(outcome))
        yield outcome


def score_outcomes(outcomes: Sequence[Outcome]) -> list[Score]:
    """PD% and TC% of each method and size, in the order of first appearance."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.method, outcome.k), []).append(outcome)
    scores = []
    for (method, k), group in groups.items():
        shares = []
        for hits in (sum(o.probability_drop for o in group), sum(o.top1_change for o in group)):
            low, high = proportion_interval(hits, len(group))
            shares.append((100 * hits / len(group), (100 * low, 100 * high)))
        (pd, pd_interval), (tc, tc_interval) = shares
        mean_removed = float(np.mean([o.num_removed for o in group]))
        scores.append(Score(method, k, len(group), mean_removed, pd, pd_interval, tc, tc_interval))
    return scores
