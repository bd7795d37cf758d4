"""The best answer for its price: short, wide trainings, replayed, and blended with what the graph's shape says.

What an example does in one training is mostly chance; what can be explained is what it does on average over trainings
(BUILD_NOTES, "Ground truth"). Replay of several trainings finds it. Trainings of a third of the epochs say nearly as
much as whole ones, and more numbers a row make them less noisy; the graph's likeness (data.graph_likeness), which has
no noise at all, is blended in. How much each counts is learnt from the trainings themselves, on other queries
(attribution.blending): no retraining is needed. All of this was chosen on Nations with DistMult, and nowhere else
(BUILD_NOTES, "Best answers").
"""

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import blending, block_replay, certainty, learnt, methods
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.blending import Sums
from gr_tf.attribution.learnt import Learnt
from gr_tf.attribution.methods import Cost, register
from gr_tf.errors import InputError, argument
from gr_tf.models.parameters import Parameters
from gr_tf.runs.progress import labelled, progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory

# The trainings' numbers begin here, so that no check is by a training with the same seeds.
FIRST_MEMBER = 10_000
TRAININGS, SHARE, WIDTH, QUERIES = 5, 0.3, 2, 64
# See BUILD_NOTES, "How sure".
_WARNINGS = (
    "the intervals and chances of signs hold on Nations; on another graph that was measured, signs that were said to "
    "be right in 93 of 100 cases were right in 68",
)
# Fewer trainings do not tell how far they are off.
LEAST_TRAININGS = 3
# What is replayed of each training.
_BASE = "replay"
# Queries that it takes as long to go back with as to train, and to train again.
_TRAINING = 3


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


def learn(task: Task[Any], queries: Sequence[Any], influences: np.ndarray) -> Learnt:
    """Learns from the influences [m, num_queries, num_examples] of m trainings on some queries.

    Raises:
        InputError: if the influences on a query are all the same.
    """
    found, _ = standardised(influences)
    by_query = [_sums_by_stratum(task, query, found[:, place]) for place, query in enumerate(queries)]
    parts = [functools.reduce(operator.add, of_stratum) for of_stratum in zip(*by_query, strict=True)]
    whole = functools.reduce(operator.add, parts)
    blend = blending.learn(whole)
    return Learnt(blend, np.array([blending.variance(part, whole, blend) if part.count else 0.0 for part in parts]))


def expected(task: Task[Any], query: Any, influences: np.ndarray, known: Learnt) -> tuple[np.ndarray, np.ndarray]:
    """What each example does to a query's prediction on average, [num_examples], and its standard errors.

    Args:
        task: of the data.
        query: what is explained.
        influences: [m, num_examples], of m trainings.
        known: learnt from these trainings' influences on many queries.
    """
    found, spread = standardised(influences)
    blended = known.blend.of(centred_likeness(task, query), found)
    shared = task.dataset.shared_elements(query)
    return certainty.expected_effects(blended, found, float(spread.mean()), shared, known.variances)


def _sums_by_stratum(task: Task[Any], query: Any, found: np.ndarray) -> list[Sums]:
    """The sums [STRATA] of standardised influences [m, num_examples] and features over a query's examples."""
    features = centred_likeness(task, query)
    strata = certainty.stratum(task.dataset.shared_elements(query))
    return [Sums.of(features[strata == number], found[:, strata == number]) for number in range(certainty.STRATA)]


def centred_likeness(task: Task[Any], query: Any) -> np.ndarray:
    """Dataset.likeness, less its mean over the examples."""
    features: np.ndarray = task.dataset.likeness(query)
    return features - features.mean(axis=0)


def _cost(task: Task[Any], num_queries: int = QUERIES + 1) -> Cost:
    """That of the short trainings, and of replaying each for queries: the sampled ones and the user's."""
    cost = block_replay.cost_of(shorter(task), num_queries + _TRAINING)
    likeness = 8.0 * task.num_examples * (QUERIES * TRAININGS + 60)
    seconds = None if cost.seconds is None else TRAININGS * cost.seconds
    return dataclasses.replace(cost, memory=cost.memory + likeness, seconds=seconds)


