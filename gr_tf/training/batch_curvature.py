"""First and second derivatives of what mini-batches of triples minimise, by rows.

With scores s of a batch's triples and their candidates, J their derivatives by the rows, and L the loss,

    Hessian = J^T L'' J + sum_c L'_c s_c'' + that of the penalty;

the Gauss-Newton matrix is the same without the middle part (Schraudolph 2002, "Fast Curvature Matrix-Vector Products").
It is never negative, and equal to the Hessian where the loss fits. Products with vectors are computed from the batch as
it is trained (batch_kernel) by reverse over reverse differentiation; a product is a few times as much work as an epoch.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.runs.progress import progress
from gr_tf.training.batch_kernel import NO_SCORE, Asked, BatchPlan, Objective
from gr_tf.training.steps import Block, Curvature
from gr_tf.types import Ids, Rows, Tensor

# Gives the triples of a block in their order, and its BatchPlan, from the block, the seed, and which are kept.
Plan = Callable[[Block, int, np.ndarray], tuple[Ids, BatchPlan]]
# Random signs of the scores, from which a diagonal is estimated.
_PROBES = 4
_ZERO = "zero"  # tf.UnconnectedGradients.ZERO


class BatchCurvature(Curvature):
    """Curvature of the loss of triples in the batches of the first epoch, with the candidates that these share.

    A triple's loss is that in both directions if it is trained in both, with its penalty, times its weight of kvsall.
    """

    def __init__(self, objective: Objective, blocks: Sequence[Block], plan: Plan, seed: int, num_examples: int) -> None:
        """
        Args:
            objective: of the batches; its dropout does not count.
            blocks: of an epoch.
            plan: of a block.
            seed: of the order.
            num_examples: of the training.
        """
        self._objective = dataclasses.replace(objective, dropout=0.0)
        self._blocks, self._seed, self._num_examples = blocks, seed, num_examples
        self._plan = functools.lru_cache(maxsize=None)(lambda block: plan(block, seed, np.ones(num_examples, bool)))

    def product(self, parameters: Parameters, vector: np.ndarray, *, gauss_newton: bool) -> np.ndarray:
        """See Curvature."""
        table, padded = self._padded(parameters.table), self._padded(vector)
        total, run = tf.Variable(tf.zeros_like(padded)), _product(self._objective, gauss_newton)
        for block in self._blocks:
            run(total.handle, table, padded, *self._plan(block)[1])
        found: np.ndarray = total.numpy()[:-1].astype(np.float64) / self._num_examples
        return found

    def row_curvatures(self, parameters: Parameters) -> np.ndarray:
        """See Curvature."""
        table = self._padded(parameters.table)
        total, run = tf.Variable(tf.zeros(table.shape[:1], table.dtype)), _row_curvatures(self._objective)
        with progress("curvature of rows", len(self._blocks)) as bar:
            for block in self._blocks:
                run(total.handle, table, *self._plan(block)[1])
                bar.advance()
        found: np.ndarray = total.numpy()[:-1].astype(np.float64) / self._num_examples
        return found

    def derivatives(self, parameters: Parameters, vector: np.ndarray) -> np.ndarray:
        """See Curvature."""
        table, padded, run = self._padded(parameters.table), self._padded(vector), _derivatives(self._objective)
        found = np.zeros(self._num_examples)
        for block in self._blocks:
            examples, plan = self._plan(block)
            along = run(table, padded, *plan).numpy().astype(np.float64)
            # [batches, directions, batch]: an example's directions together.
            summed = along.reshape(block.count, self._objective.directions, -1).sum(axis=1).reshape(-1)
            found[examples] = summed[: len(examples)]
        return found

    def _padded(self, rows: np.ndarray) -> Tensor:
        """Rows [num_rows, width] with that beyond the table, 0."""
        return tf.constant(np.pad(rows.astype(self._objective.dtype), ((0, 1), (0, 0))))


class _Batch:
    """One batch as it is differentiated: the rows of its parts, and where they stand among its distinct rows.

    Attributes:
        parts: the rows of heads, relations, tails, heads as candidates, [n, width] each, and of candidates.
    """

    def __init__(self, objective: Objective, table: Rows, plan: BatchPlan) -> None:
        self._objective, self._plan = objective, plan
        count = plan.weights.shape[0]
        heads, relations, tails = (plan.places[i * count : (i + 1) * count] for i in range(3))
        self._places = [heads, relations, tails, heads, plan.places[3 * count :]]
        self._slots = plan.reads.shape[0]
        self.parts = self.gathered(tf.gather(table, plan.reads))

    def gathered(self, rows: Rows) -> list[Rows]:
        """The parts' rows, from those [slots, width] of the batch."""
        return [tf.gather(rows, places) for places in self._places]

    def summed(self, parts: Sequence[Rows]) -> Rows:
        """[slots, width], from derivatives by the parts."""
        return tf.math.unsorted_segment_sum(tf.concat(parts, axis=0), tf.concat(self._places, axis=0), self._slots)

    def scores(self, parts: Sequence[Rows]) -> list[Tensor]:
        """See Objective.scores."""
        return list(self._objective.scores(self._asked(parts), parts[-1], None))

    def losses(self, parts: Sequence[Rows]) -> Tensor:
        """[n], with penalties and weights."""
        return self._objective.losses(self._asked(parts), parts[-1], None) * self._plan.weights

    def loss_of(self, scores: Sequence[Tensor]) -> Tensor:
        """[n], with weights, without penalties."""
        return self._objective.loss_of(*scores) * self._plan.weights

    def penalties(self, parts: Sequence[Rows]) -> Tensor:
        """[n], with weights."""
        return self._objective.penalties(*parts[:3]) * self._plan.weights

    def _asked(self, parts: Sequence[Rows]) -> Asked:
        heads, relations, tails, as_candidates, _ = parts
        return Asked(heads, relations, tails, as_candidates, self._plan.columns)


