"""Tables of what happens to predictions without the examples that methods rank first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.evaluation.large_removal import CONTROLS
from gr_tf.report.fact_tables import interval
from gr_tf.report.large_fidelity_tables import of_what, quality_line


def removal_line(result: Mapping[str, Any]) -> str:
    """Says what was removed, and from what."""
    sizes = result["settings"]["sizes"]
    return (
        f"{of_what(result)}: {sizes['queries']} predictions, {sum(result['right'])} of them right, explained by "
        f"{sizes['explained']} trainings; {sizes['removed']} of {result['num_examples']:,} examples removed for each, "
        f"from trainings of {sizes['seeds']} other seeds. With all examples the predictions are "
        f"{min(result['whole']):.3f} to {max(result['whole']):.3f} ({result['unit']}). {quality_line(result)}"
    )


def removal_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each method, with 95% intervals over predictions; of probabilities, changes are factors.

    "supporting" is how many of the removed examples have an influence above 0 by the method, "of the answer's" the
    share of all examples with the same answer that was removed.
    """
    relative = result["unit"] == "probability"
    rows = []
    for row in result["rows"]:
        cells = {
            "method": row["method"],
            "supporting": "-" if row.get("supporting") is None else f"{row['supporting']:.0f}",
            "of the answer's": "-" if row.get("of_answer") is None else f"{row['of_answer']:.0%}",
            "PD%": interval([100 * value for value in row["fell"]], 0, signed=False),
            "the prediction": _change(row["change"], relative),
            "other predictions": _change(row["others"], relative),
        }
        cells |= {
            f"beside {control}": _change(row["beyond"][control], relative) if control in row["beyond"] else "-"
            for control in CONTROLS
        }
        rows.append(cells)
    return pd.DataFrame(rows)


def _change(values: list[float], relative: bool) -> str:
    """A mean change with its interval: a factor, or a difference."""
    if not relative:
        return interval(values, 3)
    mean, low, high = np.exp(values)
    return f"x {mean:.2g} [{low:.2g}, {high:.2g}]"
