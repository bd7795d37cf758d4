"""Flags of the programs that explain test predictions, remove examples and retrain."""

from typing import Any

from absl import flags

from gr_tf.attribution.neighborhood import NH_RULES
from gr_tf.errors import InputError
from gr_tf.evaluation.removal import KS
from gr_tf.tasks.test_predictions import RIGHT_IF

METHODS = flags.DEFINE_list(
    "methods", None, "Methods to compare. Default: nh (random neighbours) and the first method for the kind of data."
)
K_LIST = flags.DEFINE_list("ks", list(KS), "How many examples to remove: whole numbers, or ALL supporting ones.")
NH_SEED = flags.DEFINE_integer("nh_seed", 0, "Seed of nh, the random neighbours.", lower_bound=0)
_NH_RULE = flags.DEFINE_enum(
    "nh_rule",
    "seeded",
    list(NH_RULES),
    "How nh's random neighbours are drawn: " + "; ".join(f"{name}: {how}" for name, how in NH_RULES.items()) + ".",
)
NUM_QUERIES = flags.DEFINE_integer(
    "num_queries",
    None,
    "Explain a random sample of this many test predictions, as many right as wrong ones; 0: all. Default: all of "
    "Nations, 100 of fb15k237 and movielens; in `gr_tf evaluate` 20.",
    lower_bound=0,
)
QUERY_SEED = flags.DEFINE_integer("query_seed", 0, "Seed of the sample.", lower_bound=0)
RIGHT_IF_FLAG = flags.DEFINE_enum(
    "right_if",
    "drawn",
    list(RIGHT_IF),
    "When a sampled prediction that answers several test rows counts as right: "
    + "; ".join(f"{name}: {what}" for name, what in RIGHT_IF.items())
    + ".",
)


def of_nh() -> dict[str, Any]:
    """The arguments of evaluation.removal.evaluate that say how random neighbours are drawn.

    Raises:
        InputError: if a seed is asked for that the rule does not use.
    """
    if _NH_RULE.value == "released" and NH_SEED.present:
        raise InputError("--nh_seed is not for --nh_rule=released, whose seed is the authors'.")
    return {"nh_seed": NH_SEED.value, "nh_rule": _NH_RULE.value}
