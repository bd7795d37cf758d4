"""Mini-batches of triples: against the sum of plain gradients, and the laws of shares."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import triple_steps
from gr_tf.training.batch_triple_steps import BatchTripleSteps
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(
    dim=4, num_negatives=5, epochs=1, batch_size=16, optimizer="adagrad", learning_rate=0.1, reciprocal=True
)
ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}


def trained(task: TripleTask, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The table, and the shares of each triple."""
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, task.steps.rows_per_example)
    return task.train(store=store, **options).parameters.table, store.to_numpy()


def plainly(task: TripleTask, removed: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """The table, and the change [num_examples, num_rows, width] that each triple made to every row.

    By gradients of the whole table, one triple at a time; without dropout.
    """
    config, triples, steps = task.config, task.dataset, task.steps
    assert isinstance(steps, BatchTripleSteps)
    table = task.initial_parameters.table.copy()
    squares = np.zeros_like(table)
    shares = np.zeros((triples.num_examples, *table.shape))
    size = config.batch_size
    for epoch in range(config.epochs):
        order = steps._order(config.seed, epoch)
        for batch, first in enumerate(range(0, len(order), size)):
            candidates = steps._candidates(config.seed, epoch, batch)
            of_batch = {int(i): gradient(task, table, int(i), candidates) for i in order[first : first + size]}
            of_batch = {i: found for i, found in of_batch.items() if i not in removed}
            total = np.sum([*of_batch.values(), np.zeros_like(table)], axis=0)
            squares += total**2
            scale = np.full_like(table, config.learning_rate)
            if config.optimizer == "adagrad":
                scale /= np.sqrt(squares) + 1e-10
            for i, found in of_batch.items():
                shares[i] -= scale * found
            table = table - scale * total
    return table, shares


def gradient(task: TripleTask, table: np.ndarray, example_id: int, candidates: np.ndarray) -> np.ndarray:
    """Of the loss of one triple by the whole table."""
    model, config = task.model, task.config
    asked = task.dataset.train[example_id : example_id + 1]
    variable = tf.constant(table)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        total = tf.constant(0.0, table.dtype)
        for triples, weight in zip([asked, model.inverse(asked)], task.steps._weights[:, example_id], strict=False):  # type: ignore[union-attr]
            rows = [tf.gather(variable, row) for row in model.rows_of(triples)[0]]
            head, relation, tail = rows
            others = tf.gather(variable, candidates[candidates != triples[0, 2]])
            scores = model.score(head, relation, tf.concat([tail[None], others], axis=0))
            if config.loss == "softmax":
                smooth = config.label_smoothing
                labels = (1 - smooth) * np.eye(1, len(scores)) + smooth / len(scores)
                loss = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(labels, scores[None]))
            else:
                labels = np.eye(1, len(scores))[0]
                bce = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, scores))
                loss = bce / len(scores)
            loss += config.penalty * sum(model.penalty(row, config.penalty_power) for row in rows)
            total += weight * loss
    return tf.convert_to_tensor(tape.gradient(total, variable)).numpy()


def own(task: TripleTask, shares: np.ndarray) -> np.ndarray:
    """The changes of each triple's own rows, as RollbackStore has them."""
    model = task.model
    triples = task.dataset.train
    rows = model.rows_of(triples)
    if task.config.reciprocal:
        rows = np.concatenate([rows, model.rows_of(model.inverse(triples))[:, 1:2]], axis=1)
    found = shares[np.arange(len(rows))[:, None], rows]
    found[triples[:, 0] == triples[:, 2], 2] = 0
    return found


CASES: list[Any] = [
    # Adagrad divides by gradients that cancel to rounding where a norm's derivative is a sign.
    *(
        pytest.param(
            {"model": model, "optimizer": "sgd" if model == "transe-l1" else "adagrad"},
            marks=[] if model == "distmult" else [pytest.mark.slow],
        )
        for model in MODELS
    ),
    {"candidates": "1vsall"},
    {"batch_size": 1},
    *(
        pytest.param(changes, marks=pytest.mark.slow)
        for changes in (
            {"optimizer": "sgd"},
            {"reciprocal": False},
            {"reciprocal": False, "loss": "sigmoid"},
            {"loss": "sigmoid"},
            {"candidates": "kvsall", "label_smoothing": 0.1},
            {"penalty": 0.05, "penalty_power": 2},
            {"model": "complex", "penalty": 0.05},
            {"num_negatives": 500, "label_smoothing": 0.2},
            {"batch_size": 7, "num_negatives": 1},
        )
    ),
]


@pytest.mark.parametrize("changes", CASES, ids=lambda changes: ",".join(f"{k}={v}" for k, v in changes.items()))
def test_start_plus_all_shares_is_the_end(toy: TripleSet, changes: dict[str, Any]) -> None:
    task = TripleTask(toy, dataclasses.replace(CONFIG, **changes))
    table, shares = trained(task)
    end, everything = plainly(task)
    np.testing.assert_allclose(table, end, atol=1e-9)
    np.testing.assert_allclose(shares, own(task, everything), atol=1e-9)
    np.testing.assert_allclose(task.initial_parameters.table + everything.sum(axis=0), end, atol=1e-12)


def test_a_removed_triple_changes_nothing_else(toy: TripleSet) -> None:
    task = TripleTask(toy, CONFIG)
    table, shares = trained(task, removed=(3, 17))
    end, everything = plainly(task, removed=(3, 17))
    np.testing.assert_allclose(table, end, atol=1e-9)
    np.testing.assert_allclose(shares, own(task, everything), atol=1e-9)
    assert not shares[[3, 17]].any()


