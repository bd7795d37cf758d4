"""Shows what each known defect of the authors' released evaluation changes in Table 1.

python -m experiments.gr_defects

It makes Table 1 without a defect, and with each of them in turn; every table has a folder and is found again.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import gr_table1
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.evaluation.released import DEFECTS
from gr_tf.report import removal_table
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir

common.adopt(gr_table1)

NAME = "defects"
# By defect, the arguments of gr_table1 that switch it on; the last one acts on the sample of queries.
_ASKED: dict[str, dict[str, Any]] = {
    **{defect: {"removals": {"released_defects": [defect]}} for defect in DEFECTS},
    "merged_correct": {"sample": {"right_if": "any"}},
}
_DEFECTS = flags.DEFINE_list("defects", list(_ASKED), f"Defects to look at: {', '.join(_ASKED)}.")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Shows PD% / TC% by defect, from result.json."""
    columns = {}
    for defect, rows in result["table"].items():
        cells = [f"{row['pd']:.1f} / {row['tc']:.1f}" for row in rows]
        columns[defect] = [*cells, str(result["num_queries"][defect])]
    names = [f"{row['method']}-{row['k']}" for row in result["table"]["none"]]
    return pd.DataFrame({f"{result['dataset']}, PD% / TC%": [*names, "predictions"], **columns})


def main() -> None:
    task = triple_flags.load_task()
    asked = gr_table1.asked(task.dataset.name)
    if asked["removals"]["released_defects"]:
        raise InputError("name the defects to look at with --defects, not with --released_defects.")
    for defect in _DEFECTS.value:
        if defect not in _ASKED:
            raise InputError(f"defects are {', '.join(_ASKED)}; got {defect!r}.")
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-defects")
    tables = {}
    for defect in ("none", *_DEFECTS.value):
        changes = _ASKED.get(defect, {})
        of_defect = asked | {name: asked[name] | changed for name, changed in changes.items()}
        tables[defect] = removal_table.run(task, folder / defect, gr_table1.NAME, **of_defect, reuse=True)
    made_from = {defect: table["settings"] for defect, table in tables.items()}
    with RunDir.begin(folder / NAME, {"made_from": made_from}, overwrite=run_flags.OVERWRITE.value) as stage:
        stage.finish(
            {
                "dataset": task.dataset.name,
                "model": task.config.model,
                "num_queries": {defect: table["num_queries"] for defect, table in tables.items()},
                "table": {defect: table["table"] for defect, table in tables.items()},
            }
        )
    print(as_text(frame(stage.result())))
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main)
