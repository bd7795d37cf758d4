"""The best answer for its price: short, wide trainings, replayed, and blended with what the graph's shape says.

What an example does in one training is mostly chance; what can be explained is what it does on average over trainings
(BUILD_NOTES, "Ground truth"). Replay of several trainings finds it. Trainings of a third of the epochs say nearly as
much as whole ones, and more numbers a row make them less noisy; the graph's likeness (data.graph_likeness), which has
no noise at all, is blended in. How much each counts is learnt from the trainings themselves, on other queries
(attribution.blending): no retraining is needed. All of this was chosen on Nations with DistMult, and nowhere else
(BUILD_NOTES, "Best answers").
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import blending, methods
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.blending import Blend, Sums
from gr_tf.attribution.methods import Cost, register
from gr_tf.errors import InputError, argument
from gr_tf.models.parameters import Parameters
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory

# The trainings' numbers begin here, so that no check is by a training with the same seeds.
FIRST_MEMBER = 10_000
TRAININGS, SHARE, WIDTH, QUERIES = 5, 0.3, 2, 64
# What is replayed of each training.
_BASE = "replay"


def shorter(task: Task[Any], share: float = SHARE, width: int = WIDTH) -> Task[Any]:
    """A training like a task's, but shorter and wider.

    Args:
        task: the whole training.
        share: of the epochs; there are at least two.
        width: how many times as many numbers a row has.
    """
    epochs = min(max(2, round(share * task.config.epochs)), task.config.epochs)
    return task.with_config(epochs=epochs, dim=width * task.config.dim)


def price(task: Task[Any]) -> float:
    """What one of the short trainings of a task costs, in whole trainings: its share of the steps, times its width."""
    short = shorter(task)
    return float(short.config.epochs / task.config.epochs * short.config.dim / task.config.dim)


def standardised(influences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Influences [..., num_examples], centred and divided by their standard deviations; and these [...].

    Raises:
        InputError: if all influences on a query are the same.
    """
    spread = influences.std(axis=-1)
    if not (spread > 0).all():
        raise InputError("the influences of all examples are the same: they rank nothing.")
    return ((influences - influences.mean(axis=-1, keepdims=True)) / spread[..., None]).astype(np.float32), spread


def blended(
    task: Task[Any], queries: Sequence[Any], influences: np.ndarray, blend: Blend | None = None
) -> tuple[np.ndarray, Blend]:
    """The blend [num_queries, num_examples] of several trainings' influences with the data's likeness, and what it is.

    Args:
        task: of the data.
        queries: what is explained.
        influences: [m, num_queries, num_examples], of m trainings.
        blend: what was learnt before; None: it is learnt from these.
    """
    found, spread = standardised(influences)
    if blend is None:
        blend = blending.learn(sums_of(task, queries, found))
    rows = [
        blend.of(centred_likeness(task, query), found[:, place]) * spread[:, place].mean()
        for place, query in enumerate(queries)
    ]
    return np.stack(rows), blend


def sums_of(task: Task[Any], queries: Sequence[Any], found: np.ndarray, masks: np.ndarray | None = None) -> Sums:
    """The sums that a blend is learnt from.

    Args:
        task, queries: see blended.
        found: [m, num_queries, num_examples], standardised.
        masks: bool [num_queries, num_examples], the examples that count; None: all.
    """
    total: Sums | None = None
    for place, query in enumerate(queries):
        features, values = centred_likeness(task, query), found[:, place]
        if masks is not None:
            features, values = features[masks[place]], values[:, masks[place]]
        one = Sums.of(features, values)
        total = one if total is None else total + one
    if total is None:
        raise InputError("there is no query to learn from.")
    return total


def centred_likeness(task: Task[Any], query: Any) -> np.ndarray:
    """Dataset.likeness, less its mean over the examples."""
    features: np.ndarray = task.dataset.likeness(query)
    return features - features.mean(axis=0)


def _cost(task: Task[Any]) -> Cost:
    """That of replaying each short training."""
    short = shorter(task)
    method = methods.method_of(task.kind, _BASE)
    cost = method.cost(short) if method.cost else Cost(0)
    likeness = 8.0 * task.num_examples * (QUERIES * TRAININGS + 60)
    return Cost(cost.memory + likeness, None if cost.seconds is None else TRAININGS * cost.seconds)


def _check(task: Task[Any]) -> None:
    """
    Raises:
        InputError: if the short trainings cannot be replayed.
    """
    methods.method_of(task.kind, _BASE).check(shorter(task))


@register(
    "best",
    kinds=("triples",),
    needs="steps",
    unit="probability",
    title="what the triple does on average over trainings: replay of several short ones, and the graph's shape",
    cost=_cost,
    check=_check,
    instead="gr",
    averages=True,
)
class Best(Explainer[Any]):
    """Ranks all training examples by what they do on average over trainings; its short trainings are done once."""

    def __init__(
        self,
        trained: Trained,
        *,
        trainings: int = TRAININGS,
        share: float = SHARE,
        width: int = WIDTH,
        num_queries: int = QUERIES,
    ) -> None:
        """
        Args:
            trained: the model; only its predictions are its own.
            trainings: how many short trainings.
            share, width: see shorter.
            num_queries: how many queries of test and training examples the blend is learnt from.

        Raises:
            InputError: if one of these is not positive, or the short trainings cannot be replayed.
        """
        for name, value in {"trainings": trainings, "share": share, "width": width, "num_queries": num_queries}.items():
            if not value > 0:
                raise InputError(f"{argument(name)} must be positive; got {value}.")
        self.task, self._parameters = trained.task, trained.parameters
        self._explainers = []
        with progress("short trainings", trainings) as bar:
            for number in range(trainings):
                task = shorter(self.task.member(FIRST_MEMBER + number), share, width)
                self._explainers.append(methods.explainer(train_in_memory(task, tracking=False), _BASE))
                bar.advance()
        learnt_from = _some_queries(self.task, trained.parameters, num_queries)
        self._blend = blended(self.task, learnt_from, self._replayed(learnt_from))[1]

    def _replayed(self, queries: Sequence[Any]) -> np.ndarray:
        """[trainings, num_queries, num_examples]."""
        return np.stack([explainer.matrix(queries) for explainer in self._explainers])

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer; `agreeing` counts the short trainings whose own influence has the blend's sign."""
        if not queries:
            return []
        replayed = self._replayed(queries)
        values, _ = blended(self.task, queries, replayed, self._blend)
        predictions = self.task.value(self._parameters, queries)
        signs = np.sign(replayed - replayed.mean(axis=-1, keepdims=True))
        return [
            Influences(
                np.arange(len(row)),
                row,
                float(prediction),
                agreeing=(of_each == np.sign(row)).sum(axis=0),
                num_trainings=len(replayed),
            )
            for row, prediction, of_each in zip(values, predictions, signs.transpose(1, 0, 2), strict=True)
        ]


def _some_queries(task: Task[Any], parameters: Parameters, count: int) -> list[Any]:
    """Test predictions, and where there are too few, training examples' queries."""
    generator = np.random.default_rng(0)
    known = task.test_predictions(parameters) if len(task.dataset.test) else []
    found = [known[place].query for place in generator.permutation(len(known))[:count]]
    missing = min(count - len(found), task.num_examples)
    return found + [task.query_of(int(place)) for place in generator.permutation(task.num_examples)[:missing]]
