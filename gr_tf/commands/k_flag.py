"""The flag of every binary that shows explanations."""

from absl import flags

K = flags.DEFINE_integer("k", 10, "How many of the most influential examples to show.")
