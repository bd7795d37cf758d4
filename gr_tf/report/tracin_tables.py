"""Shows Table 1 and the removals of Kim, "Recommender System Attribution with TracIn" (the page), from result.json."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gr_tf.evaluation.opponents import WHOLE
from gr_tf.report.figures import OPPOSING, REFERENCE, SUPPORTING, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = {"mrr": "MRR", "recall_at_10": "Recall@10", "cross_entropy": "cross-entropy"}
# How many opponents the page removes.
_PAGES_K = 500
# How many movies are near the front of an order.
_FRONT = 20


def table1_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Our proponents and opponents, beside the page's with their places in our order, or in that of each seed."""
    rows = []
    for row in result["rows"]:
        told = {"movie": row["title"]}
        for what in ("proponents", "opponents"):
            told[what] = "; ".join(item["title"] for item in row[what])
            paper = row["paper"][what] if row["paper"] else ()
            told[f"page's {what} (place)"] = "; ".join(f"{item['title']} ({_places(item)})" for item in paper) or "-"
        rows.append(told)
    return pd.DataFrame(rows)


def _places(item: Mapping[str, Any]) -> str:
    of_seeds = item.get("places", ())
    return ", ".join(map(str, of_seeds)) if len(of_seeds) > 1 else str(item["place"])


def places_lines(result: Mapping[str, Any]) -> list[str]:
    """Say how many of the page's movies are near the front of our orders, and of the orders of its other movies.

    A movie with many sequences has a large sum of either sign, whatever it is asked about: hence the others.
    """
    lines = []
    for what in ("proponents", "opponents"):
        items = [item for row in result["rows"] if row["paper"] for item in row["paper"][what]]
        own = [item["place"] for item in items if item["place"] is not None]
        others = [place for item in items for place in item["of_other_movies"] if place is not None]
        if own and others:
            lines.append(
                f"Of the page's {what} {np.mean(np.array(own) <= _FRONT):.0%} are among our first {_FRONT} for their "
                f"movie, and {np.mean(np.array(others) <= _FRONT):.0%} for the other movies; median places "
                f"{np.median(own):.0f} and {np.median(others):.0f} of {result['rows'][0]['num_items']:,}."
            )
    return lines


def removal_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """What removing sequences changed; beside the page's numbers if they were chosen on test sequences, as there."""
    paper = result["paper"] if result["settings"]["chosen_on"] == "test" else {"whole": {}}
    rows = []
    for row in result["rows"]:
        is_whole = row["removed"] == WHOLE
        told = {"removed": row["removed"] if is_whole else f"{row['k']} {row['removed']}"}
        told["seeds"] = len(result["trainings"])
        # The page has numbers for 500 opponents only.
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
    """Draws what removing sequences changed: a panel per metric, with a dot per seed, the mean and its 95% interval."""
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
