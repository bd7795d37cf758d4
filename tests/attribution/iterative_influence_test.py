"""Influence functions by conjugate gradients against explicit Hessians."""

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.hessian import explicit_hessian, hessian_vector_product
from gr_tf.attribution.influence_settings import BLOCKS, InfluenceSettings
from gr_tf.attribution.iterative_influence import IterativeInfluence
from gr_tf.attribution.methods import explainer
from gr_tf.attribution.triple_influence import TripleInfluence, rows_of
from gr_tf.data.triples import HEAD, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import batch_curvature
from gr_tf.training.batch_kernel import Asked, BatchPlan
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Tensor

QUERIES = [Query(0, 0, 1), Query(2, 1, 2), Query(4, 2, 1, HEAD), Query(3, 0, 0), Query(1, 3, 5)]
IN_BATCHES = {
    "dim": 3,
    "epochs": 3,
    "batch_size": 25,
    "optimizer": "adagrad",
    "learning_rate": 0.2,
    "num_negatives": 4,
    "dtype": "float64",
}
SETTINGS: list[dict[str, Any]] = [
    {"reciprocal": True, "penalty": 0.01, "dropout": 0.2},
    {"model": "complex", "reciprocal": True, "penalty": 0.01, "loss": "sigmoid"},
    {"model": "complex", "candidates": "1vsall", "penalty": 0.01, "penalty_power": 2},
    {"model": "transe", "candidates": "1vsall", "label_smoothing": 0.1},
    {"model": "transe", "loss": "sigmoid", "optimizer": "adam", "learning_rate": 0.05},
    {"candidates": "kvsall", "reciprocal": True},
]


def trained_with(toy: TripleSet, setting: dict[str, Any]) -> Trained:
    return train_in_memory(TripleTask(toy, TripleConfig(**{**IN_BATCHES, **setting})), tracking=False)


class Explicit:
    """Losses of all triples in the first epoch's batches as functions of the table, differentiated in one piece.

    Attributes:
        table: [num_rows, width], the trained one.
        scores: of every batch, those of the answers and those of their competitors, of a table.
        losses: [num_examples], of a table.
    """

    def __init__(self, trained: Trained) -> None:
        steps: Any = trained.task.steps
        self.table, self.count = trained.parameters.table, trained.task.num_examples
        self._objective = dataclasses.replace(steps._objective, dropout=0.0)
        self._batches = []
        for block in steps.blocks(1):
            examples, plan = steps._plan(block, trained.task.config.seed, np.ones(self.count, bool))
            size = plan.weights.shape[1] // self._objective.directions
            for i in range(block.count):
                own = examples[i * size : (i + 1) * size]
                self._batches.append((own, size, BatchPlan(*(part[i] for part in plan))))

    def _asked(self, table: Tensor, plan: BatchPlan) -> tuple[Asked, Tensor]:
        places = tf.gather(plan.reads, plan.places)
        rows = tf.gather(tf.pad(table, [[0, 1], [0, 0]]), places)
        n = plan.weights.shape[0]
        heads, relations, tails = rows[:n], rows[n : 2 * n], rows[2 * n : 3 * n]
        return Asked(heads, relations, tails, heads, plan.columns), rows[3 * n :]

    def scores(self, table: Tensor) -> list[tuple[Tensor, Tensor]]:
        return [self._objective.scores(*self._asked(table, plan), None) for _, _, plan in self._batches]

    def of_scores(self, scores: list[tuple[Tensor, Tensor]]) -> Tensor:
        return sum(
            tf.reduce_sum(self._objective.loss_of(*one) * plan.weights)
            for one, (_, _, plan) in zip(scores, self._batches, strict=True)
        )

    def penalty(self, table: Tensor) -> Tensor:
        each = [(self._asked(table, plan)[0], plan.weights) for _, _, plan in self._batches]
        return sum(
            tf.reduce_sum(self._objective.penalties(one.heads, one.relations, one.tails) * weights)
            for one, weights in each
        )

    def losses(self, table: Tensor) -> Tensor:
        ids, values = [], []
        for own, size, plan in self._batches:
            found = self._objective.losses(*self._asked(table, plan), None) * plan.weights
            summed = tf.reduce_sum(tf.reshape(found, [-1, size]), axis=0)
            ids.append(own)
            values.append(summed[: len(own)])
        return tf.gather(tf.concat(values, axis=0), np.argsort(np.concatenate(ids)))

    def jacobian(self) -> np.ndarray:
        """[num_examples, size]."""
        return _jacobian(self.losses, self.table)

    def hessian(self, gauss_newton: bool) -> np.ndarray:
        """[size, size], of the mean loss."""
        if not gauss_newton:
            return _hessian(lambda table: tf.reduce_sum(self.losses(table)), self.table) / self.count

        def flat(table: Tensor) -> Tensor:
            return tf.reshape(tf.concat([tf.concat([a[:, None], b], 1) for a, b in self.scores(table)], 0), [-1])

        sizes = [plan.weights.shape[0] for _, _, plan in self._batches]

        def loss(scores: Tensor) -> Tensor:
            parts = tf.split(tf.reshape(scores, [sum(sizes), -1]), sizes)
            return self.of_scores([(part[:, 0], part[:, 1:]) for part in parts])

        jacobian = _jacobian(flat, self.table)
        found = jacobian.T @ _hessian(loss, flat(tf.constant(self.table)).numpy()) @ jacobian
        if self._objective.penalty:
            found += _hessian(self.penalty, self.table)
        return np.asarray(found / self.count)


