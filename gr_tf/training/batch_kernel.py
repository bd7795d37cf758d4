"""Mini-batches of triples on the rows that they touch, and each triple's share of what they did.

Between native gathers and scatters, one compiled function does a batch: the tape over the gathered rows gives each
triple's gradients of its own rows, and the sum of those of the candidates' rows; sums over the batch's distinct rows;
the optimizer; the shares (see row_optimizers).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

from gr_tf.models.factor_model import BilinearModel, FactorModel
from gr_tf.runs.engine import tf
from gr_tf.training.losses import LOSSES
from gr_tf.training.row_optimizers import RowOptimizer
from gr_tf.types import Rows, Tensor

# The score of a candidate that is the answer already: it counts for nothing in any loss.
NO_SCORE = -1e9


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a batch minimises: the sum over its triples, in each direction, of loss and penalty.

    Attributes:
        model: of the rows; with reciprocal relations each triple is asked in both directions.
        loss: a name of LOSSES.
        dtype: precision.
        dropout: the share of the query vector's numbers that is set to 0 (the others grow by 1 / (1 - dropout)).
        penalty: times the sum of |x|^power over the numbers (complex: moduli) of the triple's rows.
        power: 2 or 3 (L2; N3 of Lacroix et al. 2018).
        label_smoothing: the share of the label that all candidates have together.
        has_loops: whether head and tail of a triple may be the same, so that its change has to stand once.
    """

    model: FactorModel
    loss: str = "softmax"
    dtype: str = "float32"
    dropout: float = 0.0
    penalty: float = 0.0
    power: int = 3
    label_smoothing: float = 0.0
    has_loops: bool = True

    @property
    def directions(self) -> int:
        """In how many directions a triple is asked."""
        return 2 if self.model.reciprocal else 1

    @property
    def rows_per_example(self) -> int:
        """Head, relation, tail, and the inverse relation where there is one."""
        return 2 + self.directions

    def drawn(self, key: Tensor, count: int) -> Tensor | None:
        """What decides which numbers of `count` query vectors drop out, [count, width]; None: none ever does.

        Drawn apart from the rest of a batch: XLA would draw others.

        Args:
            key: [2] int32.
            count: of asked triples.
        """
        return tf.random.stateless_uniform([count, self.model.width], key, dtype=tf.float32) if self.dropout else None

    def losses(self, asked: "Asked", candidates: Rows, drawn: Tensor | None) -> Tensor:
        """The loss and penalty [n] of each asked triple.

        Args:
            asked: the triples.
            candidates: [k, width]; the last is none.
            drawn: see `drawn`.
        """
        found = self.loss_of(*self.scores(asked, candidates, drawn))
        if self.penalty:
            found += self.penalties(asked.heads, asked.relations, asked.tails)
        return found

    def penalties(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """The penalty [n] of each asked triple, of its rows [n, width]."""
        return self.penalty * sum(self.model.penalty(part, self.power) for part in (heads, relations, tails))

    def scores(self, asked: "Asked", candidates: Rows, drawn: Tensor | None) -> tuple[Tensor, Tensor]:
        """The scores [n] of the answers, and those [n, k] of their competitors; see `losses`."""
        model = self.model
        if isinstance(model, BilinearModel):
            query = model.query_vector(asked.heads, asked.relations)
            if drawn is not None:
                query *= tf.cast(drawn >= self.dropout, self.dtype) / (1 - self.dropout)
            gold, own = (tf.reduce_sum(query * rows, axis=-1) for rows in (asked.tails, asked.heads_as_candidates))
            others = tf.matmul(query, candidates, transpose_b=True)
        else:
            gold, own = (
                model.score(asked.heads, asked.relations, rows) for rows in (asked.tails, asked.heads_as_candidates)
            )
            others = model.scores(asked.heads, asked.relations, candidates)
        nothing = tf.fill(tf.shape(own), tf.constant(NO_SCORE, self.dtype))
        last = candidates.shape[0] - 1
        updates = tf.concat([tf.where(asked.columns[0] < last, own, nothing), nothing, nothing], axis=0)
        columns = tf.concat([tf.reshape(asked.columns, [-1]), tf.fill(tf.shape(own), last)], axis=0)
        lines = tf.tile(tf.range(tf.shape(own)[0]), [3])
        return gold, tf.tensor_scatter_nd_update(others, tf.stack([lines, columns], axis=1), updates)

    def loss_of(self, gold: Tensor, others: Tensor) -> Tensor:
        """The loss [n] of an answer's score [n] among those of its competitors [n, k]; see LOSSES."""
        if self.loss == "softmax" and not self.label_smoothing:
            # Without a copy of all scores.
            return tf.math.softplus(tf.reduce_logsumexp(others, axis=1) - gold)
        scores = tf.concat([gold[:, None], others], axis=1)
        is_there = tf.cast(scores > NO_SCORE, self.dtype)
        count = tf.reduce_sum(is_there, axis=1)
        found = LOSSES[self.loss](scores)
        if self.loss == "sigmoid":
            # Its mean is over those that are there.
            return found * tf.cast(tf.shape(scores)[1], self.dtype) / count
        return found + self.label_smoothing * (gold - tf.reduce_sum(scores * is_there, axis=1) / count)


class Asked(NamedTuple):
    """The triples (head, relation, ?) of a batch, n of them, with rows of their own to differentiate by.

    Attributes:
        heads, relations, tails: [n, width].
        heads_as_candidates: [n, width], the heads again: what a head is given as a candidate of its own triple.
        columns: [2, n], the place of the head, and of the tail, among the candidates; the last place if it is none.
            The tail is no competitor of itself.
    """

    heads: Rows
    relations: Rows
    tails: Rows
    heads_as_candidates: Rows
    columns: Tensor


class BatchPlan(NamedTuple):
    """Batches before they are done; n = directions * batch.

    Attributes:
        reads: [batches, slots] int32, distinct rows of the table; those that fill up are the row beyond it.
        places: [batches, 3 * n + candidates + 1] int32, the slots of heads, relations, tails, candidates, and of the
            row beyond the table.
        columns: [batches, 2, n] int32, see Asked.
        weights: [batches, n], what a triple's loss is multiplied with; 0: it is left out.
        keys: [batches, 2] int32, of the dropout.
    """

    reads: Tensor
    places: Tensor
    columns: Tensor
    weights: Tensor
    keys: Tensor


def gradients(
    objective: Objective, rows: Rows, places: Tensor, columns: Tensor, weights: Tensor, drawn: Tensor | None
) -> tuple[Tensor, list[Rows], Rows]:
    """Differentiates one batch; see BatchPlan for the arguments.

    Args:
        rows: [slots, width], the batch's distinct rows.
        drawn: see Objective.drawn.

    Returns:
        The losses [n]; the gradients of the head, relation, and tail of each triple, [n, width] each; and those of the
        candidates, [candidates, width], without what a head was given as one, which is in its own.
    """
    count = weights.shape[0]
    heads, relations, tails = (places[i * count : (i + 1) * count] for i in range(3))
    candidates = places[3 * count :]
    parts = [tf.gather(rows, part) for part in (heads, relations, tails, heads, candidates)]
    with tf.GradientTape() as tape:
        tape.watch(parts)
        head, relation, tail, as_candidate, others = parts
        asked = Asked(head, relation, tail, as_candidate, columns)
        losses = objective.losses(asked, others, drawn) * weights
        total = tf.reduce_sum(losses)
    head, relation, tail, as_candidate, others = tape.gradient(total, parts)
    return losses, [head + as_candidate, relation, tail], others


def _shares(objective: Objective, own: Sequence[Rows], factor: Rows, places: Tensor) -> Rows:
    """What each triple of a batch did to its rows, [batch, rows, width]; see RollbackStore.

    Args:
        own: three of [n, width], from `gradients`.
        factor: [slots, width], from the optimizer.
        places: see BatchPlan.
    """
    count = own[0].shape[0]
    slots = [places[i * count : (i + 1) * count] for i in range(3)]
    head, relation, tail = (part * tf.gather(factor, slot) for part, slot in zip(own, slots, strict=True))
    more = []
    if objective.model.reciprocal:
        # The second half asks for the heads: its head is the tail, its tail the head.
        count //= 2
        head, tail = head[:count] + tail[count:], tail[:count] + head[count:]
        relation, more = relation[:count], [relation[count:]]
    if objective.has_loops:
        is_loop = (slots[0] == slots[2])[:count, None]
        head, tail = tf.where(is_loop, head + tail, head), tf.where(is_loop, tf.zeros_like(tail), tail)
    return tf.stack([head, relation, tail, *more], axis=1)


@functools.cache
def batches(objective: Objective, optimizer: RowOptimizer, tracked: bool) -> Tensor:
    """The function that does batches one after the other on a variable [num_rows + 1, columns].

    XLA compiles a batch to code that is five times slower on a CPU than TensorFlow's own kernels.

    Args:
        objective: what is minimised.
        optimizer: of the rows.
        tracked: whether shares are wanted; without them it is faster, and does the same up to rounding: XLA joins other
            operations.

    Returns:
        A tf.function of (the variable's handle, steps done, the learning rate, the parts of a BatchPlan), which
        changes the variable and returns the steps done, and the losses [batches], sums over the triples; if tracked,
        the shares [batches, batch, rows, width] too.
    """
    dtype, width = objective.dtype, objective.model.width

    def run(handle: Tensor, step: Tensor, rate: Tensor, *plan: Tensor) -> tuple[Tensor, Tensor]:
        size, count = plan[0].shape[0], plan[3].shape[1] // objective.directions
        shapes: list[list[int]] = [[], [count, objective.rows_per_example, width]][: 1 + tracked]
        told = tuple(tf.TensorArray(dtype, size=size, element_shape=shape) for shape in shapes)

        def body(i: Tensor, step: Tensor, told: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
            reads, places, columns, weights, key = (tf.gather(part, i) for part in plan)
            memory = tf.raw_ops.ResourceGather(resource=handle, indices=reads, dtype=dtype)
            memory = tf.ensure_shape(memory, [plan[0].shape[1], None])
            rows, drawn = optimizer.weights(memory, width, step, rate), objective.drawn(key, plan[3].shape[1])
            losses, own, of_candidates = gradients(objective, rows, places, columns, weights, drawn)
            every = tf.concat([*own, of_candidates], axis=0)
            summed = tf.math.unsorted_segment_sum(every, places, memory.shape[0])
            memory, factor = optimizer.apply(memory, summed, step, rate)
            write = tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=reads, updates=memory)
            found = (tf.reduce_sum(losses), *([_shares(objective, own, factor, places)] if tracked else []))
            with tf.control_dependencies([write]):
                return i + 1, step + 1, tuple(part.write(i, one) for part, one in zip(told, found, strict=True))

        _, step, told = tf.while_loop(lambda i, *_: i < size, body, (tf.constant(0), step, told), parallel_iterations=1)
        return step, tuple(part.stack() for part in told)

    return tf.function(run)
