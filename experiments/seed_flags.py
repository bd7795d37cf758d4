"""Flags of the binaries that train several seeds."""

from absl import flags

NUM_SEEDS = flags.DEFINE_integer("num_seeds", 1, "Seeds, counted up from --seed.", lower_bound=1)
