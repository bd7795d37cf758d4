"""The flag of every binary that shows explanations."""

from absl import flags

K = flags.DEFINE_integer("k", 10, "How many examples to show, the most influential or suspicious first.")
