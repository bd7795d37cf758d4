"""Flags that say which ratings of which predictions a binary leaves out."""

from absl import flags

_NUM_POINTS = flags.DEFINE_integer("points", 10, "How many test points.", lower_bound=2)
_POINT_SEED = flags.DEFINE_integer("points_seed", 0, "Seed of the test points and of their ratings.", lower_bound=0)
_NUM_RATINGS = flags.DEFINE_integer("ratings_a_point", 10, "How many ratings of each test point.", lower_bound=3)


def of_flags() -> dict[str, int]:
    """The arguments of sampled_fidelity.Points that the flags give."""
    return {"num_points": _NUM_POINTS.value, "point_seed": _POINT_SEED.value, "num_ratings": _NUM_RATINGS.value}
