"""The steps of a knowledge graph's model in mini-batches; they give each triple's share of what a batch did."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gr_tf.data.triples import TripleSet
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.training.batch_backward import BatchBackward
from gr_tf.training.batch_curvature import BatchCurvature
from gr_tf.training.batch_kernel import BatchPlan, batches
from gr_tf.training.steps import Block, Steps, Trace, check_length
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Ids, Tensor

# Triples of one call of the compiled graph, about.
_BLOCK_TRIPLES = 8192


class BatchState(NamedTuple):
    """What the next batch depends on.

    Attributes:
        memory: tf.Variable [num_rows + 1, columns], changed in place, see row_optimizers; the last row is scrap.
        step: scalar, batches done, in the dtype.
        seed: of the order.
    """

    memory: Tensor
    step: Tensor
    seed: int


class BatchTripleSteps(Steps):
    """Batches of triples in a random order of each epoch, with candidates that a batch shares.

    The order, the candidates, and the dropout are drawn for an epoch and a batch, whichever triples are removed. A
    removed triple keeps its place in its batch, where its loss counts for nothing.
    """

    how = "batches"

    def __init__(self, triples: TripleSet, model: FactorModel, config: TripleConfig) -> None:
        self._triples, self._model, self._config = triples, model, config
        has_loops = bool((triples.train[:, 0] == triples.train[:, 2]).any())
        self._objective = dataclasses.replace(config.make_objective(model), has_loops=has_loops)
        self.rows_per_example = self._objective.rows_per_example
        self._size = min(config.batch_size, triples.num_examples)
        self._per_epoch = -(-triples.num_examples // self._size)
        self._optimizer = config.make_row_optimizer(self._per_epoch * config.epochs)
        self._run, self._run_untracked = (
            batches(self._objective, self._optimizer, tracked) for tracked in (True, False)
        )
        asked = [triples.train, model.inverse(triples.train)][: self._objective.directions]
        self._rows = np.stack([model.rows_of(part) for part in asked]).astype(np.int32)
        self._weights = np.ones((len(asked), triples.num_examples), config.dtype)
        if config.candidates == "kvsall":
            self._weights = _shares_of_answers(asked, config.dtype)
        self._together = max(1, _BLOCK_TRIPLES // self._size)

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of epochs, a step is a batch.

        Raises:
            InputError: if it is more than the configuration's.
        """
        check_length(length, self._config.epochs, "epochs")
        found: list[Block] = []
        for epoch, first in itertools.product(range(length), range(0, self._per_epoch, self._together)):
            count = min(self._together, self._per_epoch - first)
            ends = epoch + 1 if first + count == self._per_epoch else None
            found.append(Block(len(found), epoch * self._per_epoch + first, count, ends))
        return found

    def start(self, parameters: Parameters, removed: Ids, seed: int) -> BatchState:
        """See Steps."""
        memory = np.pad(self._optimizer.memory(parameters.table), ((0, 1), (0, 0)))
        return BatchState(tf.Variable(memory), tf.constant(0, self._config.dtype), seed)

    def run(self, state: BatchState, block: Block, kept: np.ndarray) -> tuple[BatchState, Trace]:
        """See Steps."""
        examples, plan = self._plan(block, state.seed, kept)
        step, (losses, shares) = self._run(state.memory.handle, state.step, self._rate, *plan)
        shares = tf.reshape(shares, [-1, self.rows_per_example, self._model.width])
        if shares.shape[0] > len(examples):
            shares = shares[: len(examples)]
        trace = Trace(losses.numpy(), tf.IndexedSlices(shares, tf.constant(examples)), int(kept[examples].sum()))
        return state._replace(step=step), trace

    def run_untracked(self, state: BatchState, block: Block, kept: np.ndarray) -> tuple[BatchState, Trace]:
        """See Steps."""
        examples, plan = self._plan(block, state.seed, kept)
        step, (losses,) = self._run_untracked(state.memory.handle, state.step, self._rate, *plan)
        return state._replace(step=step), Trace(losses.numpy(), None, int(kept[examples].sum()))

    @property
    def _rate(self) -> Tensor:
        return tf.constant(self._config.learning_rate, self._config.dtype)

    def parameters(self, state: BatchState) -> Parameters:
        """See Steps."""
        weights = self._optimizer.weights(state.memory.value()[:-1], self._model.width, state.step, self._rate)
        return Parameters(weights.numpy())

    def to_arrays(self, state: BatchState) -> dict[str, np.ndarray]:
        """See Steps."""
        return {"memory": state.memory.numpy(), "step": state.step.numpy()}

    def restore(self, arrays: dict[str, np.ndarray], removed: Ids, seed: int) -> BatchState:
        """See Steps."""
        return BatchState(tf.Variable(arrays["memory"]), tf.constant(arrays["step"]), seed)

    def backward(self) -> BatchBackward:
        """See Steps."""
        drawn = self._config.num_negatives if self._config.candidates == "drawn" else len(self._possible)
        num_scores = self._objective.directions * self._size * min(drawn, len(self._possible))
        return BatchBackward(self._objective, self._optimizer, self._rate, self._plan, num_scores)

    def curvature(self) -> BatchCurvature:
        """See Steps."""
        return BatchCurvature(
            self._objective, self.blocks(1), self._plan, self._config.seed, self._triples.num_examples
        )

    def name_of(self, state: BatchState, block: Block, place: int) -> str:
        """See Steps."""
        epoch, batch = divmod(block.first + place, self._per_epoch)
        return f"batch {batch} of epoch {epoch + 1}"

    def _plan(self, block: Block, seed: int, kept: np.ndarray) -> tuple[np.ndarray, BatchPlan]:
        """The triples of a block's batches in their order, and what the compiled graph needs to know of them."""
        epoch, first = divmod(block.first, self._per_epoch)
        order = self._order(seed, epoch)
        examples = order[first * self._size : (first + block.count) * self._size]
        # The last batch is filled up with its last triple, which counts for nothing.
        filled = np.pad(examples, (0, block.count * self._size - len(examples)), mode="edge")
        weights = self._weights[:, filled] * kept[filled]
        weights[:, len(examples) :] = 0
        rows = self._rows[:, filled].reshape(-1, block.count, self._size, 3)
        asked = rows.transpose(1, 3, 0, 2).reshape(block.count, 3, -1)
        numbers = [(seed, epoch, first + i) for i in range(block.count)]
        candidates = np.stack([self._candidates(*number) for number in numbers])
        columns = np.stack([_places_among(*one) for one in zip(asked[:, ::2], candidates, strict=True)])
        reads, places = self._distinct(
            np.concatenate(
                [asked.reshape(block.count, -1), candidates, np.full((block.count, 1), self._beyond)], axis=1
            )
        )
        weights = weights.reshape(-1, block.count, self._size).transpose(1, 0, 2).reshape(block.count, -1)
        keys = np.array([np.random.SeedSequence(number).generate_state(2) >> 1 for number in numbers], np.int32)
        return examples, BatchPlan(*map(tf.constant, (reads, places, columns, weights, keys)))

    @property
    def _beyond(self) -> np.int32:
        """The row beyond the table."""
        return np.int32(self._model.num_rows)

    @functools.lru_cache(maxsize=4)  # noqa: B019 - a few orders of one task
    def _order(self, seed: int, epoch: int) -> np.ndarray:
        """The triples of an epoch in their order."""
        return np.random.default_rng((seed, epoch)).permutation(self._triples.num_examples).astype(np.int32)

    def _candidates(self, seed: int, epoch: int, batch: int) -> np.ndarray:
        """The entities that the answers of a batch compete with: their rows, none twice, ascending."""
        possible = self._possible
        if self._config.candidates != "drawn" or self._config.num_negatives >= len(possible):
            return possible
        generator = np.random.default_rng((self._config.negatives_seed, epoch, batch))
        drawn = generator.choice(len(possible), self._config.num_negatives, replace=False, shuffle=False)
        return possible[np.sort(drawn)]

    @functools.cached_property
    def _possible(self) -> np.ndarray:
        """The entities that candidates are drawn from: their rows, ascending."""
        return np.arange(self._model.num_entities, dtype=np.int32)

    def _distinct(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distinct ones of rows [batches, n], filled up to [batches, slots]; and the slot [batches, n] of each."""
        num_rows, most = self._model.num_rows + 1, rows.shape[1]
        if most >= num_rows:
            return np.tile(np.arange(num_rows, dtype=np.int32), (len(rows), 1)), rows
        reads, places = np.full((len(rows), most), self._beyond, np.int32), np.empty_like(rows)
        slot_of = np.empty(num_rows, np.int32)
        for i, of_batch in enumerate(rows):
            seen = np.zeros(num_rows, bool)
            seen[of_batch] = True
            distinct = np.flatnonzero(seen)
            slot_of[distinct] = np.arange(len(distinct))
            reads[i, : len(distinct)], places[i] = distinct, slot_of[of_batch]
        return reads, places


def _places_among(rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Where the rows [2, n] of heads and tails stand among ascending candidates [k]; k where they do not."""
    places = np.searchsorted(candidates, rows).astype(np.int32)
    found = candidates[np.minimum(places, len(candidates) - 1)] == rows
    places = np.where(found, places, np.int32(len(candidates)))
    # What is the tail is no candidate, even if it is the head too.
    places[0] = np.where(places[0] == places[1], np.int32(len(candidates)), places[0])
    return places


def _shares_of_answers(asked: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """1 / the number of answers that a triple's question has in training, [directions, num_examples]."""
    shares = []
    for triples in asked:
        _, group, counts = np.unique(triples[:, :2], axis=0, return_inverse=True, return_counts=True)
        shares.append(1 / counts[group.ravel()])
    return np.stack(shares).astype(dtype)
