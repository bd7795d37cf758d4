"""Flags of the binaries that remove and retrain."""

from absl import flags

from gr_tf.evaluation.retraining import available_cores
from gr_tf.stages.evaluate import KS

NH_SEED = flags.DEFINE_integer("nh_seed", 0, "Seed of NH's random neighbours.", lower_bound=0)
JOBS = flags.DEFINE_integer("jobs", available_cores(), "Retrainings at a time; they change no result.", lower_bound=1)
K_LIST = flags.DEFINE_list("ks", list(KS), "How many examples to remove: whole numbers, or ALL.")
