"""Train, explain, remove and retrain: what Tables 1 and 2 of Lawrence et al. (2021) have in common."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments import evaluate_flags, explain_flags, jobs_flag, model_flags, run_flags, train_flags
from gr_tf import files
from gr_tf.data.triples import TripleSet
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, ranking_frame, removal_frame
from gr_tf.stages import evaluate, explain, train
from gr_tf.training.config import TrainConfig

_EXPLANATIONS_LISTED = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked beside the training.

    Attributes:
        methods, ks, nh_seed, released_defects, jobs: see stages.evaluate.run.
        num_queries, query_seed, right_if: see stages.explain.run.
        overwrite: drop what the steps had written.
        reuse: return a finished table with the same settings instead of refusing it.
        checkpoint_seconds: see stages.train.run.
    """

    methods: Sequence[str] = evaluate.TABLE_1_METHODS
    ks: Sequence[str] = evaluate.KS
    nh_seed: int = 0
    released_defects: Sequence[str] = ()
    jobs: int
    num_queries: int | None = None
    query_seed: int = 0
    right_if: str = "drawn"
    overwrite: bool = False
    reuse: bool = False
    checkpoint_seconds: float = 30.0

    @classmethod
    def of_flags(cls, dataset: str) -> "Asked":
        """What the flags ask for, on a dataset of this name."""
        return cls(
            methods=evaluate_flags.METHODS_LIST.value,
            ks=evaluate_flags.K_LIST.value,
            nh_seed=evaluate_flags.NH_SEED.value,
            released_defects=evaluate_flags.RELEASED_DEFECTS.value,
            jobs=jobs_flag.JOBS.value,
            num_queries=explain_flags.num_queries(dataset),
            query_seed=explain_flags.QUERY_SEED.value,
            right_if=explain_flags.RIGHT_IF_FLAG.value,
            overwrite=run_flags.OVERWRITE.value,
            checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
        )


def run(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    asked: Asked,
    name: str,
    more: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda evaluated: {},
) -> dict[str, Any]:
    """Does what is missing of the three steps, writes NAME/result.json and NAME/table.txt.

    Args:
        triples: the dataset.
        config: the training.
        run_dir: the run's folder; each step has a subfolder, and the table.
        asked: the rest.
        name: of the table, and of its subfolder.
        more: what the table says beside, from the evaluation's result.

    Returns:
        What result.json holds.
    """
    evaluate.check(config, asked.methods, asked.ks, asked.released_defects)
    again = {"overwrite": asked.overwrite, "reuse": True}
    trained = train.run(triples, config, run_dir, checkpoint_seconds=asked.checkpoint_seconds, **again).result()
    explanation = explain.run(
        run_dir,
        _EXPLANATIONS_LISTED,
        num_queries=asked.num_queries,
        query_seed=asked.query_seed,
        right_if=asked.right_if,
        **again,
    )
    evaluation = evaluate.run(
        run_dir,
        methods=asked.methods,
        ks=asked.ks,
        nh_seed=asked.nh_seed,
        released_defects=asked.released_defects,
        jobs=asked.jobs,
        **again,
    )
    explained, evaluated = explanation.result(), evaluation.result()
    settings = {
        "checksums": dict(triples.checksums),
        "config": config.to_dict(),
        **explanation.settings,
        **evaluation.settings,
    }
    with RunDir.begin(run_dir / name, settings, overwrite=asked.overwrite, reuse=asked.reuse) as stage:
        if stage.is_finished:
            return dict(stage.result())
        result = {
            "settings": settings,
            "dataset": triples.name,
            "model": config.model,
            "num_test": explained["num_test"],
            "num_predictions": explained["num_predictions"],
            "num_queries": evaluated["num_queries"],
            "num_adjacent": explained["num_adjacent"],
            "num_supporting": explained["num_supporting"],
            "epoch": trained["epoch"],
            "lipschitz": trained["history"][trained["epoch"] - 1]["lipschitz"],
            "test_ranking": trained["test_ranking"],
            "table": evaluated["table"],
            **more(evaluated),
            "seconds": {
                "train": trained["seconds"],
                "explain": explained["seconds"],
                "evaluate": evaluated["timing"]["seconds"],
            },
            "retrainings": evaluated["retrainings"],
        }
        files.write_text(stage.path / "table.txt", describe(result, name) + "\n")
        stage.finish(result)
        return dict(stage.result())


def describe(result: Mapping[str, Any], name: str) -> str:
    """The table and the test ranking as text, from result.json."""
    config = result["settings"]["config"]
    title = (
        f"Table {name.removeprefix('table')}, {result['dataset']}, {result['model']}: "
        "remove training triples, retrain from scratch\n"
        f"{result['num_queries']} of {result['num_predictions']} distinct predictions of "
        f"{result['num_test']} test triples, "
        f"seed {config['seed']}, epoch {result['epoch']}{_unusual(result)}\n"
        "PD%: the prediction became less probable. TC%: another tail became the top-1."
    )
    return "\n\n".join([title, as_text(removal_frame(result["table"])), as_text(ranking_frame(result["test_ranking"]))])


def _unusual(result: Mapping[str, Any]) -> str:
    """What a table without further words would not be taken for."""
    settings = result["settings"]
    config = settings["config"]
    usual = train_flags.default_config(result["dataset"])
    words = [
        f"{name} {config[name]}"
        for name in ("loss", "constraint", "optimizer", "learning_rate", "learning_rate_rule")
        if config[name] != getattr(usual, name)
    ]
    words += [f"released defect {name}" for name in settings["released_defects"]]
    if settings.get("right_if", "drawn") != "drawn":
        words.append(f"right if {settings['right_if']}")
    return "".join(f", {word}" for word in words)


def show(result: Mapping[str, Any], folder: pathlib.Path, name: str) -> None:
    """Prints a finished table, and where it is."""
    print(f"\n{describe(result, name)}\n")
    print("Seconds: " + ", ".join(f"{step} {value:.1f}" for step, value in result["seconds"].items()))
    print(f"Written to {folder}: {name}/result.json (a row per retraining), explain/explanations.csv.")
