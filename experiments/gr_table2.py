"""Table 2 of Lawrence et al. (2021): Gradient Rollback beside CRIAGE, on Nations with the sigmoid loss.

python -m experiments.gr_table2
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from experiments import gr_table1
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.evaluation.removal import PAPERS_METHODS
from gr_tf.evaluation.statistics import randomization_test
from gr_tf.report import removal_table
from gr_tf.report.tables import as_text

common.adopt(gr_table1)

NAME = "table2"
DEFAULTS = {"loss": "sigmoid", "methods": list(PAPERS_METHODS), "ks": ["1", "3", "5", "10"]}
# The paper compares every method with NH, and GR and GR-O with CRIAGE; we also compare GR with GR-O.
_PAIRS = (("CRIAGE", "NH"), ("GR-O", "NH"), ("GR", "NH"), ("GR-O", "CRIAGE"), ("GR", "CRIAGE"), ("GR", "GR-O"))


def significance(evaluated: Mapping[str, Any]) -> dict[str, Any]:
    """Does the approximate randomization test of each pair of methods at each size."""
    outcomes = pd.DataFrame(evaluated["retrainings"])
    of_methods = dict(list(outcomes.set_index("prediction").groupby(["method", "k"])))
    rows = []
    for first, second in _PAIRS:
        for k in outcomes["k"].unique():
            if (first, k) in of_methods and (second, k) in of_methods:
                one = of_methods[first, k]
                other = of_methods[second, k].loc[one.index]
                p_values = {
                    f"{name}_p": randomization_test(one[name].tolist(), other[name].tolist()) for name in ("pd", "tc")
                }
                rows.append({"first": first, "second": second, "k": k, **p_values})
    return {"significance": rows}


def significance_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The tests for reading, from result.json."""
    return pd.DataFrame(
        {
            "difference": f"{row['first']} - {row['second']}, k = {row['k']}",
            **{f"{name.upper()} p-value": f"{row[f'{name}_p']:.4f}" for name in ("pd", "tc")},
        }
        for row in result["significance"]
    )


def main() -> None:
    task = triple_flags.load_task()
    if task.config.loss != "sigmoid":
        raise InputError(f"Table 2 is about models trained with the sigmoid loss; got {task.config.loss!r}.")
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-sigmoid")
    result = removal_table.run(task, folder, NAME, **gr_table1.asked(task.dataset.name), more=significance)
    removal_table.show(result, folder, NAME)
    print("Approximate randomization test, two-sided:")
    print(as_text(significance_frame(result)))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
