"""Flags of the binaries that explain test predictions."""

from absl import flags

from gr_tf.attribution.queries import RIGHT_IF

# Retraining on the large datasets takes a minute or more a time.
DEFAULT_NUM_QUERIES = {"fb15k237": 100, "movielens": 100}

_NUM_QUERIES = flags.DEFINE_integer(
    "num_queries",
    None,
    "Explain a random sample of this many test predictions, as many right as wrong; 0: all. "
    "Default: all of Nations and of your own data, 100 of fb15k237 and movielens.",
    lower_bound=0,
)
QUERY_SEED = flags.DEFINE_integer("query_seed", 0, "Seed of the sample.", lower_bound=0)
RIGHT_IF_FLAG = flags.DEFINE_enum(
    "right_if",
    "drawn",
    list(RIGHT_IF),
    "In the sample, what makes a prediction that answers several test rows a right one: "
    + "; ".join(f"{name}: {what}" for name, what in RIGHT_IF.items())
    + ".",
)


def num_queries(dataset: str) -> int | None:
    """How many predictions of a dataset to explain; None: all."""
    if _NUM_QUERIES.value is None:
        return DEFAULT_NUM_QUERIES.get(dataset)
    return _NUM_QUERIES.value or None