def _cost_again(trained: Trained) -> Cost | None:
    """That of the next question, where the run's folder keeps what the sampled queries taught."""
    place = learnt.place_of(trained, trainings=TRAININGS, share=SHARE, width=WIDTH, num_queries=QUERIES)
    return _cost(trained.task, 1) if place is not None and place.exists() else None


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
    title="what the triple does on average over trainings: replay of several short trainings, and the graph's shape",
    cost=_cost,
    cost_again=_cost_again,
    check=_check,
    instead="gr",
    averages=True,
)
class Best(Explainer[Any]):
    """Ranks all training examples by what they do on average over trainings.

    Its short trainings are done once. What they teach is kept in the run's folder, if there is one.
    """

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
        settings = {"trainings": trainings, "share": share, "width": width, "num_queries": num_queries}
        for name, value in settings.items():
            if not value > 0:
                raise InputError(f"{argument(name)} must be positive; got {value}.")
        self.task, self._parameters = trained.task, trained.parameters
        self._explainers = []
        with progress("short trainings", trainings) as bar:
            for number in range(trainings):
                task = shorter(self.task.member(FIRST_MEMBER + number), share, width)
                with labelled(f"short training {number + 1} of {trainings}"):
                    self._explainers.append(methods.explainer(train_in_memory(task, tracking=False), _BASE))
                bar.advance()
        place = learnt.place_of(trained, **settings)
        known = None if place is None else learnt.read(place)
        if known is None:
            asked = _some_queries(self.task, trained.parameters, num_queries)
            known = learn(self.task, asked, self._replayed(asked))
            if place is not None:
                learnt.keep(place, known)
        self._learnt = known

    def _replayed(self, queries: Sequence[Any]) -> np.ndarray:
        """[trainings, num_queries, num_examples]."""
        found, count = [], len(self._explainers)
        asked = f"{len(queries)} question{'s' if len(queries) > 1 else ''}"
        for number, explainer in enumerate(self._explainers, start=1):
            with labelled(f"short training {number} of {count}, {asked}"):
                found.append(explainer.matrix(queries))
        return np.stack(found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """See Explainer."""
        return _WARNINGS if len(self._explainers) >= LEAST_TRAININGS else ()

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer; `agreeing` counts the short trainings whose own influence has the sign of all together."""
        if not queries:
            return []
        replayed = self._replayed(queries)
        predictions = self.task.value(self._parameters, queries)
        return [
            self._influences(query, replayed[:, place], float(predictions[place]))
            for place, query in enumerate(queries)
        ]

    def _influences(self, query: Any, replayed: np.ndarray, prediction: float) -> Influences:
        values, errors = expected(self.task, query, replayed, self._learnt)
        signs = np.sign(replayed - replayed.mean(axis=1, keepdims=True))
        # The variance of fewer trainings than three is not known.
        is_known = len(replayed) >= LEAST_TRAININGS
        return Influences(
            np.arange(len(values)),
            values,
            prediction,
            standard_errors=errors if is_known else None,
            sign_chances=certainty.sign_chances(values, errors) if is_known else None,
            agreeing=(signs == np.sign(values)).sum(axis=0) if len(replayed) > 1 else None,
            num_trainings=len(replayed),
        )


def _some_queries(task: Task[Any], parameters: Parameters, count: int) -> list[Any]:
    """Test predictions, and where there are too few, training examples' queries."""
    generator = np.random.default_rng(0)
    known = task.test_predictions(parameters) if len(task.dataset.test) else []
    found = [known[place].query for place in generator.permutation(len(known))[:count]]
    missing = min(count - len(found), task.num_examples)
    return found + [task.query_of(int(place)) for place in generator.permutation(task.num_examples)[:missing]]
