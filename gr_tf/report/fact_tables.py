"""Tables of Kelpie's protocol with controls: what removing, or giving, the facts of explanations does."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.evaluation.paired import NOTHING
from gr_tf.report import published

# The share of predictions that changed as an explanation promises: by experiment, the metric and what it is called.
_MOVED = {"necessary": ("fell", "PD%"), "sufficient": ("rose", "PR%")}
# What a row's training is compared with: its pair by the explained seed, its pairs by others, the explained training.
_NAMES = {NOTHING: "nothing, another seed"}
_VIEWS = {"own": "own seed", "others": "other seeds", "unpaired": "Kelpie's way"}


def heading(result: Mapping[str, Any]) -> str:
    """What was trained and explained, for people."""
    before, seeds = result["before"]["hits_at_1"], len(result["seeds"]) - 1
    ranked = f"{result['num_first']} of {result['num_facts']} facts are ranked first"
    if result["num_known"] < result["num_facts"]:
        ranked += f" ({result['num_facts'] - result['num_known']} are left out)"
    told = f"{result['dataset']}, {result['model']}: {ranked}. "
    if result["experiment"] == "sufficient":
        told += f"{result['num_others']} others are given facts. "
    others = f"{_span(before[1:])} by {seeds} others"
    return f"{told}With nothing changed, Hits@1 is {before[0]:.2f} by the explained seed, {others}."


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each method and size, with 95% intervals over facts; the published figures of Kelpie last."""
    moved, called = _MOVED[result["experiment"]]
    rows = []
    for row in result["rows"]:
        cells = {
            "method": _NAMES.get(row["method"], row["method"]),
            "k": str(row.get("k", "-")),
            "facts": _or_dash(row.get("facts"), "{:.1f}"),
        }
        for view, name in _VIEWS.items():
            told = row.get(view)
            cells[f"{name}: dH@1"] = interval(told and told["hits_at_1"], 2)
            if view != "unpaired":
                cells |= {
                    f"{name}: {called}": interval(told and told[moved], 0, signed=False),
                    f"{name}: dp": interval(told and told["value"], 3),
                }
        cells["Kelpie's way: dMRR"] = interval((row.get("unpaired") or {}).get("mrr"), 2)
        rows.append({**cells, "seconds": _or_dash(row.get("seconds"), "{:.2f}")})
    for name, (facts, hits, mrr) in published.KELPIE.get((result["experiment"], result["public_name"]), {}).items():
        told = {"method": f"{name} (published, ComplEx)", "k": "-", "facts": f"{facts:.1f}"}
        rows.append({**told, "Kelpie's way: dH@1": f"{hits:+.2f}", "Kelpie's way: dMRR": f"{mrr:+.2f}"})
    return pd.DataFrame(rows).fillna("-")


def beyond_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """What methods do beyond the controls, by seeds that were not explained; a row for each method and size."""
    rows = []
    for row in result["rows"]:
        for control, of in row.get("beyond", {}).items():
            told = {"method": row["method"], "k": str(row["k"]), "less": control}
            metrics = {"dH@1": ("hits_at_1", 2), "dMRR": ("mrr", 3), "dp": ("value", 3)}
            rows.append({**told, **{name: interval(of[metric], digits) for name, (metric, digits) in metrics.items()}})
    return pd.DataFrame(rows)


def interval(values: Sequence[float] | None, digits: int, *, signed: bool = True) -> str:
    """A mean with its interval, such as "-0.10 [-0.15, -0.05]"; a dash for None."""
    if values is None:
        return "-"
    form = f"{{:{'+' if signed else ''}.{digits}f}}"
    mean, low, high = (form.format(value) for value in values)
    return f"{mean} [{low}, {high}]"


def _or_dash(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)


def _span(values: Sequence[float]) -> str:
    """One value, or the range of several."""
    low, high = np.min(values), np.max(values)
    return f"{low:.2f}" if len(values) == 1 else f"{low:.2f} to {high:.2f}"
