"""Table 1 of Lawrence et al. (2021): train, explain, remove and retrain, beside the paper.

python -m experiments.gr_table1
"""

import pathlib
from typing import Any

from absl import flags

from experiments import common, evaluate_flags, explain_flags, removal_table, run_flags, train_flags
from experiments.removal_table import Asked
from gr_tf.data.triples import TripleSet
from gr_tf.training.config import TrainConfig

for module in (evaluate_flags, explain_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "table1"


def run(triples: TripleSet, config: TrainConfig, run_dir: pathlib.Path, asked: Asked) -> dict[str, Any]:
    """Does what is missing of the three steps; see removal_table.run."""
    return removal_table.run(triples, config, run_dir, asked, NAME)


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}")
    removal_table.show(run(triples, config, folder, Asked.of_flags(triples.name)), folder, NAME)


if __name__ == "__main__":
    common.start(main)
