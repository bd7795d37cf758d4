"""Flags of the binaries that remove and retrain."""

from absl import flags

from experiments import jobs_flag
from gr_tf.evaluation.released import DEFECTS
from gr_tf.stages.evaluate import KS, METHODS, TABLE_1_METHODS

NH_SEED = flags.DEFINE_integer("nh_seed", 0, "Seed of NH's random neighbours.", lower_bound=0)
flags.adopt_module_key_flags(jobs_flag)
K_LIST = flags.DEFINE_list("ks", list(KS), "How many examples to remove: whole numbers, or ALL.")
METHODS_LIST = flags.DEFINE_list(
    "methods", list(TABLE_1_METHODS), f"Whose explanations to remove: {', '.join(METHODS)}."
)
RELEASED_DEFECTS = flags.DEFINE_list(
    "released_defects",
    [],
    "Known defects of the authors' released evaluation to repeat: "
    + "; ".join(f"{name}: {what}" for name, what in DEFECTS.items())
    + ".",
)
