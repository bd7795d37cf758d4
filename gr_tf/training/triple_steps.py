"""The steps of a knowledge graph's model: one triple a step, in file order, with random candidates.

Lawrence et al. (2021), "Gradient Rollback for Matrix Factorization": batch size 1.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from gr_tf.data.negatives import BLOCK_SIZE, draw_candidates
from gr_tf.data.triples import TripleSet
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.training.dense_kernel import DenseKernel
from gr_tf.training.optimizers import Adam
from gr_tf.training.row_adam import RowAdam
from gr_tf.training.row_kernel import RowKernel
from gr_tf.training.steps import Block, Steps, Trace, check_length
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Ids, State, Tensor

# Blocks are drawn again in every epoch, unless all of them together are smaller than this.
_KEPT_PLANS_BYTES = 64 << 20
# Tables with more numbers than this are trained by rows.
_DENSE_NUMBERS = 10_000


class TripleSteps(Steps):
    """Steps on single triples; they give what each triple changed.

    Attributes:
        kernel: how the steps are computed.
    """

    on_one_example = True
    rows_per_example = 3
    can_go_on = False

    def __init__(self, triples: TripleSet, model: FactorModel, config: TripleConfig) -> None:
        self._triples, self._config = triples, config
        self.kernel = _make_kernel(model, config, triples.num_examples)
        self._train_rows = model.rows_of(triples.train)
        self._block_size = min(BLOCK_SIZE, triples.num_examples)
        self._firsts = range(0, triples.num_examples, BLOCK_SIZE)
        self._kept_plans: dict[int, Tensor] = {}
        self._example_ids: dict[int, Tensor] = {}
        self._keep_plans = 4 * triples.num_examples * (3 + config.num_negatives) <= _KEPT_PLANS_BYTES

    @property
    def how(self) -> str:
        """How steps are computed, as in STEPS_TOLD."""
        return self.kernel.name

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of epochs.

        Raises:
            InputError: if it is more than the configuration's.
        """
        check_length(length, self._config.epochs, "epochs")
        count = self._triples.num_examples
        return [
            Block(number, first, min(BLOCK_SIZE, count - first), epoch if first == self._firsts[-1] else None)
            for number, (epoch, first) in enumerate(itertools.product(range(1, length + 1), self._firsts))
        ]

    def start(self, parameters: Parameters, removed: Ids, seed: int) -> State:
        """See Steps; the order is the file's, whatever the seed."""
        return self.kernel.start(parameters.table, self._config.initial_learning_rate(removed))

    def run(self, state: State, block: Block, kept: np.ndarray) -> tuple[State, Trace]:
        """See Steps; removed examples' steps are skipped."""
        steps = np.flatnonzero(kept[block.first : block.first + BLOCK_SIZE])
        order = np.zeros(self._block_size, np.int32)
        order[: len(steps)] = steps
        state, trace = self.kernel.run(state, self.block_plan(block.first), tf.constant(order), tf.constant(len(steps)))
        deltas = trace.deltas if block.count == self._block_size else trace.deltas[: block.count]
        if block.first not in self._example_ids:
            self._example_ids[block.first] = tf.range(block.first, block.first + block.count)
        changed = tf.IndexedSlices(deltas, self._example_ids[block.first])
        return state, Trace(trace.losses.numpy(), changed, len(steps), float(trace.lipschitz.numpy().max()))

    def parameters(self, state: State) -> Parameters:
        """See Steps."""
        return Parameters(self.kernel.table(state))

    def to_arrays(self, state: State) -> dict[str, np.ndarray]:
        """See Steps."""
        return self.kernel.to_arrays(state)

    def restore(self, arrays: dict[str, np.ndarray], removed: Ids, seed: int) -> State:
        """See Steps."""
        return self.kernel.restore(arrays, self._config.initial_learning_rate(removed))

    def name_of(self, state: State, block: Block, place: int) -> str:
        """See Steps."""
        example_id = block.first + place
        epoch = block.number // len(self._firsts) + 1
        names = "\t".join(self._triples.train_frame.iloc[example_id])
        return f"step {example_id} of epoch {epoch}, training triple {example_id} ({names})"

    def first_block_with(self, removed: Ids) -> int:
        """See Steps."""
        return int(removed.min()) // BLOCK_SIZE

    def block_plan(self, first: int) -> Tensor:
        """Device inputs (see DenseKernel.plan) of the block from step `first` on."""
        if first in self._kept_plans:
            return self._kept_plans[first]
        config, triples = self._config, self._triples
        candidates = draw_candidates(
            triples.train, first, len(triples.entities), config.num_negatives, config.negatives_seed
        )
        rows = np.concatenate([self._train_rows[first : first + BLOCK_SIZE, :2], candidates], axis=1)
        # The last block is padded with its last step, which is not done again.
        rows = np.pad(rows, ((0, self._block_size - len(rows)), (0, 0)), mode="edge")
        plan = self.kernel.plan(rows)
        if self._keep_plans:
            self._kept_plans[first] = plan
        return plan


def _make_kernel(model: FactorModel, config: TripleConfig, num_examples: int) -> DenseKernel | RowKernel:
    """The kernel that a configuration asks for, or that is faster for its size."""
    optimizer = config.make_optimizer()
    if isinstance(optimizer, Adam) and config.steps != "dense" and config.constraint == "none":
        touched = config.num_negatives + 3
        # Measured: a native loop costs some 30 us a step before its rows; a dense table of this size as much.
        large = model.num_rows * model.width > _DENSE_NUMBERS and model.num_rows > 2 * touched
        if config.steps == "rows" or large:
            row_adam = RowAdam(optimizer, config.dtype)
            return RowKernel(model, config.loss, row_adam, config.epochs * num_examples)
    return DenseKernel(model, config.loss, optimizer, config.dtype, config.constraint)
