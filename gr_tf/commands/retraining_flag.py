"""The flag of the programs that train on from a trained model of ratings, without some ratings."""

from absl import flags

RETRAINING_STEPS = flags.DEFINE_integer(
    "retraining_steps",
    None,
    "For ratings: how many steps a retraining has. Default: the paper's 24000 (mf) or 18000 (ncf).",
    lower_bound=1,
)
