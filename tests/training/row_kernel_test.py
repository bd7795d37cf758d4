"""Row Adam is dense Adam: catch-up, repeated rows, self-loops, skipped steps."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.triples import TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.dense_kernel import DenseKernel
from gr_tf.training.optimizers import Adam, Slots
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.row_adam import RowAdam
from gr_tf.training.row_kernel import RowKernel
from gr_tf.training.triple_config import TripleConfig
from gr_tf.training.triple_steps import TripleSteps

CONFIG = TripleConfig(dim=5, num_negatives=12, epochs=3, learning_rate=0.03, steps="rows")


@pytest.mark.parametrize("decay_rate", [1.0, 0.96])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 2e-15), pytest.param("float32", 1e-6, marks=pytest.mark.slow)]
)
def test_catching_up_is_stepping_without_gradient(dtype: str, tolerance: float, decay_rate: float) -> None:
    """Gradients from 1e-9 (epsilon matters) to 1; tolerance: a few roundings of weights near 1."""
    generator = np.random.default_rng(0)
    adam = Adam(decay_rate=decay_rate)
    row_adam = RowAdam(adam, dtype)
    rows = tf.constant(generator.uniform(-1, 1, size=(6, 3)), dtype)
    slots = adam.initial_slots(rows)
    rate = tf.constant(0.003, dtype)
    future = tf.constant(row_adam.future(0.003, 50_000))
    left, left_slots = rows, slots
    for step in range(600):
        size = 10.0 ** generator.integers(-9, 1, size=(6, 1)) if step < 30 else 0
        gradient = tf.constant(generator.normal(size=(6, 3)) * size, dtype)
        if step == 30:
            left, left_slots = rows, slots
        rows, slots = adam.apply(rows, slots, gradient, tf.constant(step, dtype), rate)
        if step in (30, 31, 45, 120, 599):
            mean, square = left_slots
            touched = tf.fill([6], tf.constant(30, dtype))
            caught = row_adam.catch_up(left, mean, square, touched, tf.constant(step + 1, dtype), future)
            for ours, theirs in zip(caught, (rows, *slots), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)


def test_catching_up_past_the_table_of_rates() -> None:
    """Bias correction is over; the table of future rates ends; the learning rate still decays."""
    adam = Adam(decay_rate=0.96)
    row_adam = RowAdam(adam, "float64")
    future = tf.constant(row_adam.future(0.003, 200_000))
    assert len(future) == 40_001
    rows = tf.constant([[0.5]], tf.float64)
    slots = (tf.constant([[1e-3]], tf.float64), tf.constant([[1e-4]], tf.float64))
    left, left_slots, start = rows, slots, 39_990
    for step in range(start, start + 60):
        rows, slots = adam.apply(rows, slots, tf.zeros_like(rows), tf.constant(step, tf.float64), 0.003)
    touched, now = (tf.constant(t, tf.float64) for t in (start, start + 60))
    caught = row_adam.catch_up(left, *left_slots, touched[None], now, future)
    np.testing.assert_allclose(caught[0], rows, rtol=0, atol=1e-15)


def run(triples: TripleSet, config: TripleConfig, **options: object) -> tuple[np.ndarray, np.ndarray, float]:
    task = TripleTask(triples, config)
    assert isinstance(task.steps, TripleSteps)
    assert isinstance(task.steps.kernel, RowKernel if config.steps == "rows" else DenseKernel)
    store = RollbackStore(triples.num_examples, task.model.width, config.dtype)
    result = task.train(store=store, **options)  # type: ignore[arg-type]
    return result.parameters.table, store.to_numpy(), result.history[-1].loss


@pytest.mark.parametrize("removed", [(), (0, 5, 6, 7, 40)])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("model", ["distmult", "complex"])
@pytest.mark.slow
def test_rows_are_dense(toy: TripleSet, model: str, loss: str, removed: tuple[int, ...]) -> None:
    """The toy has self-loops, and 13 candidates of 9 entities: every step has rows that repeat.

    Models that are no product of vectors: see new_model_test.
    """
    config = dataclasses.replace(CONFIG, model=model, loss=loss)
    ours = run(toy, config, removed=removed)
    dense = run(toy, dataclasses.replace(config, steps="dense"), removed=removed)
    for name in range(3):
        np.testing.assert_allclose(ours[name], dense[name], rtol=0, atol=1e-10)
    assert not ours[1][list(removed)].any()


def test_the_kernel_is_picked_by_size(toy: TripleSet) -> None:
    large = TripleConfig(dim=2000, num_negatives=1)
    for config, kernel in (
        (TripleConfig(), DenseKernel),
        (large, RowKernel),
        (dataclasses.replace(large, steps="dense"), DenseKernel),
        (dataclasses.replace(large, optimizer="sgd"), DenseKernel),
    ):
        steps = TripleTask(toy, config).steps
        assert isinstance(steps, TripleSteps)
        assert isinstance(steps.kernel, kernel)


def test_more_steps_than_float32_can_count(toy: TripleSet) -> None:
    with pytest.raises(InputError, match="steps are too many for float32 row Adam"):
        TripleTask(toy, TripleConfig(epochs=1_000_000, dtype="float32", steps="rows")).steps  # noqa: B018


# FB15k-237's shape.
ENTITIES, RELATIONS, DIM, NEGATIVES = 14_505, 237, 100, 500


def of_fb15k237_shape(size: int) -> TripleSet:
    """Random triples, one in fifty a self-loop."""
    generator = np.random.default_rng(0)
    highs = (ENTITIES, RELATIONS, ENTITIES)
    train = np.stack([generator.integers(high, size=size) for high in highs], axis=1).astype(np.int32)
    train[::50, 2] = train[::50, 0]
    entities, relations = (tuple(f"{i:05d}" for i in range(n)) for n in (ENTITIES, RELATIONS))
    return TripleSet(
        name="shape",
        entities=Vocabulary("entity", entities),
        relations=Vocabulary("relation", relations),
        train=train,
        valid=train[:1],
        test=train[:1],
        test_lines=np.array([0]),
        source=None,
        checksums={},
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.slow
def test_equal_gradients_for_5000_steps(dtype: str, tolerance: float) -> None:
    """Row Adam and dense Adam given the same gradients, at FB15k-237's shape; tolerance relative to the largest weight.

    The gradients do not depend on the weights here: where they do, training itself multiplies every
    rounding (see the next test), and no two ways of computing a step stay together.
    """
    adam = Adam()
    row_adam = RowAdam(adam, dtype)
    num_rows, touched_rows, steps = ENTITIES + RELATIONS, NEGATIVES + 3, 5_000
    generator = np.random.default_rng(0)
    ids = np.stack([generator.choice(num_rows, touched_rows, replace=False) for _ in range(steps)]).astype(np.int32)
    scales = tf.constant(10.0 ** generator.integers(-8, 1, size=steps), dtype)
    initial = tf.constant(generator.uniform(-0.05, 0.05, size=(num_rows, DIM)), dtype)
    future = tf.constant(row_adam.future(0.003, steps))
    rate = tf.constant(0.003, dtype)

    def gradient(step: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal([touched_rows, DIM], [7, step], dtype=dtype) * tf.gather(scales, step)

    @tf.function(jit_compile=True)
    def dense_step(table: tf.Tensor, slots: Slots, step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, Slots]:
        whole = tf.tensor_scatter_nd_add(tf.zeros_like(table), rows[:, None], gradient(step))
        return adam.apply(table, slots, whole, tf.cast(step, dtype), rate)

    @tf.function(jit_compile=True)
    def row_step(
        table: tf.Tensor, slots: Slots, touched: tf.Tensor, step: tf.Tensor, rows: tf.Tensor
    ) -> tuple[Any, ...]:
        now = tf.cast(step, dtype)
        mean, square = (tf.gather(slot, rows) for slot in slots)
        caught, mean, square = row_adam.catch_up(
            tf.gather(table, rows), mean, square, tf.gather(touched, rows), now, future
        )
        new, new_slots = adam.apply(caught, (mean, square), gradient(step), now, rate)
        places = rows[:, None]
        return (
            tf.tensor_scatter_nd_update(table, places, new),
            tuple(tf.tensor_scatter_nd_update(s, places, n) for s, n in zip(slots, new_slots, strict=True)),
            tf.tensor_scatter_nd_update(touched, places, tf.fill([touched_rows], now + 1)),
        )

    dense, dense_slots = initial, adam.initial_slots(initial)
    table, slots, last = initial, adam.initial_slots(initial), tf.zeros([num_rows], dtype)
    for step in range(steps):
        rows, now = tf.constant(ids[step]), tf.constant(step)
        dense, dense_slots = dense_step(dense, dense_slots, now, rows)
        table, slots, last = row_step(table, slots, last, now, rows)
    mean, square = slots
    table, _, _ = row_adam.catch_up(table, mean, square, last, tf.constant(steps, dtype), future)
    scale = float(np.abs(dense).max())
    assert scale > 0.5
    np.testing.assert_allclose(table, dense, rtol=0, atol=tolerance * (1 if dtype == "float64" else scale))


@pytest.mark.slow
def test_training_at_the_shape_of_fb15k237() -> None:
    """100 steps of training itself, before roundings have grown."""
    triples = of_fb15k237_shape(100)
    config = TripleConfig(dim=DIM, num_negatives=NEGATIVES, epochs=1, steps="rows")
    ours, dense = run(triples, config), run(triples, dataclasses.replace(config, steps="dense"))
    for name in range(3):
        np.testing.assert_allclose(ours[name], dense[name], rtol=0, atol=1e-11)


@pytest.mark.slow
def test_rows_and_dense_part_as_two_roundings_do() -> None:
    """Training multiplies roundings: a difference in the last digit of the initial values grows as rows and dense part.

    100: rows and dense round otherwise at every one of 2,000 steps, the nudge comes once.
    """
    triples = of_fb15k237_shape(2_000)
    config = TripleConfig(dim=DIM, num_negatives=NEGATIVES, epochs=1, steps="dense")
    task = TripleTask(triples, config)
    dense = task.train().parameters.table
    rows = task.with_config(steps="rows").train().parameters.table
    moved = Parameters(np.nextafter(task.initial_parameters.table, 1))
    nudged = TripleTask(triples, config, moved).train().parameters.table
    assert np.abs(rows - dense).max() < 100 * np.abs(nudged - dense).max()
