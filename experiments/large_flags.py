"""Flags of the experiments with truths of real size."""

from absl import flags

from gr_tf.commands import removal_flags

flags.declare_key_flag("methods")

METHODS = removal_flags.METHODS
QUERIES = flags.DEFINE_integer("queries", 20, "How many test predictions are explained.", lower_bound=1)
EXPLAINED = flags.DEFINE_integer("explained", 5, "How many trainings the methods explain.", lower_bound=1)
TRUTH_SEEDS = flags.DEFINE_integer(
    "truth_seeds", 12, "By how many other seeds the model is trained without examples.", lower_bound=1
)


def sizes() -> dict[str, int]:
    """The attributes that the Sizes of these experiments have in common."""
    return {"queries": QUERIES.value, "explained": EXPLAINED.value, "seeds": TRUTH_SEEDS.value}
