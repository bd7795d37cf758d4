"""Trains, explains, removes and retrains for Tables 1 and 2 of Lawrence et al. (2021)."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from gr_tf.data.sources import published_name
from gr_tf.evaluation import removal
from gr_tf.evaluation.explained import explain_run
from gr_tf.report import published
from gr_tf.report.tables import as_text, ranking_frame, removal_frame
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.settings import Settings
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task

_TEXT = "table.txt"


def run(
    task: Task[Any],
    run_dir: pathlib.Path,
    name: str,
    *,
    sample: Mapping[str, Any],
    removals: Mapping[str, Any],
    usual: Settings,
    overwrite: bool = False,
    reuse: bool = False,
    checkpoint_seconds: float = 30.0,
    more: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda evaluated: {},
) -> dict[str, Any]:
    """Does what is missing of the three steps (train, explain, evaluate), and writes NAME/result.json and table.txt.

    Args:
        task: the training, on triples.
        run_dir: the run's folder; each step and the table have a subfolder.
        name: the name of the table, and of its subfolder.
        sample: num_queries, query_seed and right_if, see evaluation.explained.explain_run.
        removals: methods, ks, nh_seed, nh_rule, released_defects and jobs, see evaluation.removal.evaluate.
        usual: settings of a training that the table's heading need not mention.
        overwrite: drop what the steps had written.
        reuse: return a finished table with the same settings instead of refusing it.
        checkpoint_seconds: see tasks.stage.train.
        more: makes further entries of result.json from the evaluation's result.

    Returns:
        What result.json holds.
    """
    removal.check(task, *(removals[argument] for argument in ("methods", "ks", "released_defects")))
    again: dict[str, Any] = {"overwrite": overwrite, "reuse": True}
    trained = training.train(task, run_dir, checkpoint_seconds=checkpoint_seconds, **again).result()
    explanation = explain_run(run_dir, method="gr", **sample, **again)
    evaluation = removal.evaluate(run_dir, **removals, **again)
    explained, evaluated = explanation.result(), evaluation.result()
    triples, config = task.dataset, task.config
    settings = {
        "checksums": dict(triples.checksums),
        "config": config.to_dict(),
        **explanation.settings,
        **evaluation.settings,
    }
    with RunDir.begin(run_dir / name, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            counts = ("num_test", "num_predictions", "num_queries", "num_adjacent", "num_supporting")
            result = {
                "settings": settings,
                "dataset": triples.name,
                "model": config.model,
                **{count: (explained | evaluated)[count] for count in counts},
                "epoch": trained["epoch"],
                "lipschitz": trained["history"][trained["epoch"] - 1]["lipschitz"],
                "test_ranking": ranking_beside_paper(trained, task),
                "table": rows_beside_paper(evaluated, task),
                **more(evaluated),
                "seconds": {
                    "train": trained["timing"]["seconds"],
                    "explain": explained["seconds"],
                    "evaluate": evaluated["timing"]["seconds"],
                },
                "retrainings": evaluated["retrainings"],
            }
            files.write_text(stage.place(_TEXT), describe(result, name, usual) + "\n")
            stage.finish(result)
        return dict(stage.result())


def ranking_beside_paper(trained: Mapping[str, Any], task: Task[Any]) -> list[dict[str, Any]]:
    """The ranking of test triples in percent beside the paper's, from the result of the training's stage."""
    paper, metrics = published.ranking_figures(*_published(task)), trained["quality"]["test"]
    return [{"metric": name, "value": 100 * value, "paper": paper.get(name)} for name, value in metrics.items()]


def rows_beside_paper(evaluated: Mapping[str, Any], task: Task[Any]) -> list[dict[str, Any]]:
    """The table's rows, from the result of the evaluation's stage; "paper": the paper's "pd" and "tc", or None."""
    paper = published.removal_figures(*_published(task))
    found = [paper.get(row["method"], {}).get(row["k"]) for row in evaluated["table"]]
    beside = [figures and dict(zip(("pd", "tc"), figures, strict=True)) for figures in found]
    return [{**row, "paper": figures} for row, figures in zip(evaluated["table"], beside, strict=True)]


def _published(task: Task[Any]) -> tuple[str | None, str, str]:
    """The paper's name of the dataset, the model, the loss."""
    return published_name(task.dataset.checksums), task.config.model, task.config.loss


def describe(result: Mapping[str, Any], name: str, usual: Settings) -> str:
    """The table and the test ranking as text, from result.json; for `usual` see `run`."""
    settings, config = result["settings"], result["settings"]["config"]
    words = [f"seed {config['seed']}", f"epoch {result['epoch']}"]
    # The settings that are not the usual ones are named.
    words += [
        f"{setting} {config[setting]}"
        for setting in ("loss", "constraint", "optimizer", "learning_rate", "learning_rate_rule")
        if config[setting] != getattr(usual, setting)
    ]
    words += [f"released defect {defect}" for defect in settings["released_defects"]]
    if settings.get("nh_rule", "seeded") != "seeded":
        words.append(f"random neighbours as {settings['nh_rule']}")
    if settings.get("right_if", "drawn") != "drawn":
        words.append(f"right if {settings['right_if']}")
    title = (
        f"Table {name.removeprefix('table')}, {result['dataset']}, {result['model']}: "
        "remove training triples, retrain from scratch\n"
        f"{result['num_queries']} of {result['num_predictions']} distinct predictions of "
        f"{result['num_test']} test triples, {', '.join(words)}\n"
        "PD%: the prediction became less probable. TC%: another tail became the top-1."
    )
    return "\n\n".join([title, as_text(removal_frame(result["table"])), as_text(ranking_frame(result["test_ranking"]))])


def show(result: Mapping[str, Any], folder: pathlib.Path, name: str) -> None:
    """Prints a finished table, and says where it is."""
    print(f"\n{(folder / name / _TEXT).read_text(encoding='utf-8')}")
    print("Seconds: " + ", ".join(f"{step} {value:.1f}" for step, value in result["seconds"].items()))
    print(f"Written to {folder}: {name}/result.json (a row per retraining), explain/explanations.csv.")
