"""Table 1 of Lawrence et al. (2021): train, explain, remove and retrain, beside the paper.

python -m experiments.gr_table1
"""

from experiments import removal_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.report import removal_table

common.adopt(removal_flags, run_flags, triple_flags)

NAME = "table1"


def main() -> None:
    task = triple_flags.load_task()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}")
    result = removal_table.run(task, folder, NAME, **removal_flags.table(task.dataset.name))
    removal_table.show(result, folder, NAME)


if __name__ == "__main__":
    common.start(main)