def _hessian_product(
    function: Callable[[Sequence[Tensor]], Tensor], at: Sequence[Tensor], vector: Sequence[Tensor]
) -> list[Tensor]:
    """The Hessian of the sum of a function times a vector."""
    with tf.GradientTape() as outer:
        outer.watch(at)
        with tf.GradientTape() as inner:
            inner.watch(at)
            total = tf.reduce_sum(function(at))
        gradient = inner.gradient(total, at, unconnected_gradients=_ZERO)
    return list(outer.gradient(gradient, at, output_gradients=list(vector), unconnected_gradients=_ZERO))


def _gauss_newton_product(batch: _Batch, vector: Sequence[Rows]) -> list[Rows]:
    """The Gauss-Newton matrix of a batch times a vector, by parts."""
    with tf.GradientTape() as forward:
        with tf.GradientTape(persistent=True) as backward:
            backward.watch(batch.parts)
            scores = batch.scores(batch.parts)
        # J^T u is linear in u, so that its derivative by u along J^T is J.
        dummies = [tf.zeros_like(part) for part in scores]
        forward.watch(dummies)
        turned = backward.gradient(scores, batch.parts, output_gradients=dummies, unconnected_gradients=_ZERO)
    of_scores = forward.gradient(turned, dummies, output_gradients=list(vector), unconnected_gradients=_ZERO)
    bent = _hessian_product(batch.loss_of, [tf.identity(part) for part in scores], of_scores)
    return list(backward.gradient(scores, batch.parts, output_gradients=bent, unconnected_gradients=_ZERO))


@functools.cache
def _product(objective: Objective, gauss_newton: bool) -> Any:
    """The function that adds a block's product with a vector to a variable.

    Returns:
        A tf.function of (the handle of a variable [num_rows + 1, width], the table, the vector, both of this shape, the
        parts of a BatchPlan).
    """

    def of_batch(table: Tensor, vector: Tensor, plan: BatchPlan) -> Tensor:
        batch = _Batch(objective, table, plan)
        along = batch.gathered(tf.gather(vector, plan.reads))
        if not gauss_newton:
            return batch.summed(_hessian_product(batch.losses, batch.parts, along))
        found = _gauss_newton_product(batch, along)
        if objective.penalty:
            of_penalty = _hessian_product(batch.penalties, batch.parts, along)
            found = [one + other for one, other in zip(found, of_penalty, strict=True)]
        return batch.summed(found)

    def run(handle: Tensor, table: Tensor, vector: Tensor, *plan: Tensor) -> None:
        _add_batches(handle, plan, functools.partial(of_batch, table, vector))

    return tf.function(run)


def _add_batches(handle: Tensor, plan: Sequence[Tensor], of_batch: Callable[[BatchPlan], Tensor]) -> None:
    """Adds what each batch gives, [slots, ...], to the rows of a variable that it reads."""

    def body(i: Tensor) -> tuple[Tensor]:
        one = BatchPlan(*(tf.gather(part, i) for part in plan))
        add = tf.raw_ops.ResourceScatterAdd(resource=handle, indices=one.reads, updates=of_batch(one))
        with tf.control_dependencies([add]):
            return (i + 1,)

    tf.while_loop(lambda i: i < plan[0].shape[0], body, (tf.constant(0),), parallel_iterations=1)


