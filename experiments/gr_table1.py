"""Table 1 of Lawrence et al. (2021), beside the paper's: trains, explains, removes and retrains.

python -m experiments.gr_table1
"""

from typing import Any

from experiments import gr_evaluate, sample_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.report import removal_table

common.adopt(gr_evaluate, sample_flags, triple_flags)

NAME = "table1"


def asked(dataset: str) -> dict[str, Any]:
    """The arguments of removal_table.run for Table 1 or 2 on a dataset, apart from the training's."""
    return {
        "sample": sample_flags.of_flags(dataset),
        "removals": gr_evaluate.removals(),
        "usual": triple_flags.default_config(dataset),
        "overwrite": run_flags.OVERWRITE.value,
        "checkpoint_seconds": run_flags.CHECKPOINT_SECONDS.value,
    }


def main() -> None:
    task = triple_flags.load_task()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}")
    result = removal_table.run(task, folder, NAME, **asked(task.dataset.name))
    removal_table.show(result, folder, NAME)


if __name__ == "__main__":
    common.start(main)
