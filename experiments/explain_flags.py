"""Flags of the binaries that explain test predictions."""

from absl import flags

from gr_tf.commands import removal_flags

flags.adopt_module_key_flags(removal_flags)

# Retraining on the large datasets takes a minute or more a time.
_DEFAULT_NUM_QUERIES = {"fb15k237": 100, "movielens": 100}
QUERY_SEED, RIGHT_IF_FLAG = removal_flags.QUERY_SEED, removal_flags.RIGHT_IF_FLAG


def num_queries(dataset: str) -> int | None:
    """How many predictions of a dataset to explain; None: all."""
    if removal_flags.NUM_QUERIES.value is None:
        return _DEFAULT_NUM_QUERIES.get(dataset)
    return removal_flags.NUM_QUERIES.value or None
