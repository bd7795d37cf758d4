"""Table 5 of Lawrence et al. (2021): seconds of training and of explaining, on this machine.

python -m experiments.gr_table5

One core; leave the machine alone meanwhile. A time that was interrupted is no time: nothing is resumed.
"""

import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, explain_flags, run_flags, train_flags
from gr_tf.attribution.queries import balanced_sample, explained_predictions
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.sources import published_name
from gr_tf.data.triples import TripleSet
from gr_tf.report import published
from gr_tf.report.machine import cpu_name, peak_memory_bytes
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer

for module in (explain_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "table5"


def run(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    num_queries: int | None,
    query_seed: int,
    right_if: str,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Trains with tracking, explains, and writes the seconds to table5/result.json.

    Args:
        triples: the dataset.
        config: the training.
        run_dir: where the table's folder goes.
        num_queries, query_seed, right_if: see stages.explain.run.
        overwrite: drop times that are there.

    Returns:
        What result.json holds.
    """
    settings = {
        "checksums": dict(triples.checksums),
        "config": config.to_dict(),
        "num_queries": num_queries,
        "query_seed": query_seed,
        "right_if": right_if,
    }
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        trainer = Trainer(triples, config)
        store = RollbackStore(triples.num_examples, trainer.model.width, config.dtype)
        start = time.perf_counter()
        with progress("training", trainer.num_blocks * config.epochs) as bar:
            trained = trainer.run(store=store, on_block=bar.advance)
        training = time.perf_counter() - start
        peak = peak_memory_bytes()

        explainer = GradientRollback(trainer.model, trained.table, store.to_numpy(), triples)
        predictions = explained_predictions(trainer.model, trained.table, triples)
        if num_queries is not None:
            predictions = balanced_sample(predictions, num_queries, query_seed, right_if)
        start = time.perf_counter()
        explainer.rank(predictions[0].query)
        first = time.perf_counter() - start
        seconds, adjacent = [], []
        with progress("explaining", len(predictions)) as bar:
            for prediction in predictions:
                start = time.perf_counter()
                adjacent.append(len(explainer.rank(prediction.query).example_ids))
                seconds.append(time.perf_counter() - start)
                bar.advance()
        paper = published.TABLE_5.get(published_name(triples.checksums) or "") if config.model == "distmult" else None
        result = {
            "dataset": triples.name,
            "model": config.model,
            "machine": {"cpu": cpu_name(), "cores": os.cpu_count()},
            "steps": trainer.steps.name,
            "training_seconds": training,
            "training_peak_bytes": peak,
            "store_bytes": store.to_numpy().nbytes,
            "first_explanation_seconds": first,
            "explaining_seconds": {"mean": float(np.mean(seconds)), "sd": float(np.std(seconds)), "max": max(seconds)},
            "num_adjacent": {"mean": float(np.mean(adjacent)), "sd": float(np.std(adjacent)), "max": max(adjacent)},
            "num_queries": len(predictions),
            "paper_minutes": None
            if paper is None
            else dict(zip(("training", "explaining_mean", "explaining_sd"), paper, strict=True)),
        }
        stage.finish(result)
        return dict(stage.result())


def frame(results: list[Mapping[str, Any]]) -> pd.DataFrame:
    """Table 5 for reading, from several result.json."""

    def paper(result: Mapping[str, Any], text: str) -> str:
        return "-" if result["paper_minutes"] is None else text.format(**result["paper_minutes"])

    return pd.DataFrame(
        {
            "dataset": [result["dataset"] for result in results],
            "model": [result["model"] for result in results],
            "training": [f"{result['training_seconds']:.1f} s" for result in results],
            "paper's training": [paper(result, "{training:g} min") for result in results],
            "explaining a prediction": [
                "{mean:.3f} +- {sd:.3f} s".format(**result["explaining_seconds"]) for result in results
            ],
            "paper's explaining": [paper(result, "{explaining_mean:g} +- {explaining_sd:g} min") for result in results],
            "peak memory": [f"{result['training_peak_bytes'] / 2**30:.2f} GB" for result in results],
            "of it the store": [f"{result['store_bytes'] / 2**30:.2f} GB" for result in results],
            "adjacent triples": ["{mean:,.0f} +- {sd:,.0f}".format(**result["num_adjacent"]) for result in results],
            "n": [result["num_queries"] for result in results],
        }
    )


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}-times")
    result = run(
        triples,
        config,
        folder,
        explain_flags.num_queries(triples.name),
        explain_flags.QUERY_SEED.value,
        explain_flags.RIGHT_IF_FLAG.value,
        run_flags.OVERWRITE.value,
    )
    print(as_text(frame([result])))
    print(f"Compiling made the first explanation take {result['first_explanation_seconds']:.1f} s.")
    print(f"{result['machine']['cpu']}, one core; the paper: GTX 1080 Ti, Nations on a CPU.")
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