def test_a_batch_of_one_with_adam_is_the_papers_training(monkeypatch: pytest.MonkeyPatch) -> None:
    nations = load_triples("nations")
    task = TripleTask(nations, TripleConfig(epochs=1))

    def draw(train: np.ndarray, first: int, num_entities: int, num_negatives: int, seed: int = 0) -> np.ndarray:
        """Candidates without the answer, none twice: as a batch draws them."""
        orders = np.random.default_rng(first).permuted(np.tile(np.arange(num_entities - 1), (len(train), 1)), axis=1)
        drawn = np.sort(orders[:, :num_negatives], axis=1)
        return np.concatenate([train[:, 2:], drawn + (drawn >= train[:, 2:])], axis=1).astype(np.int32)

    monkeypatch.setattr(triple_steps, "draw_candidates", draw)
    expected, _ = trained(task)
    drawn = draw(nations.train, 0, len(nations.entities), 13)

    class InFileOrder(BatchTripleSteps):
        def _order(self, seed: int, epoch: int) -> np.ndarray:  # type: ignore[override]
            return np.arange(nations.num_examples, dtype=np.int32)

        def _candidates(self, seed: int, epoch: int, batch: int) -> np.ndarray:
            return drawn[batch, 1:]

    batched = TripleTask(nations, task.config)
    batched.__dict__["steps"] = InFileOrder(nations, task.model, task.config)
    table, _ = trained(batched)
    np.testing.assert_allclose(table, expected, rtol=0, atol=1e-12)


def test_the_order_in_a_batch_is_rounding(toy: TripleSet) -> None:
    task, other = TripleTask(toy, CONFIG), TripleTask(toy, CONFIG)
    assert isinstance(task.steps, BatchTripleSteps)
    order = task.steps._order

    class Turned(BatchTripleSteps):
        def _order(self, seed: int, epoch: int) -> np.ndarray:  # type: ignore[override]
            parts = np.split(order(seed, epoch), range(16, toy.num_examples, 16))
            return np.concatenate([part[::-1] for part in parts])

    other.__dict__["steps"] = Turned(toy, task.model, task.config)
    for found, expected in zip(trained(other), trained(task), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "sgd"])
def test_going_on_and_not_tracking_are_the_same_to_the_bit(toy: TripleSet, optimizer: str) -> None:
    task = TripleTask(toy, dataclasses.replace(CONFIG, dropout=0.3, optimizer=optimizer, dtype="float32"))
    kept, nothing = np.ones(toy.num_examples, bool), np.zeros(0, np.int64)
    steps = task.steps
    state = steps.start(task.initial_parameters, nothing, 0)
    for block in steps.blocks(task.length):
        state, _ = steps.run(state, block, kept)
        arrays = {name: array.copy() for name, array in steps.to_arrays(state).items()}
        state = steps.restore(arrays, nothing, 0)
    np.testing.assert_array_equal(steps.parameters(state).table, trained(task)[0])
    np.testing.assert_array_equal(task.train().parameters.table, trained(task)[0])  # without tracking


def test_shares_of_adam_have_the_momentum_of_later_steps(toy: TripleSet) -> None:
    """Of relations' rows, which nothing but their own triples moves."""
    config = dataclasses.replace(CONFIG, optimizer="adam", learning_rate=0.001, epochs=60, reciprocal=False)
    task = TripleTask(toy, config)
    table, shares = trained(task)
    rows = task.model.rows_of(toy.train)[:, 1]
    summed = np.zeros_like(table)
    np.add.at(summed, rows, shares[:, 1])
    moved = (table - task.initial_parameters.table) * (np.arange(len(table)) >= task.model.num_entities)[:, None]
    # A share of its own step only would miss nine tenths.
    assert np.linalg.norm(summed * (np.arange(len(table)) >= task.model.num_entities)[:, None] - moved) < (
        0.25 * np.linalg.norm(moved)
    )


def test_dropout_is_drawn_for_the_batch(toy: TripleSet) -> None:
    task = TripleTask(toy, dataclasses.replace(CONFIG, dropout=0.5, epochs=1, batch_size=60))
    everyone, without = trained(task)[0], trained(task, removed=(5,))[0]
    relation = toy.train[5, 1]
    # One batch: rows that the removed triple does not touch are the same.
    rows = np.setdiff1d(np.arange(task.model.num_rows), [*range(task.model.num_entities)])
    own_rows = [task.model.num_entities + relation, task.model.num_entities + task.model.num_relations + relation]
    others = np.setdiff1d(rows, own_rows)
    np.testing.assert_array_equal(everyone[others], without[others])
    assert (everyone[own_rows] != without[own_rows]).any()
    assert not np.array_equal(everyone, trained(TripleTask(toy, dataclasses.replace(task.config, dropout=0)))[0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch_size": 1, "optimizer": "adam", "reciprocal": False, "dropout": 0.2}, "dropout=0.2 is for training in"),
        ({"steps": "dense"}, "steps='dense' is for the paper's steps: batch_size 1"),
        ({"model": "transe", "dropout": 0.2}, "dropout is of the query vector, which transe does not have"),
        ({"loss": "sigmoid", "label_smoothing": 0.1}, "label_smoothing is for loss 'softmax'"),
        ({"loss": "sigmoid", "candidates": "kvsall"}, "candidates='kvsall' is for loss 'softmax'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        dataclasses.replace(CONFIG, **changes)
