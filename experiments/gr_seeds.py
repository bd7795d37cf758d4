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

from experiments import common, evaluate_flags, explain_flags, gr_table1, run_flags, seed_flags, train_flags
from experiments.removal_table import Asked
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.training.config import TrainConfig

for module in (evaluate_flags, explain_flags, run_flags, seed_flags, train_flags):
    flags.adopt_module_key_flags(module)


DEFAULTS = {"num_seeds": 5}


def run(triples: TripleSet, config: TrainConfig, run_dir: pathlib.Path, asked: Asked, num_seeds: int) -> dict[str, Any]:
    """Runs what is missing of the seeds and writes first{num_seeds}/result.json.

    Args:
        triples: the dataset.
        config: the training of the first seed.
        run_dir: the folder; each seed has a subfolder.
        asked: see gr_table1; NH draws others for each seed.
        num_seeds: how many.

    Returns:
        What result.json holds.
    """
    if num_seeds < 2:
        raise InputError(f"num_seeds must be at least 2 to show a spread; got {num_seeds}.")
    results = [
        gr_table1.run(
            triples,
            dataclasses.replace(config, seed=seed),
            run_dir / f"seed{seed}",
            dataclasses.replace(asked, nh_seed=asked.nh_seed + seed, reuse=True),
        )
        for seed in range(config.seed, config.seed + num_seeds)
    ]
    # Every seed's settings but the fingerprints, which are its own.
    settings = {name: value for name, value in results[0]["settings"].items() if not name.endswith("_fingerprint")}
    settings["num_seeds"] = num_seeds
    with RunDir.begin(run_dir / f"first{num_seeds}", settings, overwrite=asked.overwrite) as whole:
        rows = [_spread([result["table"][i] for result in results]) for i in range(len(results[0]["table"]))]
        ranking = pd.DataFrame([{r["metric"]: r["value"] for r in result["test_ranking"]} for result in results])
        whole.finish(
            {
                "dataset": triples.name,
                "model": config.model,
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

    def cell(row: dict[str, Any], name: str) -> str:
        values = row[name]["per_seed"]
        return f"{row[name]['mean']:.1f} +- {row[name]['sd']:.1f} ({min(values):.0f}-{max(values):.0f})"

    rows = result["table"]
    return pd.DataFrame(
        {
            "method": [f"{row['method']}-{row['k']}" for row in rows],
            "PD% mean +- sd (range)": [cell(row, "pd") for row in rows],
            "paper PD%": [row["paper"]["pd"] if row["paper"] else "-" for row in rows],
            "TC% mean +- sd (range)": [cell(row, "tc") for row in rows],
            "paper TC%": [row["paper"]["tc"] if row["paper"] else "-" for row in rows],
        }
    )


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}-seeds")
    result = run(triples, config, folder, Asked.of_flags(triples.name), seed_flags.NUM_SEEDS.value)
    print(f"Table 1, {triples.name}, {config.model}, {seed_flags.NUM_SEEDS.value} seeds from {config.seed}")
    print(as_text(frame(result)))
    mean, sd = result["test_ranking"]["mean"], result["test_ranking"]["sd"]
    print("test ranking: " + ", ".join(f"{name} {mean[name]:.2f} +- {sd[name]:.2f}" for name in mean))
    print(f"Written to {folder / f'first{seed_flags.NUM_SEEDS.value}'}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