@functools.cache
def _row_curvatures(objective: Objective) -> Any:
    """The function that adds a block's diagonal, the mean of each row, to a variable [num_rows + 1].

    With L'' = S S^T and random signs e, the numbers of J^T S e have the diagonal as their mean squares.

    Returns:
        A tf.function of (the variable's handle, the table, the parts of a BatchPlan).
    """

    def of_batch(table: Tensor, plan: BatchPlan) -> Tensor:
        batch = _Batch(objective, table, plan)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(batch.parts)
            scores = batch.scores(batch.parts)
        roots = tf.sqrt(plan.weights)[:, None]
        found = tf.zeros([plan.reads.shape[0]], table.dtype)
        for probe in range(_PROBES):
            shape = [plan.weights.shape[0], 1 + scores[1].shape[1]]
            drawn = tf.random.stateless_uniform(shape, plan.keys + probe, 0, 2, tf.int32)
            turned = roots * _times_root(objective.loss, scores, tf.cast(2 * drawn - 1, table.dtype))
            parts = tape.gradient(
                scores, batch.parts, output_gradients=[turned[:, 0], turned[:, 1:]], unconnected_gradients=_ZERO
            )
            found += tf.reduce_mean(tf.square(batch.summed(parts)), axis=1) / _PROBES
        if objective.penalty:
            ones = [tf.ones_like(part) for part in batch.parts]
            of_penalty = _hessian_product(batch.penalties, batch.parts, ones)
            found += tf.reduce_mean(batch.summed(of_penalty), axis=1)
        return found

    def run(handle: Tensor, table: Tensor, *plan: Tensor) -> None:
        _add_batches(handle, plan, functools.partial(of_batch, table))

    return tf.function(run)


def _times_root(loss: str, scores: Sequence[Tensor], signs: Tensor) -> Tensor:
    """S e [n, 1 + k], where S S^T are the second derivatives of a loss by the scores [n] and [n, k]; e [n, 1 + k]."""
    every = tf.concat([scores[0][:, None], scores[1]], axis=1)
    if loss == "softmax":
        # diag(p) - p p^T is (diag(r) - p r^T) times its transpose, where r are the roots of p.
        p = tf.nn.softmax(every)
        turned = tf.sqrt(p) * signs
        return turned - p * tf.reduce_sum(turned, axis=1, keepdims=True)
    is_there = tf.cast(every > NO_SCORE, every.dtype)
    p = tf.sigmoid(every) * is_there
    return tf.sqrt(p * (1 - p) / tf.reduce_sum(is_there, axis=1, keepdims=True)) * signs


@functools.cache
def _derivatives(objective: Objective) -> Any:
    """The function that differentiates the losses of a block's triples along a vector.

    Returns:
        A tf.function of (the table [num_rows + 1, width], the vector of this shape, the parts of a BatchPlan), which
        returns [batches, n].
    """

    def of_batch(table: Tensor, vector: Tensor, plan: BatchPlan) -> Tensor:
        batch, shares = _Batch(objective, table, plan), tf.ones_like(plan.weights)
        with tf.GradientTape() as outer:
            outer.watch(shares)
            with tf.GradientTape() as inner:
                inner.watch(batch.parts)
                total = tf.reduce_sum(batch.losses(batch.parts) * shares)
            # Linear in the shares, so that its derivative by them along a vector is each loss's along the vector.
            gradient = inner.gradient(total, batch.parts, unconnected_gradients=_ZERO)
        along = batch.gathered(tf.gather(vector, plan.reads))
        return outer.gradient(gradient, shares, output_gradients=along, unconnected_gradients=_ZERO)

    def run(table: Tensor, vector: Tensor, *plan: Tensor) -> Tensor:
        size = plan[0].shape[0]
        told = tf.TensorArray(objective.dtype, size=size, element_shape=[plan[3].shape[1]])

        def body(i: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
            one = BatchPlan(*(tf.gather(part, i) for part in plan))
            return i + 1, told.write(i, of_batch(table, vector, one))

        *_, told = tf.while_loop(lambda i, *_: i < size, body, (tf.constant(0), told), parallel_iterations=1)
        return told.stack()

    return tf.function(run)
