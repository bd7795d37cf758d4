"""The candidates of each training step: the gold tail, then random entities."""

import numpy as np

BLOCK_SIZE = 4096


def draw_candidates(train: np.ndarray, first: int, num_entities: int, num_negatives: int, seed: int = 0) -> np.ndarray:
    """The candidates of the steps of one block, as the authors' program draws them.

    A block's draw depends on its first step only, so it is the same in every epoch and in
    every retraining, whichever examples are removed. A negative that equals the gold tail
    is replaced by c = (head + gold) // 2, or by c + 1 when c < num_entities - 1; that can
    be the gold tail again, and then stays (BUILD_NOTES, "Negatives").

    Args:
        train: [num_examples, 3].
        first: the block's first step, a multiple of BLOCK_SIZE.
        num_entities: negatives are drawn from [0, num_entities).
        num_negatives: how many negatives a step has.
        seed: another draw; 0 is the authors' own.

    Returns:
        [min(BLOCK_SIZE, num_examples - first), 1 + num_negatives] int32, the gold tail first.
    """
    generator = np.random.RandomState((seed, first) if seed else first)
    draw = generator.randint(num_entities, size=(BLOCK_SIZE, num_negatives))
    block = train[first : first + BLOCK_SIZE]
    heads, golds = block[:, :1], block[:, 2:]
    middle = (heads + golds) // 2
    replacement = np.where(middle < num_entities - 1, middle + 1, middle)
    negatives = draw[: len(block)].astype(np.int32)
    negatives = np.where(negatives == golds, replacement, negatives)
    return np.concatenate([golds, negatives], axis=1)