def _jacobian(function: Any, at: np.ndarray) -> np.ndarray:
    @tf.function
    def row(weights: Tensor) -> Tensor:
        table = tf.constant(at)
        with tf.GradientTape() as tape:
            tape.watch(table)
            value = tf.reduce_sum(weights * function(table))
        return tf.reshape(tf.convert_to_tensor(tape.gradient(value, table)), [-1])

    count = len(function(tf.constant(at)))
    return np.stack([row(tf.constant(one)).numpy() for one in np.eye(count)])


def _hessian(function: Any, at: np.ndarray) -> np.ndarray:
    @tf.function
    def product(vector: Tensor) -> Tensor:
        vectors = [tf.reshape(vector, at.shape)]
        return tf.reshape(hessian_vector_product(lambda x: function(x[0]), [tf.constant(at)], vectors)[0], [-1])

    return explicit_hessian(product, at.size)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    SETTINGS,
    ids=lambda setting: "-".join(map(str, setting.values())),
)
def test_equals_the_explicit_solution(toy: TripleSet, setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With both matrices and both blocks; what is asked together is told as if it were asked alone."""
    # Four random signs a score are enough for many triples, not for a few.
    monkeypatch.setattr(batch_curvature, "_PROBES", 64)
    uncached = batch_curvature._row_curvatures.__wrapped__
    monkeypatch.setattr(batch_curvature, "_row_curvatures", functools.cache(uncached))
    trained = trained_with(toy, setting)
    explicit, parameters, model = Explicit(trained), trained.parameters, trained.task.model
    (gradients,) = trained.task.value_gradients(parameters, QUERIES)
    asked = np.asarray(gradients).reshape(len(QUERIES), -1)
    jacobian = explicit.jacobian()
    places = np.arange(asked.shape[1]).reshape(parameters.table.shape)
    for curvature in ("gauss_newton", "hessian"):
        hessian = explicit.hessian(curvature == "gauss_newton")
        smallest = np.linalg.eigvalsh(hessian)[0]
        if curvature == "gauss_newton":
            assert smallest > -1e-12
            chosen = IterativeInfluence(trained, InfluenceSettings(), functools.partial(rows_of, model)).damping
            assert chosen == pytest.approx(0.1 * np.diag(hessian).mean(), rel=0.1)
        damping = max(0.01, 0.02 - smallest)
        damped = hessian + damping * np.eye(len(hessian))
        settings = InfluenceSettings(curvature=curvature, damping=damping, tolerance=1e-9, max_iterations=500)
        for block in BLOCKS:
            own = [places[rows_of(model, query)].ravel() if block == "query" else places.ravel() for query in QUERIES]
            wanted = np.stack(
                [
                    -jacobian[:, some] @ np.linalg.solve(damped[np.ix_(some, some)], of_query[some]) / explicit.count
                    for some, of_query in zip(own, asked, strict=True)
                ]
            )
            # The registry makes the Hessian of a graph as small as this, unless the other matrix is asked for.
            asked_with = dataclasses.replace(settings, block=block)
            method = IterativeInfluence(trained, asked_with, functools.partial(rows_of, model))
            told = method.influences(QUERIES)
            np.testing.assert_allclose(
                [one.values for one in told], wanted, rtol=1e-6, atol=1e-7 * np.abs(wanted).max()
            )
            for one in told:
                (system,) = one.systems
                assert system.converged
                assert system.residual < 2e-9
                assert 0 < (system.iterations or 0) < 500
            (alone,) = method.influences(QUERIES[2:3])
            np.testing.assert_array_equal(alone.values, told[2].values)
            assert alone.systems == told[2].systems


@pytest.mark.slow
def test_gauss_newton_is_taken_if_it_is_asked_for(toy: TripleSet) -> None:
    """Of a small graph, too; and the settings of conjugate gradients count then."""
    trained = trained_with(toy, {"reciprocal": True, "penalty": 0.01})
    found = explainer(trained, "influence", curvature="gauss_newton", max_iterations=1, tolerance=1e-12)
    assert isinstance(found, IterativeInfluence)
    (told,) = found.influences(QUERIES[:1])
    assert told.systems[0].iterations == 1
    assert not told.systems[0].converged
    assert told.systems[0].warnings == [f"not solved: relative residual {told.systems[0].residual:.2g}"]
    assert found.damping == told.systems[0].damping > 0
    assert isinstance(explainer(trained, "influence"), TripleInfluence)


def test_no_damping_of_rows_without_curvature(toy: TripleSet) -> None:
    trained = trained_with(toy, {"penalty": 0.0})
    nothing = dataclasses.replace(trained, parameters=Parameters(trained.parameters.table * 0))
    with pytest.raises(InputError, match="a row of the table has no curvature, and there is no damping"):
        explainer(nothing, "influence", curvature="gauss_newton", damping=0.0)
