"""Tables of methods beside the truth of data at real size."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gr_tf.evaluation.large_rows import ALL, DRAWN, HALVES, NAMED
from gr_tf.report.fact_tables import interval
from gr_tf.report.tables import correlation_interval, mean_and_sd

_TRUTHS = (ALL, NAMED, DRAWN, HALVES)


def of_what(result: Mapping[str, Any]) -> str:
    """The data and the model."""
    settings = result["settings"]
    return f"{result['public_name'] or settings['dataset']}, {settings['config']['model']}"


def truth_line(result: Mapping[str, Any]) -> str:
    """Says what the truth is, and how certain."""
    sizes = result["settings"]["sizes"]
    parts = []
    for name, told in result["ceilings"].items():
        ceiling = "no ceiling" if told["ceiling"] is None else f"{told['ceiling']:.2f}"
        parts.append(f"{name} {told['reliability']:.2f} ({ceiling})")
    named_by = ", ".join(result["named_by"])
    return (
        f"{of_what(result)}: {sizes['queries']} predictions; of each, "
        f"{sizes['first']} examples that {named_by} rank first and {sizes['drawn']} random related ones left out by "
        f"{sizes['seeds']} seeds; {sizes['halves']} halves by {sizes['half_seeds']} seeds. Reliability (ceiling) of "
        f"the truth: {', '.join(parts)}. Mean size of an effect {result['mean_effect']:.2g}, of its mean over seeds "
        f"{result['mean_expected_effect']:.2g}. {quality_line(result)}"
    )


def quality_line(result: Mapping[str, Any]) -> str:
    """How good the explained models are."""
    quality = "; ".join(
        f"{part}: {', '.join(f'{metric} {mean_and_sd(values, 3)}' for metric, values in metrics.items())}"
        for part, metrics in result["quality"].items()
    )
    return f"The explained models, {quality}."


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each method, by one training and by the mean over several: Spearman's correlations with the truths.

    "Beyond" is what the method has more than the default method of as many trainings.
    """
    rows = []
    for row in result["rows"]:
        told: dict[str, Any] = {"method": row["method"], "trainings": row["trainings"] or "-"}
        told |= {name: correlation_interval(row[name]) for name in _TRUTHS if name in row}
        beyond = row.get("beyond", {})
        told |= {
            f"beyond the default: {name}": interval(beyond[name], 2) if name in beyond else "-"
            for name in (NAMED, HALVES)
            if name in row
        }
        rows.append(told)
    return pd.DataFrame(rows)
