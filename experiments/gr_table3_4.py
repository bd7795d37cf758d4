"""Tables 3 and 4 of Lawrence et al. (2021): a dataset's statistics, and how well the models rank its test triples.

python -m experiments.gr_table3_4 --num_seeds=5

Both models, unless --model names one.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from absl import flags

from experiments import common, model_flags, run_flags, seed_flags, train_flags
from gr_tf.data.sources import published_name
from gr_tf.data.triples import SPLITS, TripleSet
from gr_tf.report import published
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, mean_and_sd
from gr_tf.stages import train
from gr_tf.training.config import MODELS, TrainConfig

for module in (model_flags, run_flags, seed_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "table3_4"


def run(
    triples: TripleSet,
    configs: Sequence[TrainConfig],
    run_dir: pathlib.Path,
    num_seeds: int,
    *,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Trains what is missing and writes table3_4/result.json.

    Args:
        triples: the dataset.
        configs: one for each model, with its first seed.
        run_dir: the folder; each training has a subfolder.
        num_seeds: trainings of each model.
        overwrite: drop what was written.
        checkpoint_seconds: see stages.train.run.

    Returns:
        What result.json holds.
    """
    settings = {
        "checksums": dict(triples.checksums),
        "configs": [config.to_dict() for config in configs],
        "num_seeds": num_seeds,
    }
    name = published_name(triples.checksums)
    rows = []
    for config in configs:
        rankings = []
        for seed in range(config.seed, config.seed + num_seeds):
            trained = train.run(
                triples,
                dataclasses.replace(config, seed=seed),
                run_dir / f"{config.model}-seed{seed}",
                overwrite=overwrite,
                reuse=True,
                checkpoint_seconds=checkpoint_seconds,
            ).result()
            rankings.append({row["metric"]: row["value"] for row in trained["test_ranking"]})
        paper = published.ranking_figures(name, config.model, config.loss)
        for metric in rankings[0]:
            values = [ranking[metric] for ranking in rankings]
            rows.append({"model": config.model, "metric": metric, "per_seed": values, "paper": paper.get(metric)})
    statistics = {"entities": len(triples.entities), "relations": len(triples.relations)}
    statistics |= {split: len(getattr(triples, split)) for split in SPLITS}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        result = {
            "dataset": triples.name,
            "notes": list(triples.notes),
            "statistics": [{"what": what, "value": value} for what, value in statistics.items()],
            "ranking": rows,
        }
        stage.finish(result)
        return dict(stage.result())


def statistics_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Table 3 for reading, from result.json."""
    rows = result["statistics"]
    paper = published.TABLE_3.get(published_name(result["settings"]["checksums"]) or "", {})
    return pd.DataFrame(
        {
            result["dataset"]: [row["what"] for row in rows],
            "ours": [f"{row['value']:,}" for row in rows],
            "paper": [paper.get(row["what"], "-") for row in rows],
        }
    )


def ranking_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Table 4 for reading, from result.json: mean and standard deviation over seeds."""
    rows = result["ranking"]
    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": [row["model"] for row in rows],
            "metric": [row["metric"] for row in rows],
            "ours": [mean_and_sd(row["per_seed"], 2) for row in rows],
            "paper": ["-" if row["paper"] is None else f"{row['paper']:.2f}" for row in rows],
            "seeds": [len(row["per_seed"]) for row in rows],
        }
    )


def main() -> None:
    triples = train_flags.load_dataset()
    folder = run_flags.run_dir(f"{triples.name}-tables3-4")
    models = [model_flags.MODEL.value] if model_flags.MODEL.value else list(MODELS)
    configs = [train_flags.config_of_flags(triples.name, model=model) for model in models]
    result = run(
        triples,
        configs,
        folder,
        seed_flags.NUM_SEEDS.value,
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    print(as_text(statistics_frame(result)))
    print(as_text(ranking_frame(result)))
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
