"""Table 1 of Lawrence et al. (2021): train, explain, remove and retrain, beside the paper.

python -m experiments.gr_table1
"""

import pathlib
from collections.abc import Sequence
from typing import Any

from experiments import common, evaluate_flags, train_flags
from gr_tf import files
from gr_tf.data.triples import TripleSet
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, ranking_frame, table_1_frame
from gr_tf.stages import evaluate, explain, train
from gr_tf.training.config import TrainConfig

_EXPLANATIONS_LISTED = 10


def run(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    *,
    ks: Sequence[str],
    nh_seed: int,
    jobs: int,
    overwrite: bool = False,
    reuse: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Does what is missing of the three steps, writes result.json and table.txt.

    Args:
        triples: the dataset.
        config: the training.
        run_dir: the run's folder.
        ks, nh_seed, jobs: see stages.evaluate.run.
        overwrite: drop everything that is there.
        reuse: return a finished run with the same settings instead of refusing it.
        checkpoint_seconds: see stages.train.run.

    Returns:
        What result.json holds.
    """
    settings = {"config": config.to_dict(), "checksums": dict(triples.checksums), "ks": list(ks), "nh_seed": nh_seed}
    with RunDir.begin(run_dir, settings, overwrite=overwrite, reuse=reuse) as whole:
        if whole.is_finished:
            return dict(whole.result())
        trained = train.run(triples, config, run_dir, reuse=True, checkpoint_seconds=checkpoint_seconds).result()
        explained = explain.run(run_dir, _EXPLANATIONS_LISTED, reuse=True).result()
        evaluated = evaluate.run(run_dir, ks=ks, nh_seed=nh_seed, jobs=jobs, reuse=True).result()
        result = {
            "settings": settings,
            "dataset": triples.name,
            "model": config.model,
            "num_test": explained["num_test"],
            "num_predictions": len(explained["predictions"]),
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
        files.write_text(run_dir / "table.txt", describe(result) + "\n")
        whole.finish(result)
    return result


def describe(result: dict[str, Any]) -> str:
    """Table 1 and the test ranking as text, from result.json."""
    config = result["settings"]["config"]
    title = (
        f"Table 1, {result['dataset']}, {result['model']}: remove training triples, retrain from scratch\n"
        f"{result['num_predictions']} distinct predictions of {result['num_test']} test triples, "
        f"seed {config['seed']}, epoch {result['epoch']}\n"
        "PD%: the prediction became less probable. TC%: another tail became the top-1."
    )
    return "\n\n".join([title, as_text(table_1_frame(result["table"])), as_text(ranking_frame(result["test_ranking"]))])


def main() -> None:
    triples = common.load_dataset()
    config = train_flags.config_of_flags()
    folder = common.run_dir(triples.name, config.model)
    result = run(
        triples,
        config,
        folder,
        ks=evaluate_flags.K_LIST.value,
        nh_seed=evaluate_flags.NH_SEED.value,
        jobs=evaluate_flags.JOBS.value,
        overwrite=common.OVERWRITE.value,
        checkpoint_seconds=train_flags.CHECKPOINT_SECONDS.value,
    )
    print(f"\n{describe(result)}\n")
    seconds = result["seconds"]
    print("Seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))
    print(f"Written to {folder}: table.txt, result.json (a row per retraining), explain/explanations.csv.")


if __name__ == "__main__":
    common.start(main)
