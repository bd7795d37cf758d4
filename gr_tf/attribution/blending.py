"""Blends noisy influences of several trainings with what the data alone say, and says how certain the blend is.

Influences of one training are what holds on average over trainings, plus noise that is independent in each. So one
training's influences are a fair test of a prediction made from the others, and no retraining is needed to learn how
much the mean of m trainings counts beside a prior, which is a ridge regression of the influences on features of the
data: what predicts the left-out training best. In the same way, the products of the errors in two left-out trainings,
whose noises are independent, tell the variance of the blend around what holds on average.

All of it needs only sums of products, so that the queries are seen one after the other.
"""

import dataclasses

import numpy as np

from gr_tf.errors import InputError

# The ridge, as a share of the number of examples that are summed over, of features of variance 1.
_RIDGE = 0.01
# One training cannot be left out: its part and the prior's, both of variance 1 (BUILD_NOTES, "Best answers").
_OF_ONE = (1.0, 1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Sums:
    """Sums over examples of products of features, and of the influences of m trainings.

    Attributes:
        features: [p, p].
        both: [p, m], of a feature and a training's influence.
        influences: [m, m].
        count: examples.
    """

    features: np.ndarray
    both: np.ndarray
    influences: np.ndarray
    count: int

    @classmethod
    def of(cls, features: np.ndarray, influences: np.ndarray) -> "Sums":
        """Of features [n, p] and influences [m, n], centred both."""
        return cls(
            (features.T @ features).astype(np.float64),
            (features.T @ influences.T).astype(np.float64),
            (influences @ influences.T).astype(np.float64),
            features.shape[0],
        )

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.features + other.features,
            self.both + other.both,
            self.influences + other.influences,
            self.count + other.count,
        )

    def prior(self, trainings: np.ndarray) -> np.ndarray:
        """The coefficients [p] of the ridge regression of some trainings' mean influences on the features."""
        variances = np.diag(self.features) / self.count
        scale = np.sqrt(np.where(variances > 1e-12, variances, 1))
        gram = self.features / np.outer(scale, scale) + _RIDGE * self.count * np.eye(len(scale))
        found: np.ndarray = np.linalg.solve(gram, self.both[:, trainings].mean(axis=1) / scale) / scale
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class Blend:
    """own * the mean of the trainings' influences + prior * features @ coefficients.

    Attributes:
        own, prior: weights.
        coefficients: [p].
    """

    own: float
    prior: float
    coefficients: np.ndarray

    def of(self, features: np.ndarray, influences: np.ndarray) -> np.ndarray:
        """The blend [n] of features [n, p] and influences [m, n], centred both."""
        found: np.ndarray = self.own * influences.mean(axis=0) + self.prior * (features @ self.coefficients)
        return found


def learn(sums: Sums) -> Blend:
    """The blend that predicts each training's influences best from those of the others and the prior of the others.

    Raises:
        InputError: if the influences do not vary.
    """
    count = sums.influences.shape[0]
    everyone = np.arange(count)
    coefficients = sums.prior(everyone)
    spread = np.sqrt(coefficients @ sums.features @ coefficients / sums.count)
    if not np.diag(sums.influences).min() > 0:
        raise InputError("the influences of a training are all the same: there is nothing to learn from.")
    if count == 1:
        own, prior = _OF_ONE
        return Blend(own, prior / spread if spread > 0 else 0.0, coefficients)
    gram, both = np.zeros((2, 2)), np.zeros(2)
    for left_out in range(count):
        own_gram, own_both = _products(sums, np.delete(everyone, left_out), left_out)
        gram, both = gram + own_gram, both + own_both
    own, prior = np.linalg.lstsq(gram, both)[0]
    if 0 < own < 1:
        # The weights of all trainings: those of one fewer, whose mean has more noise, were learnt.
        more = 1 / (1 + (count - 1) / count * (1 - own) / own)
        own, prior = more, prior * (1 - more) / (1 - own)
    return Blend(float(own), float(prior), coefficients)


def _products(sums: Sums, others: np.ndarray, left_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Products of the mean influences and the prior of some trainings, [2, 2], and of both with one left out, [2]."""
    prior = sums.prior(others)
    mean_prior = prior @ sums.both[:, others].mean(axis=1)
    gram = [
        [sums.influences[np.ix_(others, others)].mean(), mean_prior],
        [mean_prior, prior @ sums.features @ prior],
    ]
    return np.array(gram), np.array([sums.influences[others, left_out].mean(), prior @ sums.both[:, left_out]])


def variance(part: Sums, whole: Sums, blend: Blend) -> float:
    """The mean square of what a blend's values are off what holds on average over trainings.

    From pairs of trainings that are both left out; the blend is that of the others. NaN of fewer than three trainings.

    Args:
        part: the sums over the examples that are asked about.
        whole: the sums that the prior is learnt from.
        blend: see learn.
    """
    count = part.influences.shape[0]
    if count < 3:
        return float("nan")
    total, pairs = 0.0, 0
    for one in range(count):
        for other in range(one):
            rest = np.delete(np.arange(count), [one, other])
            prior = blend.prior * whole.prior(rest)
            # The blend's own values squared, and their products with either of the two.
            own = blend.own**2 * part.influences[np.ix_(rest, rest)].mean()
            own += 2 * blend.own * (prior @ part.both[:, rest].mean(axis=1)) + prior @ part.features @ prior
            with_two = [
                blend.own * part.influences[rest, place].mean() + prior @ part.both[:, place] for place in (one, other)
            ]
            total += own - sum(with_two) + part.influences[one, other]
            pairs += 1
    return float(total / pairs / part.count)
