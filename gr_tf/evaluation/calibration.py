"""Are the intervals and chances of answers right? By an atlas's retrainings, which the answers do not know."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.certainty import sign_chances
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.runs.engine import scipy

LEVELS = (0.95, 0.8)
# The bounds of the chances of signs that are told together.
_BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0)
# The share of a stratum's influences that are called the strongest, and how many a bin has at least.
_STRONGEST, _LEAST = 0.05, 30


def calibration_rows(scoring: Scoring, told: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[dict[str, Any]]:
    """Rows by stratum: how often the measured effects lie within the intervals, and have the told sign.

    A measured effect is a mean over the atlas's seeds, whose standard error is added to the interval's. The mean over
    all examples of a query is taken away: it is the chance of the trainings with everything, which all effects share.

    Args:
        scoring: the atlas.
        told: expected effects and standard errors, [num_queries, num_examples] each, of answers from other trainings.
    """
    atlas = scoring.atlas
    measured = atlas.expected - atlas.expected.mean(axis=1, keepdims=True)
    rows = []
    for stratum, mask in scoring.masks.items():
        effects, errors = (np.concatenate([part[mask] for part in parts]) for parts in zip(*told, strict=True))
        truth, noise = (np.tile(part[mask], len(told)) for part in (measured, atlas.standard_errors))
        whole = np.sqrt(errors**2 + noise**2)
        off = np.abs(truth - effects) / whole
        strongest = np.abs(effects) >= np.quantile(np.abs(effects), 1 - _STRONGEST)
        within = {f"{level:.0%}": scipy.stats.norm.ppf(0.5 + level / 2) for level in LEVELS}
        chances, right = sign_chances(effects, whole), np.sign(effects) == np.sign(truth)
        bins = np.digitize(chances, _BINS[1:-1])
        rows.append(
            {
                "stratum": stratum,
                "count": len(effects),
                "within": {name: float((off < most).mean()) for name, most in within.items()},
                "strongest within": {name: float((off[strongest] < most).mean()) for name, most in within.items()},
                "signs": [
                    {
                        "said": float(chances[chosen].mean()),
                        "right": float(right[chosen].mean()),
                        "count": int(chosen.sum()),
                    }
                    for chosen in (bins == number for number in range(len(_BINS) - 1))
                    if chosen.sum() >= _LEAST
                ],
            }
        )
    return rows
