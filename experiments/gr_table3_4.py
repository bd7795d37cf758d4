"""Tables 3 and 4 of Lawrence et al. (2021): a dataset's statistics, and how well the models rank its test triples.

python -m experiments.gr_table3_4 --num_seeds=5

It uses both models, unless --model names one.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import seed_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.data.sources import published_name
from gr_tf.data.triples import SPLITS
from gr_tf.report import published
from gr_tf.report.removal_table import ranking_beside_paper
from gr_tf.report.tables import as_text, mean_and_sd, or_dash
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.triples import TripleTask

common.adopt(run_flags, seed_flags, triple_flags)

MODELS = ("distmult", "complex")


def tasks_by_model() -> list[TripleTask]:
    """The tasks that the flags name, with both models, or with the one that --model names."""
    triples, named = triple_flags.load_dataset(), flags.FLAGS["model"].value
    models = (named,) if named else MODELS
    return [TripleTask(triples, triple_flags.config_of_flags(triples.name, model=model)) for model in models]


def _rankings(of_model: TripleTask) -> list[dict[str, Any]]:
    """Trains one model for the seeds that are missing, and returns a row for each metric."""
    rows: dict[str, dict[str, Any]] = {}
    for task in seed_flags.tasks(of_model):
        model = task.config.model
        trained = training.train(
            task,
            run_flags.run_dir(f"{task.dataset.name}-tables3-4") / f"{model}-seed{task.config.seed}",
            overwrite=run_flags.OVERWRITE.value,
            reuse=True,
            checkpoint_seconds=run_flags.CHECKPOINT_SECONDS.value,
        ).result()
        for row in ranking_beside_paper(trained, task):
            new = {"model": model, "metric": row["metric"], "per_seed": [], "paper": row["paper"]}
            rows.setdefault(row["metric"], new)["per_seed"].append(row["value"])
    return list(rows.values())


def statistics_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Table 3 for reading, from result.json."""
    paper = published.TABLE_3.get(published_name(result["settings"]["checksums"]) or "", {})
    return pd.DataFrame(
        {result["dataset"]: row["what"], "ours": f"{row['value']:,}", "paper": paper.get(row["what"], "-")}
        for row in result["statistics"]
    )


def ranking_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Table 4 for reading, from result.json: mean and standard deviation over seeds."""
    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": row["model"],
            "metric": row["metric"],
            "ours": mean_and_sd(row["per_seed"], 2),
            "paper": or_dash(row["paper"], "{:.2f}"),
            "seeds": len(row["per_seed"]),
        }
        for row in result["ranking"]
    )


def main() -> None:
    tasks = tasks_by_model()
    triples = tasks[0].dataset
    ranking = [row for task in tasks for row in _rankings(task)]
    statistics = {"entities": len(triples.entities), "relations": len(triples.relations)}
    statistics |= {split: len(getattr(triples, split)) for split in SPLITS}
    settings = {
        "checksums": dict(triples.checksums),
        "configs": [task.config.to_dict() for task in tasks],
        "num_seeds": seed_flags.NUM_SEEDS.value,
    }
    folder = run_flags.run_dir(f"{triples.name}-tables3-4") / "table3_4"
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        told = [{"what": what, "value": value} for what, value in statistics.items()]
        stage.finish({"dataset": triples.name, "notes": list(triples.notes), "statistics": told, "ranking": ranking})
    print(as_text(statistics_frame(stage.result())))
    print(as_text(ranking_frame(stage.result())))
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
