"""Replay of trainings in mini-batches: the exact derivative of a prediction with respect to an example's weight.

Weigh the loss of example i with w_i in every batch: w_i = 1 is the training that was done, w_i = 0 the one without the
example, as removal masks it. The influence of i is dp / dw_i at 1: what the prediction would lose, to first order,
without the example, through everything that came after. It is computed for all examples at once by reverse
differentiation through the whole training (see attribution.replay, of single steps).

The training is done again, once, and its state kept at the start of each epoch; an epoch's states at the start of each
block are made again when derivatives go back over it, and the rows before each batch within its block. Derivatives go
back as far as they are credible; see attribution.credible.
"""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences, in_parts
from gr_tf.attribution.credible import SHORTENED, credible_sums
from gr_tf.attribution.methods import Cost, register
from gr_tf.attribution.replay import Replay
from gr_tf.attribution.trajectory import check_replayable, replay_cost
from gr_tf.errors import InputError, argument
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.steps import Block

# Bytes of the adjoints of the queries that go back together.
_ADJOINT_BYTES = 1 << 30
# Seconds until the graph is compiled.
_COMPILING = 5


def _check(task: Task[Any]) -> None:
    """
    Raises:
        InputError: if nothing takes derivatives back over the task's steps.
    """
    if task.steps.backward() is not None:
        return
    if task.steps.replayed_with:
        raise InputError(f"replaying a training of {task.kind} needs {task.steps.replayed_with}.")
    check_replayable(task)


def cost_of(task: Task[Any], num_queries: int = 1) -> Cost:
    """What it costs to replay a training for so many queries."""
    if task.steps.backward() is not None:
        return _block_cost(task, num_queries)
    # What `_check` refuses costs nothing.
    return Cost(0) if task.steps.replayed_with else replay_cost(task, num_queries)


@register(
    "replay",
    kinds=("triples", "ratings", "sequences"),
    needs="trajectory",
    unit="probability or stars",
    title="the derivative of the prediction by the example's part in the training after the first epoch, through the "
    "rest of the training; in batches, as far back as it is credible",
    cost=cost_of,
    check=_check,
    instead="gr",
)
def replay(trained: Trained, **settings: Any) -> Explainer[Any]:
    """Replay of single steps, or of batches, whichever the model was trained by."""
    _check(trained.task)
    return Replay(trained, **settings) if trained.task.steps.backward() is None else BlockReplay(trained, **settings)


