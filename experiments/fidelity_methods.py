"""The methods that fidelity compares, each as a matrix of influences from one training."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.complete_rollback import CompleteRollback
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.replay import Replay
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.attribution.triple_gradients import GradientSimilarity, TripleGradients, TripleInfluence
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.prediction import tail_probabilities
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer

# Of the influence functions: added to the Hessian of the mean loss, whose largest eigenvalues are near 1.
DAMPING = 0.01


class OneTraining:
    """A training, and what the methods need of it."""

    def __init__(self, triples: TripleSet, config: TrainConfig, queries: Sequence[Query]) -> None:
        self.triples, self.config, self.queries = triples, config, queries
        self.trainer = Trainer(triples, config)
        self.store = RollbackStore(triples.num_examples, self.trainer.model.width, config.dtype)
        self.table = self.trainer.run(store=self.store).table

    @functools.cached_property
    def gradients(self) -> TripleGradients:
        """At the trained parameters."""
        return TripleGradients(self.trainer.model, self.table, self.triples, self.config)

    @functools.cached_property
    def rollback(self) -> GradientRollback:
        """Gradient Rollback."""
        return GradientRollback(self.trainer.model, self.table, self.store.to_numpy(), self.triples)

    @functools.cached_property
    def replay(self) -> np.ndarray:
        """The parts of replay's influences by epoch, [epochs, num_queries, num_examples]."""
        return Replay(self.trainer).by_epoch(self.queries)

    def later_replay(self) -> np.ndarray:
        """Replay's influences without the first epoch's.

        Raises:
            InputError: if there is no other.
        """
        if self.config.epochs < 2:
            raise InputError("there is no second epoch.")
        later: np.ndarray = self.replay[1:].sum(axis=0)
        return later

    def negative_eigenvalues(self) -> float:
        """The share of the damped Hessian's eigenvalues that are below 0."""
        return TripleInfluence(self.gradients, damping=DAMPING).negative_eigenvalues

    def matrix(self, explain: Callable[[Query], TripleExplanation]) -> np.ndarray:
        """[num_queries, num_examples], 0 for examples that the explanations do not consider."""
        found = np.zeros((len(self.queries), self.triples.num_examples))
        for row, query in zip(found, self.queries, strict=True):
            explanation = explain(query)
            row[explanation.example_ids] = explanation.influences
        return found

    def ranked(self, explainer: Explainer[Query, TripleExplanation]) -> np.ndarray:
        """The same of an explainer's rankings."""
        return self.matrix(explainer.rank)

    def tracin(self) -> np.ndarray:
        """TripleTracIn's influences with a checkpoint after every epoch, times p: on the probability."""
        total = np.zeros((len(self.queries), self.triples.num_examples))
        for epoch in range(1, self.config.epochs + 1):
            table = self.trainer.run(epochs=epoch).table
            gradients = TripleGradients(self.trainer.model, table, self.triples, self.config)
            total += self.config.learning_rate * gradients.of(self.queries) @ gradients.train.T
        return total * tail_probabilities(self.trainer.model, self.table, self.queries)[:, None]


# Averaged over trainings by the median, not the mean.
BY_MEDIAN = ("replay, median",)
METHODS: dict[str, Callable[[OneTraining], np.ndarray]] = {
    "NH": lambda one: one.ranked(Neighborhood(one.trainer.model, one.table, one.triples, one.config.seed)),
    "GR": lambda one: one.ranked(one.rollback),
    "GR-O": lambda one: one.matrix(lambda query: one.rollback.rank(query).with_same_tail()),
    "CRIAGE": lambda one: one.ranked(Criage(one.trainer.model, one.table, one.triples)),
    "TracInCP": OneTraining.tracin,
    "gradient dot": lambda one: one.ranked(GradientSimilarity(one.gradients, "dot")),
    "gradient cosine": lambda one: one.ranked(GradientSimilarity(one.gradients, "cosine")),
    "influence (query's rows)": lambda one: one.ranked(TripleInfluence(one.gradients, block="query", damping=DAMPING)),
    "influence (all)": lambda one: one.ranked(TripleInfluence(one.gradients, block="all", damping=DAMPING)),
    "complete rollback": lambda one: CompleteRollback(one.trainer).influences(one.queries),
    "replay": lambda one: one.replay.sum(axis=0),
    "replay, median": lambda one: one.replay.sum(axis=0),
    "replay from epoch 2": OneTraining.later_replay,
    "replay of the last epoch": lambda one: one.replay[-1],
}
