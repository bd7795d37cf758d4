"""Figure 4 of Lawrence et al. (2021): how much more a prediction falls without GR's examples than without NH's.

python -m experiments.gr_figure4 --tables=runs/nations-distmult/table1/result.json,...
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from absl import flags

from experiments import common, run_flags
from gr_tf import files
from gr_tf.errors import InputError
from gr_tf.report import figures
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text

flags.adopt_module_key_flags(run_flags)

NAME = "figure4"
_TABLES = flags.DEFINE_list(
    "tables", ["runs/nations-distmult/table1/result.json"], "Finished results of gr_table1, one or several."
)


def run(tables: Sequence[pathlib.Path], run_dir: pathlib.Path, overwrite: bool = False) -> dict[str, Any]:
    """Writes figure4/figure4.png and figure4/result.json.

    Args:
        tables: results of gr_table1.
        run_dir: where the figure's folder goes.
        overwrite: drop a figure that is there.

    Returns:
        What result.json holds.

    Raises:
        InputError: if a file is no result of gr_table1.
    """
    boxes = [box for path in tables for box in _boxes(path)]
    settings = {"tables": {f"{path.parent.name}/{path.name} {i}": files.sha256(path) for i, path in enumerate(tables)}}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        result = {"boxes": boxes}
        figures.save(draw(result), stage.path / f"{NAME}.png")
        stage.finish(result)
    return result


def _boxes(path: pathlib.Path) -> list[dict[str, Any]]:
    """One for each k of a table, with the difference for each prediction."""
    try:
        table = files.read_json(path)
        rows = pd.DataFrame(table["retrainings"])
        rows["fall"] = rows["p_before"] - rows["p_after"]
        wide = rows.pivot(index=["k", "prediction"], columns="method", values=["fall", "num_removed"])
        difference = wide["fall"]["GR"] - wide["fall"]["NH"]
    except (OSError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no result of gr_table1 with GR and NH in it ({error}).") from None
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


def draw(result: Mapping[str, Any]) -> Any:
    """The figure, from result.json."""
    panels = []
    for k in dict.fromkeys(box["k"] for box in result["boxes"]):
        boxes = [
            figures.Box(
                f"{box['dataset']}\n{box['model']}\n{box['mean_removed']:,.0f} removed\nn = {box['n']}",
                box["differences"],
            )
            for box in result["boxes"]
            if box["k"] == k
        ]
        panels.append((f"GR-{k} less NH-{k}", boxes))
    return figures.difference_boxes(panels, "fall of p without GR's - without NH's")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The boxes for reading, from result.json."""
    boxes = result["boxes"]
    return pd.DataFrame(
        {
            "dataset": [box["dataset"] for box in boxes],
            "model": [box["model"] for box in boxes],
            "k": [box["k"] for box in boxes],
            "removed": [f"{box['mean_removed']:.1f}" for box in boxes],
            "median": [f"{box['median']:+.3f}" for box in boxes],
            "quartiles": ["{:+.3f} to {:+.3f}".format(*box["quartiles"]) for box in boxes],
            "n": [box["n"] for box in boxes],
        }
    )


def main() -> None:
    folder = run_flags.run_dir("figures")
    result = run([pathlib.Path(path) for path in _TABLES.value], folder, run_flags.OVERWRITE.value)
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main)
