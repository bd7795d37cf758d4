"""What a cheap method says and what a few retrainings measured, weighed by how certain each is.

Empirical Bayes (Efron and Morris 1973; with a regression, Fay and Herriot 1979): the effects of a query's
examples are taken to scatter around a line in the method's scores, and the measured means around the effects.
The line's slope and both scatters are the same for all queries, because one query tells too little of them.
"""

import numpy as np


def shrunken(effects: np.ndarray, scores: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The posterior means [num_queries, num_examples] of the effects of each query's examples; 0 outside its mask.

    One seed tells nothing of its own noise: there all scatter around the line is taken for noise, and the line is
    what is left.

    Args:
        effects: [num_seeds, num_queries, num_examples], measured.
        scores: [num_queries, num_examples], a method's influences, from other seeds.
        masks: bool.
    """
    counts = np.maximum(masks.sum(axis=1, keepdims=True), 1)

    def centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = np.where(masks, values, 0).sum(axis=1, keepdims=True) / counts
        return mean, np.where(masks, values - mean, 0)

    _, of_scores = centred(scores)
    mean, of_effects = centred(effects.mean(axis=0))
    spread = float((of_scores**2).sum())
    slope = float((of_scores * of_effects).sum()) / spread if spread > 0 else 0.0
    rest = of_effects - slope * of_scores
    total = float((rest**2).sum()) / max(int(masks.sum()) - len(masks) - 1, 1)
    noise = float(effects.var(axis=0, ddof=1)[masks].mean()) / len(effects) if len(effects) > 1 else total
    weight = max(total - noise, 0.0) / total if total > 0 else 0.0
    return np.where(masks, mean + slope * of_scores + weight * rest, 0)
