"""Makes tables for reading from results, as text and as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation
from gr_tf.tasks.task import Task


def or_dash(value: Any, form: str = "{}") -> str:
    """A paper's value, formatted by str.format; a dash if the paper has none."""
    return "-" if value is None else form.format(value)


def removal_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Table 1 or 2 for reading, from the rows of result.json; columns without any value are left out."""
    return pd.DataFrame(map(removal_cells, rows))


def removal_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of removal_frame."""
    cells = {"method": f"{row['method']}-{row['k']}", "removed": f"{row['mean_removed']:.1f}"}
    for name in ("pd", "tc"):
        if row[name] is not None:
            low, high = row[f"{name}_interval"]
            cells[f"{name.upper()}% [95%]"] = f"{row[name]:.1f} [{low:.0f}, {high:.0f}]"
            if "paper" in row:
                cells[f"paper {name.upper()}%"] = or_dash((row["paper"] or {}).get(name))
    return {**cells, "n": row["n"]}


def ranking_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Test ranking for reading, from the rows of result.json."""
    return pd.DataFrame(
        {"test ranking": row["metric"], "ours": f"{row['value']:.2f}", "paper": or_dash(row["paper"], "{:.2f}")}
        for row in rows
    )


def mean_and_sd(values: Sequence[float], decimals: int) -> str:
    """The mean, and the standard deviation if there are several."""
    mean = f"{np.mean(values):.{decimals}f}"
    return mean if len(values) == 1 else f"{mean} +- {np.std(values, ddof=1):.{decimals}f}"


def with_labels(task: Task[Any], explanation: Explanation[Any]) -> pd.DataFrame:
    """An explanation as a table, with labels for people instead of names."""
    frame, people = explanation.frame, task.examples(explanation.example_ids, explanation.query)
    return frame.assign(**{str(column): people[column] for column in people if column in frame})


def as_text(frame: pd.DataFrame) -> str:
    """A table for the terminal."""
    return frame.to_string(index=False)


def as_markdown(frame: pd.DataFrame) -> str:
    """A table for the README."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in frame.values.tolist()]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def correlation_interval(values: Sequence[float | None] | None) -> str:
    """A mean with its 95% interval, if it has one; "noise" is added if the interval contains 0."""
    if values is None:
        return "ranks nothing"
    mean, low, high = values
    if low is None or high is None:
        return f"{mean:.2f}"
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]" + (" noise" if low <= 0 <= high else "")


def corrected_correlation(values: Sequence[float], ceiling: float | None) -> str:
    """A mean correlation as a share of the ceiling."""
    mean, low, high = values
    if ceiling is None:
        return "no ceiling"
    return "noise" if low <= 0 <= high else f"{mean / ceiling:.2f}"
