"""Trains several models in one graph, to measure whether they can share a step's overhead.

They cannot (BUILD_NOTES, "Models in one graph"), so the library trains one model in a graph.
"""

from collections.abc import Callable

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import row_kernel
from gr_tf.training.optimizers import Adam
from gr_tf.training.row_kernel import RowKernel
from gr_tf.training.triple_steps import TripleSteps
from gr_tf.types import Tensor

# A call that prepares and is not timed, and the call that is timed.
Pair = tuple[Callable[[], object], Callable[[], object]]


def dense_steps(task: TripleTask, num_models: int, count: int) -> Pair:
    """Does `count` steps of dense Adam on tables [num_rows, models, width]; softmax loss, no tracking."""
    model, adam = task.model, task.config.make_optimizer()
    assert isinstance(adam, Adam)
    assert isinstance(task.steps, TripleSteps)
    plan = task.steps.block_plan(0)
    start = tf.constant(np.repeat(task.initial_parameters.table[:, None], num_models, axis=1))
    rate = tf.constant(task.config.learning_rate, start.dtype)

    @tf.function(jit_compile=True)
    def run(table: Tensor) -> Tensor:
        def body(i: Tensor, table: Tensor, mean: Tensor, square: Tensor) -> tuple[Tensor, ...]:
            rows = tf.gather(plan, i)
            before = tf.gather(table, rows)
            with tf.GradientTape() as tape:
                tape.watch(before)
                scores = model.score(before[0], before[1], before[2:])
                loss = tf.reduce_sum(tf.reduce_logsumexp(scores, axis=0) - scores[0])
            gradient = tf.tensor_scatter_nd_add(tf.zeros_like(table), rows[:, None], tape.gradient(loss, before))
            step = tf.cast(i, table.dtype)
            table, (mean, square) = adam.apply(table, (mean, square), gradient, step, rate)
            return i + 1, table, mean, square

        zero = tf.zeros_like(table)
        return tf.while_loop(lambda i, *_: i < count, body, (tf.constant(0), table, zero, zero))[1]

    return lambda: None, lambda: run(start).numpy()


def row_adam_steps(task: TripleTask, num_models: int, count: int) -> Pair:
    """Does `count` steps of row Adam on a memory [rows, models, numbers]: one loop, gather, and scatter for all."""
    assert isinstance(task.steps, TripleSteps)
    kernel = task.steps.kernel
    assert isinstance(kernel, RowKernel)
    plan = task.steps.block_plan(0)
    state = kernel.start(task.initial_parameters.table, task.config.learning_rate)
    numbers = state.memory.shape[1]
    memory = tf.Variable(np.repeat(state.memory.numpy()[:, None], num_models, axis=1))
    arithmetic = row_kernel.arithmetic(task.model, task.config.loss, kernel.optimizer, plan.most_repeated)

    @tf.function(jit_compile=True)
    def all_models(rows: Tensor, ids: Tensor, places: Tensor, step: Tensor) -> Tensor:
        each = [
            arithmetic(rows[:, i], ids, places, step, state.learning_rate, state.future)[0] for i in range(num_models)
        ]
        return tf.stack(each, axis=1)

    @tf.function
    def run(handle: Tensor) -> Tensor:
        def body(i: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
            ids = tf.gather(plan.reads, i)
            rows = tf.raw_ops.ResourceGather(resource=handle, indices=ids, dtype=memory.dtype)
            rows = tf.ensure_shape(rows, [plan.reads.shape[1], num_models, numbers])
            rows = all_models(rows, ids, tf.gather(plan.places, i), step)
            write = tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=tf.gather(plan.writes, i), updates=rows)
            with tf.control_dependencies([write]):
                return i + 1, step + 1

        return tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), state.step), parallel_iterations=1)[1]

    start = memory.numpy()

    def restart() -> None:
        # Each row stores the step that touched it last.
        memory.assign(start)

    def steps_of_all() -> None:
        run(memory.handle).numpy()
        assert np.isfinite(memory.numpy()[:-1]).all()

    return restart, steps_of_all