class BlockReplay(Explainer[Any]):
    """Ranks all training examples of a training in batches."""

    def __init__(self, trained: Trained, *, first_epoch: int | None = None) -> None:
        """
        Args:
            trained: the model.
            first_epoch: counted from 1; the batches of earlier ones count for nothing. Default: as far back as is
                credible for a prediction, at most to epoch 2, if there is one.

        Raises:
            InputError: if there is no such epoch, or nothing takes derivatives back over the steps.
        """
        task = self.task = trained.task
        backward = task.steps.backward()
        if backward is None:
            how = argument("optimizer", "sgd", "adagrad", "adam")
            raise InputError(f"these steps cannot be replayed: train in batches with {how}.")
        self._backward = backward
        self._as_credible = first_epoch is None
        self._first_epoch = min(2, trained.epoch) if first_epoch is None else first_epoch
        if not 1 <= self._first_epoch <= trained.epoch:
            raise InputError(f"first_epoch must be from 1 to {trained.epoch}; got {first_epoch}.")
        self._kept, self._seed = np.ones(task.num_examples, bool), task.config.seed
        self._epochs = _by_epoch(task.steps.blocks(trained.length))
        self._states, self._end = self._trained_again()
        self.parameters = task.steps.parameters(task.steps.restore(self._end, _NOBODY, self._seed))

    def _trained_again(self) -> tuple[list[dict[str, np.ndarray]], dict[str, np.ndarray]]:
        """The states at the start of each epoch, and the last."""
        steps, states = self.task.steps, []
        state = steps.start(self.task.initial_parameters, _NOBODY, self._seed)
        with progress("training again", sum(map(len, self._epochs))) as bar:
            for blocks in self._epochs:
                states.append(_copied(steps.to_arrays(state)))
                for block in blocks:
                    state, _ = steps.run_untracked(state, block, self._kept)
                    bar.advance()
        return states, _copied(steps.to_arrays(state))

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer.

        Raises:
            InputError: if a query cannot be asked, or an influence is not finite, naming the example.
        """
        return [one for part in in_parts(queries, self._together) for one in self._influences_of(part)]

    def by_epoch(self, queries: Sequence[Any]) -> np.ndarray:
        """The parts [epochs, num_queries, num_examples] of influences that are due to each epoch's batches.

        Raises:
            InputError: if a query cannot be asked.
        """
        found = np.zeros((len(self._epochs), len(queries), self.task.num_examples))
        for first in range(0, len(queries), self._together):
            some = slice(first, first + self._together)
            for epoch, part in self._back_over(queries[some]):
                found[epoch, some] = part
        return found

    @property
    def _together(self) -> int:
        """How many queries go back together."""
        return max(1, _ADJOINT_BYTES // sum(array.nbytes for array in self._end.values()))

    def _influences_of(self, queries: Sequence[Any]) -> list[Influences]:
        """Of queries that go back together."""
        whole, everyone = len(self._epochs) - self._first_epoch + 1, np.arange(self.task.num_examples)
        with contextlib.closing(self._back_over(queries)) as parts:
            if self._as_credible:
                scales = self.task.large_change(self.task.value(self.parameters, queries))
                sums, depths = credible_sums((part for _, part in parts), scales)
            else:
                sums = sum((part for _, part in parts), start=np.zeros((len(queries), self.task.num_examples)))
                depths = np.full(len(queries), whole)
        return [
            Influences(
                everyone,
                row,
                float(self.task.value(self.parameters, [query])[0]),
                warnings=(SHORTENED,) if depth < whole else (),
            )
            for query, row, depth in zip(queries, sums, depths, strict=True)
        ]

    def _back_over(self, queries: Sequence[Any]) -> Generator[tuple[int, np.ndarray]]:
        """Goes back over the epochs that count, the last first: each one's place, and [num_queries, num_examples]."""
        task, steps = self.task, self.task.steps
        adjoint = self._backward.start(self._end, task.value_gradients(self.parameters, queries))
        counted = range(self._first_epoch - 1, len(self._epochs))
        with progress("going back", sum(len(self._epochs[epoch]) for epoch in counted)) as bar:
            for epoch in reversed(counted):
                found = np.zeros((len(queries), task.num_examples))
                blocks = self._epochs[epoch]
                states, state = [self._states[epoch]], steps.restore(self._states[epoch], _NOBODY, self._seed)
                for block in blocks[:-1]:
                    state, _ = steps.run_untracked(state, block, self._kept)
                    states.append(_copied(steps.to_arrays(state)))
                for block in reversed(blocks):
                    adjoint, ids, effects = self._backward.back(states.pop(), block, self._seed, self._kept, adjoint)
                    found[:, ids] += effects
                    bar.advance()
                yield epoch, found


_NOBODY = np.zeros(0, np.int64)


def _copied(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays that later steps do not change."""
    return {name: np.array(array) for name, array in arrays.items()}


def _by_epoch(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks of each epoch."""
    epochs: list[list[Block]] = [[]]
    for block in blocks:
        epochs[-1].append(block)
        if block.ends is not None:
            epochs.append([])
    return [epoch for epoch in epochs if epoch]


def _block_cost(task: Task[Any], num_queries: int) -> Cost:
    """What it costs to keep the states of a training, and to go back for queries.

    The time is told, and refuses nothing: going back over a whole training of FB15k-237 takes half an hour.
    """
    blocks = _by_epoch(task.steps.blocks(task.length))
    numbers = sum(array.size for array in task.initial_parameters.arrays)
    backward = task.steps.backward()
    assert backward is not None
    state = backward.numbers * numbers * np.dtype(task.config.dtype).itemsize
    kept = len(blocks) + len(blocks[0]) + backward.states + 8.0
    more = min(state * (num_queries - 1), _ADJOINT_BYTES)
    memory = 2**27 + state * kept + more + 8.0 * len(blocks) * task.num_examples
    num_steps = len(blocks) * sum(block.count for block in blocks[0])
    seconds = _COMPILING + num_steps * num_queries * backward.seconds
    return Cost(memory, seconds, at_most=task.selection.patience is not None, limited=False)
