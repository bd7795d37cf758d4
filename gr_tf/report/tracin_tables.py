"""Table 1 and the removals of Kim, "Recommender System Attribution with TracIn", for reading, from result.json."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gr_tf.evaluation.opponents import WHOLE
from gr_tf.report.figures import OPPOSING, REFERENCE, SUPPORTING, new_figure

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
    paper = result["paper"] if result["settings"]["chosen_on"] == "test" else {"whole": {}}
    rows = []
    for row in result["rows"]:
        is_whole = row["removed"] == WHOLE
        told = {"removed": row["removed"] if is_whole else f"{row['k']} {row['removed']}"}
        told["seeds"] = len(result["trainings"])
        # The page has 500 opponents' figures alone.
        beside = paper["whole"] if is_whole else paper.get(row["removed"], {}) if row["k"] == _PAGES_K else {}
        for metric, name in METRICS.items():
            told[name] = f"{row[metric]['mean']:.4f}"
            told[f"{name}, change"] = "-" if is_whole else _change(row[metric])
            if metric in paper["whole"]:
                told[f"page's {name}"] = str(beside.get(metric, "-"))
        rows.append(told)
    return pd.DataFrame(rows)


def _change(of_metric: Mapping[str, Any]) -> str:
    mean = f"{of_metric['mean_difference']:+.4f}"
    return mean if of_metric["low"] is None else f"{mean} [{of_metric['low']:+.4f}, {of_metric['high']:+.4f}]"


def removal_figure(result: Mapping[str, Any]) -> "Figure":
    """What removing sequences changed: a panel a metric, a dot a seed, lines at the mean and for its 95% interval."""
    rows = [row for row in result["rows"] if row["removed"] != WHOLE]
    figure, panels = new_figure(len(METRICS), width=4.6)
    for axes, (metric, name) in zip(panels, METRICS.items(), strict=True):
        axes.axvline(0, **REFERENCE)
        for place, row in enumerate(rows):
            values, mean, low, high = (row[metric][part] for part in ("differences", "mean_difference", "low", "high"))
            axes.scatter(values, np.full(len(values), -place), s=18, color=SUPPORTING, alpha=0.7, linewidths=0)
            axes.plot([mean, mean], [-place - 0.25, -place + 0.25], color=OPPOSING, linewidth=1.5)
            if low is not None:
                axes.plot([low, high], [-place, -place], color=OPPOSING, linewidth=0.8)
        names = [f"{row['removed']} {row['k']}" for row in rows] if axes is panels[0] else []
        axes.set_yticks(-np.arange(len(rows)), names)
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(f"change of {name}")
    return figure
