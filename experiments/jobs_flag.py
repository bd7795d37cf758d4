"""The flag of every binary that retrains."""

from absl import flags

from gr_tf.evaluation.retraining import available_cores

JOBS = flags.DEFINE_integer("jobs", available_cores(), "Retrainings at a time; they change no result.", lower_bound=1)
