"""How sure a blended influence is: the interval of what retraining shows on average over trainings.

A blend of short trainings' replays differs from the mean effect of leaving the example out by the noise that is left
in it, which the trainings themselves tell (blending.variance, and how much they differ about this example), and by what
no derivative sees: a part that grows with the influence, and a background of small effects. Replay of a short training
also sees less than a whole training's retraining does. The constants were fitted to retrainings on Nations with
DistMult, and checked elsewhere (BUILD_NOTES, "How sure").
"""

import numpy as np

from gr_tf.runs.engine import scipy

# What the effects of leaving out are, in units of the blend of short trainings' influences.
_SLOPE = 1.35
# Standard deviations: in units of the influence; and, in units of the spread of a query's influences, that of the
# background of examples that share nothing, one, and two or more elements with the query.
_RELATIVE, _BACKGROUND = 0.25, (1.6, 1.5, 0.9)
# In units of the variance of the mean of this example's influences.
_SAMPLING = 1.5
STRATA = len(_BACKGROUND)


def stratum(shared: np.ndarray) -> np.ndarray:
    """The place in the constants [n] of examples that share so many elements [n] with the query."""
    return np.minimum(shared, STRATA - 1)


def expected_effects(
    blended: np.ndarray, found: np.ndarray, spread: float, shared: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What leaving each example out changes on average over trainings, [n], and the standard errors of that, [n].

    Args:
        blended: [n], in units of the spread.
        found: [m, n], the trainings' influences, in units of the spread.
        spread: of the influences on the query, in the prediction's unit.
        shared: [n], see Dataset.shared_elements.
        variances: [STRATA], see blending.variance.
    """
    places = stratum(shared)
    background = np.array(_BACKGROUND)[places]
    sampling = found.var(axis=0, ddof=1) / len(found) if len(found) > 1 else np.nan
    effects = _SLOPE * blended
    variance = variances[places] + _SAMPLING * sampling + (_RELATIVE * effects) ** 2 + background**2
    return effects * spread, np.sqrt(variance) * spread


def sign_chances(effects: np.ndarray, standard_errors: np.ndarray) -> np.ndarray:
    """The chances [n] that what retraining shows on average has the sign of an expected effect."""
    sizes = np.divide(np.abs(effects), standard_errors, out=np.zeros_like(effects), where=standard_errors > 0)
    chances: np.ndarray = scipy.stats.norm.cdf(sizes)
    return chances
