"""What each known defect of the authors' released evaluation changes on Table 1.

python -m experiments.gr_defects

Table 1 without a defect, and with each of them in turn; every table has a folder and is found again.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from absl import flags

from experiments import gr_table1, removal_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.evaluation.released import DEFECTS
from gr_tf.report import removal_table
from gr_tf.report.removal_table import Asked
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.triples import TripleTask

flags.adopt_module_key_flags(removal_flags)

NAME = "defects"
# Beside released.DEFECTS, the one that acts on the sample of queries.
MERGED_CORRECT = "merged_correct"
_DEFECTS = flags.DEFINE_list(
    "defects", [*DEFECTS, MERGED_CORRECT], f"Defects to look at: {', '.join([*DEFECTS, MERGED_CORRECT])}."
)


def run(task: TripleTask, run_dir: pathlib.Path, asked: Asked, defects: Sequence[str]) -> dict[str, Any]:
    """Makes what is missing of the tables and writes defects/result.json.

    Args:
        task: the training.
        run_dir: the folder.
        asked: see gr_table1; its own defects stay off.
        defects: some of released.DEFECTS and MERGED_CORRECT.

    Returns:
        What result.json holds.

    Raises:
        InputError: if a defect is unknown.
    """
    if asked.released_defects:
        raise InputError("name the defects to look at with --defects, not with --released_defects.")
    for defect in defects:
        if defect not in (*DEFECTS, MERGED_CORRECT):
            raise InputError(f"defects are {', '.join([*DEFECTS, MERGED_CORRECT])}; got {defect!r}.")
    tables = {}
    for defect in ("none", *defects):
        changed = dataclasses.replace(
            asked,
            released_defects=[defect] if defect in DEFECTS else [],
            right_if="any" if defect == MERGED_CORRECT else asked.right_if,
            reuse=True,
        )
        tables[defect] = removal_table.run(task, run_dir / defect, changed, gr_table1.NAME)
    made_from = {defect: table["settings"] for defect, table in tables.items()}
    with RunDir.begin(run_dir / NAME, {"made_from": made_from}, overwrite=asked.overwrite) as stage:
        stage.finish(
            {
                "dataset": task.dataset.name,
                "model": task.config.model,
                "num_queries": {defect: table["num_queries"] for defect, table in tables.items()},
                "table": {defect: table["table"] for defect, table in tables.items()},
            }
        )
    return dict(stage.result())


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """PD% / TC% by defect for reading, from result.json."""
    columns = {}
    for defect, rows in result["table"].items():
        cells = [f"{row['pd']:.1f} / {row['tc']:.1f}" for row in rows]
        columns[defect] = [*cells, str(result["num_queries"][defect])]
    names = [f"{row['method']}-{row['k']}" for row in result["table"]["none"]]
    return pd.DataFrame({f"{result['dataset']}, PD% / TC%": [*names, "predictions"], **columns})


def main() -> None:
    task = triple_flags.load_task()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-defects")
    print(as_text(frame(run(task, folder, removal_flags.asked(task.dataset), _DEFECTS.value))))
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
