"""Table 1 of Lawrence et al. (2021): train, explain, remove and retrain, beside the paper.

python -m experiments.gr_table1
"""

from absl import flags

from experiments import removal_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.report import removal_table

flags.adopt_module_key_flags(removal_flags)

NAME = "table1"


def main() -> None:
    task = triple_flags.load_task()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}")
    result = removal_table.run(task, folder, removal_flags.asked(task.dataset), NAME)
    removal_table.show(result, folder, NAME)


if __name__ == "__main__":
    common.start(main)
