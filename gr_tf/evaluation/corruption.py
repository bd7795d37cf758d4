"""Mistakes made on purpose, to see who finds them."""

import dataclasses

import numpy as np

from gr_tf.data.dataset import Dataset
from gr_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Corrupted:
    """A dataset with mistakes in its training examples.

    Attributes:
        dataset: with them; ids, validation and test are the original's.
        wrong: bool [num_examples], which examples were changed.
    """

    dataset: Dataset
    wrong: np.ndarray


def with_mistakes(dataset: Dataset, share: float, seed: int) -> Corrupted:
    """Other, random answers for a share of the training examples; see Dataset.with_wrong.

    Args:
        dataset: the original.
        share: of the training examples, above 0 and below 1.
        seed: of the draw.

    Raises:
        InputError: if the share is out of range, or an example cannot be made wrong.
    """
    if not 0 < share < 1:
        raise InputError(f"the share of mistakes must be above 0 and below 1; got {share}.")
    count, generator = dataset.num_examples, np.random.default_rng(seed)
    chosen = max(1, round(share * count))
    if chosen >= count:
        raise InputError(f"a share of {share:g} leaves none of the {count} training examples right.")
    example_ids = np.sort(generator.choice(count, chosen, replace=False))
    wrong = np.zeros(count, bool)
    wrong[example_ids] = True
    return Corrupted(dataset.with_wrong(example_ids, generator), wrong)
