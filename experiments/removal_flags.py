"""Flags of the binaries that explain test predictions, remove what explains them, and retrain."""

from typing import Any

from absl import flags

from gr_tf.commands import common, removal_flags, run_flags, triple_flags
from gr_tf.evaluation.released import DEFECTS

common.adopt(removal_flags)

# Retraining on the large datasets takes a minute or more a time.
_DEFAULT_NUM_QUERIES = {"fb15k237": 100, "movielens": 100}
_RELEASED_DEFECTS = flags.DEFINE_list(
    "released_defects",
    [],
    "Known defects of the authors' released evaluation to repeat: "
    + "; ".join(f"{name}: {what}" for name, what in DEFECTS.items())
    + ".",
)


def sample(dataset: str) -> dict[str, Any]:
    """Which predictions of a dataset to explain: arguments of evaluation.explained.explain_run."""
    count = removal_flags.NUM_QUERIES.value
    return {
        "num_queries": _DEFAULT_NUM_QUERIES.get(dataset) if count is None else count or None,
        "query_seed": removal_flags.QUERY_SEED.value,
        "right_if": removal_flags.RIGHT_IF_FLAG.value,
    }


def removals() -> dict[str, Any]:
    """What to remove before the retrainings: arguments of evaluation.removal.evaluate."""
    return {
        "methods": removal_flags.METHODS.value or ("NH", "GR"),
        "ks": removal_flags.K_LIST.value,
        "nh_seed": removal_flags.NH_SEED.value,
        "released_defects": _RELEASED_DEFECTS.value,
        "jobs": run_flags.JOBS.value,
    }


def table(dataset: str) -> dict[str, Any]:
    """The whole of Table 1 or 2 on a dataset, beside the training: arguments of report.removal_table.run."""
    return {
        "sample": sample(dataset),
        "removals": removals(),
        "usual": triple_flags.default_config(dataset),
        "overwrite": run_flags.OVERWRITE.value,
        "checkpoint_seconds": run_flags.CHECKPOINT_SECONDS.value,
    }
