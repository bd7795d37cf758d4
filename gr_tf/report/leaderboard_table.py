"""The leaderboard for reading, and what it says of one's own influences in a sentence."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gr_tf.evaluation.fidelity import TOP
from gr_tf.report.tables import correlation_interval, or_dash


def leaderboard_frame(board: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each method: corrected correlations by stratum, and what its first examples capture."""
    rows = []
    for row in board["rows"]:
        own = row["method"] == board["yours"] and row["price"] is None
        cells = {
            "": "->" if own else "",
            "method": row["method"],
            "price": or_dash(row["price"]),
            "trainings": or_dash(row["trainings"]),
            **{stratum: correlation_interval(row[stratum]) for stratum in board["ceilings"]},
            **{f"top {k}": or_dash(row.get(f"captured, {k}"), "{:.0%}") for k in TOP},
        }
        rows.append({**cells, "from": row["from"]})
    frame = pd.DataFrame(rows)
    return frame if board["yours"] else frame.drop(columns="")


def about(board: Mapping[str, Any]) -> str:
    """What the rows are compared with, and what the columns say."""
    return (
        f"{board['dataset']}, {board['model']}: the effects of {board['num_examples']:,} training examples on "
        f"{board['num_queries']} predictions, means over {board['seeds']} seeds ({board['atlas']}).\n"
        f"{', '.join(board['ceilings'])}: Spearman's correlation with them, among the examples that share so many "
        "elements with the query (adjacent: any),\n  divided by what an exact method would have, since the effects are "
        "noisy [95% interval over queries].\n"
        f"top {', top '.join(map(str, TOP))}: the effect of a method's first adjacent examples, divided by that of the "
        "best ones that half of the seeds finds.\nprice: in whole trainings."
    )


def verdict(board: Mapping[str, Any]) -> str:
    """What one's own influences have beyond the data's shape."""
    parts = []
    for stratum, (mean, low, high) in board["beyond_shape"].items():
        how = "certainly better" if low > 0 else "certainly worse" if high < 0 else "no certain difference"
        parts.append(f"{stratum} {mean:+.2f} [{low:+.2f}, {high:+.2f}], {how}")
    return f"{board['yours']} less the graph's shape alone, which needs no model: {'; '.join(parts)}."
