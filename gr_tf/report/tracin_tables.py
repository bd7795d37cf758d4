"""Table 1 and the removals of Kim, "Recommender System Attribution with TracIn", for reading, from result.json."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.evaluation.opponents import WHOLE
from gr_tf.report import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = {"mrr": "MRR", "recall_at_10": "Recall@10", "cross_entropy": "cross-entropy"}
# The page removes so many opponents.
_PAGES_K = 500


def table1_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Our proponents and opponents, and the page's with their places in our order."""
    rows = []
    for row in result["rows"]:
        told = {"movie": row["title"]}
        for what in ("proponents", "opponents"):
            told[what] = "; ".join(item["title"] for item in row[what])
            paper = row["paper"][what] if row["paper"] else ()
            told[f"page's {what} (place)"] = "; ".join(f"{item['title']} ({item['place']})" for item in paper) or "-"
        rows.append(told)
    return pd.DataFrame(rows)


def removal_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """What removing sequences changed; beside the page's figures if they were chosen on the test, as the page's."""
    as_published = result["settings"]["chosen_on"] == "test"
    rows = []
    for row in result["rows"]:
        told = {
            "removed": f"{row['k']} {row['removed']}" if row["k"] else row["removed"],
            "seeds": len(result["trainings"]),
        }
        for metric, name in METRICS.items():
            of_metric = row[metric]
            told[name] = f"{of_metric['mean']:.4f}"
            told[f"{name}, change"] = "-" if row["removed"] == WHOLE else _change(of_metric)
            if as_published and metric in result["paper"]["whole"]:
                told[f"page's {name}"] = _of_page(result["paper"], row, metric)
        rows.append(told)
    return pd.DataFrame(rows)


def _of_page(paper: Mapping[str, Mapping[str, float]], row: Mapping[str, Any], metric: str) -> str:
    """The page's figure; it has 500 opponents' alone."""
    of_row = paper["whole"] if row["removed"] == WHOLE else paper.get(row["removed"]) if row["k"] == _PAGES_K else None
    return "-" if of_row is None else str(of_row[metric])


def _change(of_metric: Mapping[str, Any]) -> str:
    mean = f"{of_metric['mean_difference']:+.4f}"
    return mean if of_metric["low"] is None else f"{mean} [{of_metric['low']:+.4f}, {of_metric['high']:+.4f}]"


def removal_figure(result: Mapping[str, Any]) -> "Figure":
    """What removing sequences changed: a panel for each metric."""
    rows = [row for row in result["rows"] if row["removed"] != WHOLE]
    names = [f"{row['removed']} {row['k']}" for row in rows]
    return figures.removal_effects(
        [(name, names, [row[metric]["differences"] for row in rows]) for metric, name in METRICS.items()]
    )
