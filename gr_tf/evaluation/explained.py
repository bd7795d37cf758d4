"""The explaining stage ranks examples for every test prediction, on disk (step 2 of Lawrence et al. 2021)."""

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution import methods
from gr_tf.attribution.base import Explanation, checked_k, in_parts
from gr_tf.data.dataset import fields_of
from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.csv_text import csv_text
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task
from gr_tf.tasks.test_predictions import ExplainedPrediction, balanced_sample
from gr_tf.tasks.trained import Trained

STAGE = "explain"
_RANKINGS = "rankings"
_ARRAYS = ("example_ids", "influences", "without")
# How many queries a method explains at once.
QUERIES_AT_ONCE = 16


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedRun:
    """A finished stage, read back.

    Attributes:
        method: the method that ranked.
        explanations: the method's ranking of all examples that it considers, for each distinct prediction of the test
            examples, or for a sample of them.
        fingerprint: SHA-256 of the rankings.
    """

    method: str
    explanations: list[Explanation[Any]]
    fingerprint: str


def explain_run(
    run_dir: pathlib.Path,
    k: int = 10,
    *,
    method: str | None = None,
    num_queries: int | None = None,
    query_seed: int = 0,
    right_if: str = "drawn",
    overwrite: bool = False,
    reuse: bool = False,
) -> RunDir:
    """Explains distinct test predictions of the training in a run's folder.

    Args:
        run_dir: the run's folder; reads "train", writes "explain".
        k: rows per prediction in explanations.csv; rankings are kept whole beside it.
        method: a key of the registry; default: the kind's.
        num_queries: explain a random sample of this many, balanced between right and wrong
            predictions; None: all.
        query_seed: seed of the sample.
        right_if: see tasks.test_predictions.balanced_sample.
        overwrite: drop explanations that are there.
        reuse: return finished explanations of the same training instead of refusing them.

    Raises:
        InputError: if k is below 1, the method does not serve the training, or a folder cannot be used.
    """
    checked_k(k)
    trained = training.load(run_dir)
    chosen = methods.method_of(trained.task.kind, method).name
    sample: dict[str, Any] = {"num_queries": num_queries}
    if num_queries is not None:
        sample |= {"query_seed": query_seed, "right_if": right_if}
    settings = {"training_fingerprint": trained.fingerprint, "method": chosen, "k": k, **sample}
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            _explain(stage, trained, sample)
    return stage


def load(run_dir: pathlib.Path, trained: Trained) -> ExplainedRun:
    """Reads the finished explanations of a training.

    Raises:
        InputError: if they are absent, unfinished, damaged, or of another training.
    """
    stage = RunDir.finished(run_dir / STAGE, "gr_explain")
    if stage.settings["training_fingerprint"] != trained.fingerprint:
        raise InputError(
            f"{stage.path} explains another training than {run_dir / training.STAGE}: run gr_explain again."
        )
    dataset = trained.task.dataset
    arrays, _ = files.read_arrays(stage.path / _RANKINGS)
    parts = [np.split(arrays[name], arrays["starts"][1:-1]) for name in _ARRAYS]
    explanations = [
        Explanation(dataset.query_class(**row["query"]), ids, influences, row["p"], without, dataset)
        for row, ids, influences, without in zip(stage.result()["predictions"], *parts, strict=True)
    ]
    return ExplainedRun(stage.settings["method"], explanations, files.fingerprint(stage.path / _RANKINGS))


def predictions_to_explain(
    trained: Trained, num_queries: int | None, query_seed: int = 0, right_if: str = "drawn"
) -> tuple[list[ExplainedPrediction], list[ExplainedPrediction]]:
    """The distinct test predictions, and those to explain: all of them, or a sample.

    Args:
        trained: the model.
        num_queries, query_seed, right_if: see `explain_run`.

    Raises:
        InputError: if no test example has a prediction.
    """
    predictions = trained.task.test_predictions(trained.parameters)
    if not predictions:
        raise InputError("no test row has a prediction: there is none, or every answer is known already.")
    if num_queries is None:
        return predictions, predictions
    return predictions, balanced_sample(predictions, num_queries, query_seed, right_if)


def _explain(stage: RunDir, trained: Trained, sample: Mapping[str, Any]) -> None:
    start = time.monotonic()
    task, method = trained.task, stage.settings["method"]
    explainer = methods.explainer(trained, method)
    everything, predictions = predictions_to_explain(trained, **sample)
    explanations: list[Explanation[Any]] = []
    with progress("explaining", len(predictions)) as bar:
        for part in in_parts([prediction.query for prediction in predictions], QUERIES_AT_ONCE):
            for explanation in explainer.rank_many(part):
                explanations.append(explanation)
                bar.advance()
    seconds = time.monotonic() - start
    told = _frame(task, [explanation.first(stage.settings["k"]) for explanation in explanations])
    files.write_text(stage.place("explanations.csv"), csv_text(told))
    starts = {"starts": np.cumsum([0, *(len(explanation.example_ids) for explanation in explanations)])}
    arrays = {name: np.concatenate([getattr(one, name) for one in explanations]) for name in _ARRAYS}
    files.write_arrays(stage.place(_RANKINGS), starts | arrays)
    rows = [
        {
            **task.row_of(prediction.query),
            "p": explanation.prediction,
            "num_adjacent": len(explanation.example_ids),
            "num_supporting": explanation.num_supporting,
            **dataclasses.asdict(prediction),
            "query": fields_of(prediction.query),
        }
        for prediction, explanation in zip(predictions, explanations, strict=True)
    ]
    num_test = len(task.dataset.test)
    stage.finish(
        {
            "method": method,
            "predictions": rows,
            "num_test": num_test,
            "num_predictions": len(everything),
            "num_adjacent": _mean_and_sd([row["num_adjacent"] for row in rows]),
            "num_supporting": _mean_and_sd([row["num_supporting"] for row in rows]),
            "num_without_prediction": num_test - sum(len(prediction.test_lines) for prediction in everything),
            "seconds": seconds,
        }
    )


def _frame(task: Task[Any], shown: Sequence[Explanation[Any]]) -> pd.DataFrame:
    """The explanations with names, one row per example; then the examples' labels, where they differ from the names."""
    parts = []
    for one in shown:
        query = {f"query_{part}": name for part, name in task.row_of(one.query).items()}
        ranks = {"rank": np.arange(1, len(one.example_ids) + 1)}
        parts.append(pd.DataFrame(query | ranks | dict(one.frame.items())))
    whole = pd.concat(parts, ignore_index=True)
    people = pd.concat([task.examples(one.example_ids, one.query) for one in shown], ignore_index=True)
    for column in people:
        if column not in whole:
            whole[column] = people[column]
        elif not people[column].equals(whole[column]):
            whole[f"{column}_label"] = people[column]
    return whole


def _mean_and_sd(values: list[int]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}
