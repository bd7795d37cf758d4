"""Table 1 of Lawrence et al. (2021): train, explain, remove and retrain, beside the paper.

python -m experiments.gr_table1
"""

import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments import common, evaluate_flags, explain_flags, run_flags, train_flags
from gr_tf import files
from gr_tf.data.triples import TripleSet
from gr_tf.evaluation.roar import parse_ks
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, ranking_frame, table_1_frame
from gr_tf.stages import evaluate, explain, train
from gr_tf.training.config import TrainConfig

for module in (evaluate_flags, explain_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

STAGE = "table1"
_EXPLANATIONS_LISTED = 10


def run(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    *,
    num_queries: int | None,
    query_seed: int,
    ks: Sequence[str],
    nh_seed: int,
    jobs: int,
    overwrite: bool = False,
    reuse: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Does what is missing of the three steps, writes table1/result.json and table1/table.txt.

    Args:
        triples: the dataset.
        config: the training.
        run_dir: the run's folder; each step has a subfolder, and the table.
        num_queries, query_seed: see stages.explain.run.
        ks, nh_seed, jobs: see stages.evaluate.run.
        overwrite: drop what the steps had written.
        reuse: return a finished table with the same settings instead of refusing it.
        checkpoint_seconds: see stages.train.run.

    Returns:
        What result.json holds.
    """
    ks = parse_ks(ks)
    again = {"overwrite": overwrite, "reuse": True}
    trained = train.run(triples, config, run_dir, checkpoint_seconds=checkpoint_seconds, **again).result()
    explained = explain.run(
        run_dir, _EXPLANATIONS_LISTED, num_queries=num_queries, query_seed=query_seed, **again
    ).result()
    evaluation = evaluate.run(run_dir, ks=ks, nh_seed=nh_seed, jobs=jobs, **again)
    evaluated = evaluation.result()
    settings = {"checksums": dict(triples.checksums), "config": config.to_dict(), **evaluation.settings}
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if stage.is_finished:
            return dict(stage.result())
        result = {
            "settings": settings,
            "dataset": triples.name,
            "model": config.model,
            "num_test": explained["num_test"],
            "num_predictions": explained["num_predictions"],
            "num_queries": len(explained["predictions"]),
            "epoch": trained["epoch"],
            "test_ranking": trained["test_ranking"],
            "table": evaluated["table"],
            "seconds": {
                "train": trained["seconds"],
                "explain": explained["seconds"],
                "evaluate": evaluated["timing"]["seconds"],
            },
            "retrainings": evaluated["retrainings"],
        }
        files.write_text(stage.path / "table.txt", describe(result) + "\n")
        stage.finish(result)
    return result


def describe(result: dict[str, Any]) -> str:
    """Table 1 and the test ranking as text, from result.json."""
    config = result["settings"]["config"]
    title = (
        f"Table 1, {result['dataset']}, {result['model']}: remove training triples, retrain from scratch\n"
        f"{result['num_queries']} of {result['num_predictions']} distinct predictions of "
        f"{result['num_test']} test triples, "
        f"seed {config['seed']}, epoch {result['epoch']}\n"
        "PD%: the prediction became less probable. TC%: another tail became the top-1."
    )
    return "\n\n".join([title, as_text(table_1_frame(result["table"])), as_text(ranking_frame(result["test_ranking"]))])


def arguments_of_flags(dataset: str) -> dict[str, Any]:
    """The keyword arguments of `run` that the flags ask for, on a dataset of this name."""
    return {
        "num_queries": explain_flags.num_queries(dataset),
        "query_seed": explain_flags.QUERY_SEED.value,
        "ks": evaluate_flags.K_LIST.value,
        "nh_seed": evaluate_flags.NH_SEED.value,
        "jobs": evaluate_flags.JOBS.value,
        "overwrite": run_flags.OVERWRITE.value,
        "checkpoint_seconds": train_flags.CHECKPOINT_SECONDS.value,
    }


def main() -> None:
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    folder = run_flags.run_dir(f"{triples.name}-{config.model}")
    result = run(
        triples,
        config,
        folder,
        **arguments_of_flags(triples.name),
    )
    print(f"\n{describe(result)}\n")
    seconds = result["seconds"]
    print("Seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))
    print(f"Written to {folder}: table1/result.json (a row per retraining), explain/explanations.csv.")


if __name__ == "__main__":
    common.start(main)
