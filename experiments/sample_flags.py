"""Flags of the binaries that explain test predictions: which."""

from typing import Any

from gr_tf.commands import common, removal_flags

common.adopt(removal_flags)

# Retraining on the large datasets takes a minute or more a time.
_DEFAULT_NUM_QUERIES = {"fb15k237": 100, "movielens": 100}


def of_flags(dataset: str) -> dict[str, Any]:
    """Which predictions of a dataset to explain: arguments of evaluation.explained.explain_run."""
    count = removal_flags.NUM_QUERIES.value
    return {
        "num_queries": _DEFAULT_NUM_QUERIES.get(dataset) if count is None else count or None,
        "query_seed": removal_flags.QUERY_SEED.value,
        "right_if": removal_flags.RIGHT_IF_FLAG.value,
    }
