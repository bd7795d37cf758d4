"""Figure 4 of Lawrence et al. (2021): falls of predictions without Gradient Rollback's (GR) or random (NH) examples.

python -m experiments.gr_figure4 --tables=runs/nations-distmult/table1/result.json,...
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from experiments import table_files
from gr_tf.commands import common, run_flags
from gr_tf.errors import InputError
from gr_tf.report import figures
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir

if TYPE_CHECKING:
    from matplotlib.figure import Figure

common.adopt(run_flags, table_files)

NAME = "figure4"


def _boxes(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The boxes of a table, one for each k, with the difference for each prediction."""
    rows = pd.DataFrame(table["retrainings"])
    if not {"GR", "NH"} <= set(rows["method"]):
        raise InputError("Figure 4 compares GR with NH, so it needs tables with both.")
    rows["fall"] = rows["p_before"] - rows["p_after"]
    wide = rows.pivot(index=["k", "prediction"], columns="method", values=["fall", "num_removed"])
    difference = wide["fall"]["GR"] - wide["fall"]["NH"]
    return [
        {
            "dataset": table["dataset"],
            "model": table["model"],
            "k": k,
            "mean_removed": float(wide["num_removed"]["GR"].loc[k].mean()),
            "n": len(difference.loc[k]),
            "median": float(difference.loc[k].median()),
            "quartiles": difference.loc[k].quantile([0.25, 0.75]).tolist(),
            "differences": difference.loc[k].tolist(),
        }
        for k in rows["k"].unique()
    ]


def draw(result: Mapping[str, Any]) -> "Figure":
    """The figure, from result.json."""
    panels: dict[str, list[tuple[str, list[float]]]] = {}
    for box in result["boxes"]:
        below = f"{box['dataset']}\n{box['model']}\n{box['mean_removed']:,.0f} removed\nn = {box['n']}"
        panels.setdefault(f"GR-{box['k']} less NH-{box['k']}", []).append((below, box["differences"]))
    return figures.difference_boxes(list(panels.items()), "fall of p without GR's - without NH's")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The boxes for reading, from result.json."""
    return pd.DataFrame(
        {
            "dataset": box["dataset"],
            "model": box["model"],
            "k": box["k"],
            "removed": f"{box['mean_removed']:.1f}",
            "median": f"{box['median']:+.3f}",
            "quartiles": "{:+.3f} to {:+.3f}".format(*box["quartiles"]),
            "n": box["n"],
        }
        for box in result["boxes"]
    )


def main() -> None:
    tables = table_files.read()
    if not tables:
        raise InputError("name finished tables with --tables, such as runs/nations-distmult/table1/result.json.")
    result = {"boxes": [box for table in tables for box in _boxes(table)]}
    settings = {"made_from": [table["settings"] for table in tables]}
    with RunDir.begin(run_flags.run_dir("figures") / NAME, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        figures.save(draw(result), stage.place(f"{NAME}.png"))
        stage.finish(result)
    print(as_text(frame(result)))
    print(f"Written to {stage.path}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main)
