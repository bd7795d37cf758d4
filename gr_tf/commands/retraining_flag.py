"""The flag of the programs that go on from a trained model of ratings without some."""

from absl import flags

RETRAINING_STEPS = flags.DEFINE_integer(
    "retraining_steps",
    None,
    "Of ratings: steps of a retraining. Default: the paper's, 24000 (mf) and 18000 (ncf).",
    lower_bound=1,
)
