"""The empirical Lipschitz constant of a training is the largest norm of all its steps, whatever computes the steps."""

import numpy as np
import pytest

from gr_tf.data.triples import TripleSet
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@pytest.mark.parametrize("steps", ["dense", "rows"])
def test_it_is_the_largest_norm_of_a_derivative(toy: TripleSet, steps: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DistMult's score is a product of three rows; its derivative by one is the product of the other two.

    The rate is too small to move anything. The blocks are smaller than an epoch, the last of them is not full.
    """
    for module in ("data.negatives", "training.triple_steps"):
        monkeypatch.setattr(f"gr_tf.{module}.BLOCK_SIZE", 16)
    task = TripleTask(toy, TripleConfig(dim=6, num_negatives=2, epochs=2, learning_rate=1e-13, steps=steps))
    heads, relations, tails = np.moveaxis(task.initial_parameters.table[task.model.rows_of(toy.train)], 1, 0)
    products = np.stack([heads * relations, heads * tails, relations * tails])
    norms = np.linalg.norm(products, axis=-1)
    largest = norms.max()
    # Neither the first step, nor the last, nor the last block, nor one of the three derivatives alone has it.
    assert largest > 1.2 * max(norms[:, 0].max(), norms[:, 48:].max(), np.sort(norms.max(axis=1))[0])
    for epoch in task.train().history:
        assert epoch.lipschitz == pytest.approx(largest, rel=1e-6)
