"""Flags that say which test predictions a binary explains."""

from typing import Any

from gr_tf.commands import common, removal_flags

common.adopt(removal_flags)

# A retraining on a large dataset takes a minute or more.
_DEFAULT_NUM_QUERIES = {"fb15k237": 100, "movielens": 100}


def of_flags(dataset: str) -> dict[str, Any]:
    """The arguments of evaluation.explained.explain_run that say which predictions of a dataset to explain."""
    count = removal_flags.NUM_QUERIES.value
    return {
        "num_queries": _DEFAULT_NUM_QUERIES.get(dataset) if count is None else count or None,
        "query_seed": removal_flags.QUERY_SEED.value,
        "right_if": removal_flags.RIGHT_IF_FLAG.value,
    }
