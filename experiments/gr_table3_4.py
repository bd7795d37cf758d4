"""Tables 3 and 4 of Lawrence et al. (2021): a dataset's statistics, and how well the models rank its test triples.

python -m experiments.gr_table3_4 --num_seeds=5

Both models, unless --model names one.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import seed_flags
from gr_tf.commands import common, config_flags, run_flags, triple_flags
from gr_tf.data.sources import published_name
from gr_tf.data.triples import SPLITS, TripleSet
from gr_tf.report import published
from gr_tf.report.removal_table import ranking_beside_paper
from gr_tf.report.tables import as_text, mean_and_sd
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

for module in (run_flags, seed_flags, triple_flags):
    flags.adopt_module_key_flags(module)

NAME = "table3_4"
_MODELS = ("distmult", "complex")


def _rankings(triples: TripleSet, config: TripleConfig) -> list[dict[str, Any]]:
    """Trains what is missing of the seeds of one model; a row a metric."""
    rows: dict[str, dict[str, Any]] = {}
    for number in range(seed_flags.NUM_SEEDS.value):
        task = TripleTask(triples, config).with_config(seed=config.seed + number)
        trained = training.train(
            task,
            run_flags.run_dir(f"{triples.name}-tables3-4") / f"{config.model}-seed{task.config.seed}",
            overwrite=run_flags.OVERWRITE.value,
            reuse=True,
            checkpoint_seconds=run_flags.CHECKPOINT_SECONDS.value,
        ).result()
        for row in ranking_beside_paper(trained, task):
            new = {"model": config.model, "metric": row["metric"], "per_seed": [], "paper": row["paper"]}
            rows.setdefault(row["metric"], new)["per_seed"].append(row["value"])
    return list(rows.values())


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
    triples = triple_flags.load_dataset()
    named = config_flags.asked(TripleConfig).get("model")
    models = _MODELS if named is None else (named,)
    configs = [triple_flags.config_of_flags(triples.name, model=model) for model in models]
    ranking = [row for config in configs for row in _rankings(triples, config)]
    statistics = {"entities": len(triples.entities), "relations": len(triples.relations)}
    statistics |= {split: len(getattr(triples, split)) for split in SPLITS}
    settings = {
        "checksums": dict(triples.checksums),
        "configs": [config.to_dict() for config in configs],
        "num_seeds": seed_flags.NUM_SEEDS.value,
    }
    folder = run_flags.run_dir(f"{triples.name}-tables3-4") / NAME
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        told = [{"what": what, "value": value} for what, value in statistics.items()]
        stage.finish({"dataset": triples.name, "notes": list(triples.notes), "statistics": told, "ranking": ranking})
    result = stage.result()
    print(as_text(statistics_frame(result)))
    print(as_text(ranking_frame(result)))
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
