"""What a cheap method says and what a few retrainings measured, weighed by how certain each is.

Empirical Bayes (Efron and Morris 1973; with a regression, Fay and Herriot 1979): the effects of a query's
examples are taken to scatter around a line in the method's scores, and the measured means around the effects.
"""

import numpy as np


def shrunken(measured: np.ndarray, variance: float, scores: np.ndarray) -> np.ndarray:
    """The posterior means [n] of the effects of a query's examples.

    Args:
        measured: [n], mean effects of a few retrainings.
        variance: of these means, the same for all examples.
        scores: [n], a method's influences, from other seeds.
    """
    centred = scores - scores.mean()
    spread = float((centred**2).sum())
    slope = float(centred @ measured) / spread if spread > 0 else 0.0
    line = measured.mean() + slope * centred
    scatter = max(float(((measured - line) ** 2).sum()) / max(len(measured) - 2, 1) - variance, 0.0)
    weight = scatter / (scatter + variance) if scatter + variance > 0 else 0.0
    posterior: np.ndarray = line + weight * (measured - line)
    return posterior


def shrunken_queries(effects: np.ndarray, scores: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The same for each query over the examples of its mask; 0 elsewhere.

    The variance of a mean is that of single effects, pooled over the query's examples, over their number. With one
    seed, which tells no variance, the effects' spread around the line is taken for noise.

    Args:
        effects: [num_seeds, num_queries, num_examples], measured.
        scores: [num_queries, num_examples].
        masks: bool.
    """
    mean = effects.mean(axis=0)
    found = np.zeros_like(mean)
    for place, mask in enumerate(masks):
        if not mask.any():
            continue
        single = effects[:, place, mask]
        variance = single.var(axis=0, ddof=1).mean() / len(effects) if len(effects) > 1 else np.inf
        if np.isinf(variance):
            variance = float(single.var())
        found[place, mask] = shrunken(mean[place, mask], float(variance), scores[place, mask])
    return found
