"""How Table 1 varies with the initial values: gr_table1 for several seeds, and its spread.

python -m experiments.gr_seeds --num_seeds=20

The negatives are the same for every seed, as in the paper. Finished seeds are found again.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import gr_table1, removal_flags, seed_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.report import removal_table
from gr_tf.report.removal_table import Asked
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.triples import TripleTask

for module in (removal_flags, seed_flags):
    flags.adopt_module_key_flags(module)

DEFAULTS = {"num_seeds": 5}


def run(task: TripleTask, run_dir: pathlib.Path, asked: Asked, num_seeds: int) -> dict[str, Any]:
    """Runs what is missing of the seeds and writes first{num_seeds}/result.json.

    Args:
        task: the training of the first seed.
        run_dir: the folder; each seed has a subfolder.
        asked: NH draws others for each seed.
        num_seeds: how many.

    Returns:
        What result.json holds.
    """
    if num_seeds < 2:
        raise InputError(f"num_seeds must be at least 2 to show a spread; got {num_seeds}.")
    results = [
        removal_table.run(
            task.with_config(seed=seed),
            run_dir / f"seed{seed}",
            dataclasses.replace(asked, nh_seed=asked.nh_seed + seed, reuse=True),
            gr_table1.NAME,
        )
        for seed in range(task.config.seed, task.config.seed + num_seeds)
    ]
    # Every seed's settings but the fingerprints, which are its own.
    settings = {name: value for name, value in results[0]["settings"].items() if not name.endswith("_fingerprint")}
    settings["num_seeds"] = num_seeds
    with RunDir.begin(run_dir / f"first{num_seeds}", settings, overwrite=asked.overwrite) as whole:
        rows = [_spread([result["table"][i] for result in results]) for i in range(len(results[0]["table"]))]
        ranking = pd.DataFrame([{r["metric"]: r["value"] for r in result["test_ranking"]} for result in results])
        whole.finish(
            {
                "dataset": task.dataset.name,
                "model": task.config.model,
                "table": rows,
                "test_ranking": {
                    "mean": ranking.mean().to_dict(),
                    "sd": ranking.std().to_dict(),
                    "per_seed": ranking.to_dict("list"),
                },
                "epochs": [result["epoch"] for result in results],
            }
        )
    result: dict[str, Any] = whole.result()
    return result


def _spread(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of Table 1 over seeds."""
    spread: dict[str, Any] = {"method": rows[0]["method"], "k": rows[0]["k"], "paper": rows[0]["paper"]}
    for name in ("pd", "tc"):
        values = [row[name] for row in rows]
        spread[name] = {"mean": np.mean(values), "sd": np.std(values, ddof=1), "per_seed": values}
    return spread


def frame(result: dict[str, Any]) -> pd.DataFrame:
    """The spread for reading, from result.json."""

    def cells(row: dict[str, Any], name: str) -> dict[str, Any]:
        mean, sd, values = (row[name][part] for part in ("mean", "sd", "per_seed"))
        return {
            f"{name.upper()}% mean +- sd (range)": f"{mean:.1f} +- {sd:.1f} ({min(values):.0f}-{max(values):.0f})",
            f"paper {name.upper()}%": row["paper"][name] if row["paper"] else "-",
        }

    rows = result["table"]
    return pd.DataFrame(
        [{"method": f"{row['method']}-{row['k']}", **cells(row, "pd"), **cells(row, "tc")} for row in rows]
    )


def main() -> None:
    task, num_seeds = triple_flags.load_task(), seed_flags.NUM_SEEDS.value
    name, config = task.dataset.name, task.config
    folder = run_flags.run_dir(f"{name}-{config.model}-seeds")
    result = run(task, folder, removal_flags.asked(task.dataset), num_seeds)
    print(f"Table 1, {name}, {config.model}, {num_seeds} seeds from {config.seed}")
    print(as_text(frame(result)))
    mean, sd = result["test_ranking"]["mean"], result["test_ranking"]["sd"]
    print("test ranking: " + ", ".join(f"{metric} {mean[metric]:.2f} +- {sd[metric]:.2f}" for metric in mean))
    print(f"Written to {folder / f'first{num_seeds}'}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
