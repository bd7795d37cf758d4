"""Shows how Table 1 varies with the initial values: runs gr_table1 for several seeds.

python -m experiments.gr_seeds --num_seeds=20

The negatives are the same for every seed, as in the paper; the random neighbours (NH) differ. Finished seeds are kept.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments import gr_table1, seed_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.report import removal_table
from gr_tf.report.tables import as_text, or_dash
from gr_tf.runs import shards
from gr_tf.runs.run_dir import RunDir

common.adopt(gr_table1, seed_flags)

DEFAULTS = {"num_seeds": 5}


def _spread(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of Table 1 over seeds."""
    spread: dict[str, Any] = {"method": rows[0]["method"], "k": rows[0]["k"], "paper": rows[0]["paper"]}
    for name in ("pd", "tc"):
        values = [row[name] for row in rows]
        spread[name] = {"mean": np.mean(values), "sd": np.std(values, ddof=1), "per_seed": values}
    return spread


def frame(result: dict[str, Any]) -> pd.DataFrame:
    """The spread for reading, from result.json."""
    rows = []
    for row in result["table"]:
        cells = {"method": f"{row['method']}-{row['k']}"}
        for name in ("pd", "tc"):
            mean, sd, values = (row[name][part] for part in ("mean", "sd", "per_seed"))
            spread = f"{mean:.1f} +- {sd:.1f} ({min(values):.0f}-{max(values):.0f})"
            cells[f"{name.upper()}% mean +- sd (range)"] = spread
            cells[f"paper {name.upper()}%"] = or_dash(row["paper"] and row["paper"][name], "{:g}")
        rows.append(cells)
    return pd.DataFrame(rows)


def main() -> None:
    task, num_seeds = triple_flags.load_task(), seed_flags.NUM_SEEDS.value
    if num_seeds < 2:
        raise InputError(f"num_seeds must be at least 2 to show a spread; got {num_seeds}.")
    name, config = task.dataset.name, task.config
    folder, asked = run_flags.run_dir(f"{name}-{config.model}-seeds"), gr_table1.asked(name)
    results, parts = [], shards.Parts()
    for each in seed_flags.tasks(task):
        seed, removals = each.config.seed, asked["removals"]
        of_seed = {**asked, "removals": {**removals, "nh_seed": removals["nh_seed"] + seed}}
        with parts:
            results.append(removal_table.run(each, folder / f"seed{seed}", gr_table1.NAME, **of_seed, reuse=True))
    parts.stop()
    # The settings of every seed, without the fingerprints, which are different for each.
    settings = {name: value for name, value in results[0]["settings"].items() if not name.endswith("_fingerprint")}
    settings["num_seeds"] = num_seeds
    with RunDir.begin(folder / f"first{num_seeds}", settings, overwrite=run_flags.OVERWRITE.value) as stage:
        ranking = pd.DataFrame([{r["metric"]: r["value"] for r in result["test_ranking"]} for result in results])
        stage.finish(
            {
                "dataset": name,
                "model": config.model,
                "table": [_spread(rows) for rows in zip(*(result["table"] for result in results), strict=True)],
                "test_ranking": {
                    "mean": ranking.mean().to_dict(),
                    "sd": ranking.std().to_dict(),
                    "per_seed": ranking.to_dict("list"),
                },
                "epochs": [result["epoch"] for result in results],
            }
        )
    result = stage.result()
    print(f"Table 1, {name}, {config.model}, {num_seeds} seeds from {config.seed}")
    print(as_text(frame(result)))
    mean, sd = result["test_ranking"]["mean"], result["test_ranking"]["sd"]
    print("test ranking: " + ", ".join(f"{metric} {mean[metric]:.2f} +- {sd[metric]:.2f}" for metric in mean))
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
