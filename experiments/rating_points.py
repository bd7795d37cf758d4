"""Test points, and which training ratings of each are left out, of the binaries that measure faithfulness."""

import dataclasses

import numpy as np
from absl import flags

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError

_NUM_POINTS = flags.DEFINE_integer("points", 10, "Test points.", lower_bound=2)
_POINT_SEED = flags.DEFINE_integer("points_seed", 0, "Seed of the test points and of their ratings.", lower_bound=0)
_NUM_RATINGS = flags.DEFINE_integer("ratings_a_point", 10, "Training ratings of each test point.", lower_bound=3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Points:
    """Which predictions and which ratings.

    Attributes:
        num_points, point_seed: which test points.
        num_ratings: of each, random ones among those related.
    """

    num_points: int = 10
    point_seed: int = 0
    num_ratings: int = 10

    def choose(self, ratings: RatingSet) -> tuple[np.ndarray, np.ndarray]:
        """Random test points [num_points, 2], and the example ids [num_points, num_ratings] of some related ratings.

        Raises:
            InputError: if there are not as many test points, or a point has not as many ratings.
        """
        if self.num_points > len(ratings.test):
            raise InputError(f"num_points must be at most the {len(ratings.test)} test ratings; got {self.num_points}.")
        generator = np.random.default_rng(self.point_seed)
        pairs = ratings.test.pairs[generator.permutation(len(ratings.test))[: self.num_points]]
        chosen = []
        for user, item in pairs:
            related = ratings.related(RatingQuery(int(user), int(item)))
            if len(related) < self.num_ratings:
                raise InputError(
                    f"a test point has only {len(related)} related ratings; num_ratings is {self.num_ratings}."
                )
            chosen.append(np.sort(generator.choice(related, self.num_ratings, replace=False)))
        return pairs, np.stack(chosen)


def of_flags() -> dict[str, int]:
    """Points' arguments that the flags ask for."""
    return {"num_points": _NUM_POINTS.value, "point_seed": _POINT_SEED.value, "num_ratings": _NUM_RATINGS.value}


def influences(
    explainer: Explainer[RatingQuery, RatingExplanation], pairs: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """The influences of the chosen ratings, and how many systems behind them are to be doubted.

    Args:
        explainer: the method.
        pairs, chosen: see Points.choose.
    """
    scores, doubts = [], {"negative_curvature": 0, "unsolved": 0}
    for (user, item), ids in zip(pairs, chosen, strict=True):
        explanation = explainer.rank(RatingQuery(int(user), int(item)))
        order = np.argsort(explanation.example_ids)
        places = order[np.searchsorted(explanation.example_ids, ids, sorter=order)]
        scores.append(explanation.influences[places])
        doubts["negative_curvature"] += sum(told.negative_curvature for told in explanation.systems)
        doubts["unsolved"] += sum(not told.converged for told in explanation.systems)
    return np.stack(scores), doubts
