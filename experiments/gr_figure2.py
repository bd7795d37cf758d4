"""Figure 2 of Lawrence et al. (2021): what rolling back predicts, against what retraining gives.

python -m experiments.gr_figure2 --num_seeds=5                                 # Nations, constraint by constraint
python -m experiments.gr_figure2 --tables=runs/fb15k237-distmult/table1/result.json,...  # finished tables

For each retraining of GR-1: the probability that Gradient Rollback predicts after the removal, and the one
after retraining.
"""

import dataclasses
from typing import Any

from absl import flags

from experiments import gr_table1, removal_flags, seed_flags, table_files
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.report import figure2, removal_table
from gr_tf.report.tables import as_text
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.constraints import CONSTRAINTS

for module in (removal_flags, seed_flags, table_files):
    flags.adopt_module_key_flags(module)

DEFAULTS = {"methods": ["GR"], "ks": ["1"]}
_CONSTRAINTS = flags.DEFINE_list(
    "constraints",
    list(CONSTRAINTS),
    f"Constraints to compare: {', '.join(CONSTRAINTS)}; all but none need dense steps.",
)


def _tables(task: TripleTask) -> list[dict[str, Any]]:
    """Makes what is missing of the tables, a folder each: every constraint with every seed."""
    asked, config = removal_flags.asked(task.dataset), task.config
    if "GR" not in asked.methods or "1" not in asked.ks:
        raise InputError("Figure 2 is about GR-1: it needs GR in --methods and 1 in --ks.")
    if asked.num_queries == 1:
        raise InputError("Figure 2 is a correlation: it needs --num_queries of 2 or more.")
    if config.constraint != "none":
        raise InputError("name the constraints to compare with --constraints, not with --constraint.")
    tasks = [
        task.with_config(constraint=constraint, seed=seed)
        for constraint in _CONSTRAINTS.value
        for seed in range(config.seed, config.seed + seed_flags.NUM_SEEDS.value)
    ]
    folder = run_flags.run_dir(_default(task))
    again = dataclasses.replace(asked, reuse=True)
    return [
        removal_table.run(each, folder / f"{each.config.constraint}-seed{each.config.seed}", again, gr_table1.NAME)
        for each in tasks
    ]


def _default(task: TripleTask) -> str:
    return f"{task.dataset.name}-{task.config.model}-constraints"


def main() -> None:
    tables, default = table_files.read(), "figures"
    if not tables:
        task = triple_flags.load_task()
        tables, default = _tables(task), _default(task)
    folder = run_flags.run_dir(default)
    print(as_text(figure2.frame(figure2.write(tables, folder, run_flags.OVERWRITE.value))))
    print(f"Written to {folder / figure2.NAME}: {figure2.NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
