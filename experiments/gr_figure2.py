"""Figure 2 of Lawrence et al. (2021): what rolling back predicts, against what retraining gives.

python -m experiments.gr_figure2 --num_seeds=5                                 # Nations, constraint by constraint
python -m experiments.gr_figure2 --tables=runs/fb15k237-distmult/table1/result.json,...  # finished tables

For each retraining of GR-1 (without Gradient Rollback's first triple) it shows the probability that Gradient Rollback
predicts after the removal, and the one after retraining.
"""

import pathlib
from typing import Any

from absl import flags

from experiments import gr_table1, seed_flags, table_files
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.report import figure2, figures, removal_table
from gr_tf.report.tables import as_text
from gr_tf.runs import shards
from gr_tf.runs.run_dir import RunDir
from gr_tf.training.constraints import CONSTRAINTS

common.adopt(gr_table1, seed_flags, table_files)

NAME = "figure2"
DEFAULTS = {"methods": ["GR"], "ks": ["1"]}
_CONSTRAINTS = flags.DEFINE_list(
    "constraints",
    list(CONSTRAINTS),
    f"Constraints to compare: {', '.join(CONSTRAINTS)}. All except none need dense steps.",
)


def _tables() -> tuple[list[dict[str, Any]], pathlib.Path]:
    """Makes the tables that are missing, each in its folder: every constraint with every seed."""
    task = triple_flags.load_task()
    asked = gr_table1.asked(task.dataset.name)
    if "GR" not in asked["removals"]["methods"] or "1" not in asked["removals"]["ks"]:
        raise InputError("Figure 2 is about GR-1, so it needs GR in --methods and 1 in --ks.")
    if asked["sample"]["num_queries"] == 1:
        raise InputError("Figure 2 shows a correlation, so it needs a --num_queries of 2 or more.")
    if task.config.constraint != "none":
        raise InputError("name the constraints to compare with --constraints, not with --constraint.")
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-constraints")
    places = {
        folder / f"{constraint}-seed{each.config.seed}": each.with_config(constraint=constraint)
        for constraint in _CONSTRAINTS.value
        for each in seed_flags.tasks(task)
    }
    tables, parts = [], shards.Parts()
    for place, each in places.items():
        with parts:
            tables.append(removal_table.run(each, place, gr_table1.NAME, **asked, reuse=True))
    parts.stop()
    return tables, folder


def main() -> None:
    tables, folder = table_files.read(), run_flags.run_dir("figures")
    if not tables:
        tables, folder = _tables()
    result, settings = {"panels": figure2.panels(tables)}, {"made_from": [table["settings"] for table in tables]}
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        figures.save(figure2.draw(result), stage.place(f"{NAME}.png"))
        stage.finish(result)
    print(as_text(figure2.frame(result)))
    print(f"Written to {stage.path}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
