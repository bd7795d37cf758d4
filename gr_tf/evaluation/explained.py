"""The explaining stage: every test prediction's ranking on disk (step 2 of Lawrence et al. 2021), for every kind."""

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution import methods
from gr_tf.attribution.base import Explanation, checked_k, in_parts
from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task
from gr_tf.tasks.test_predictions import ExplainedPrediction, balanced_sample
from gr_tf.tasks.trained import Trained

STAGE = "explain"
_RANKINGS = "rankings"
# Queries that a method is asked about at once.
QUERIES_AT_ONCE = 16


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedRun:
    """A finished stage, read back.

    Attributes:
        method: that ranked.
        predictions: the distinct predictions of the test examples, or a sample.
        explanations: the method's ranking of all examples that it considers, for each of them.
        fingerprint: SHA-256 of the rankings.
    """

    method: str
    predictions: list[ExplainedPrediction]
    explanations: list[Explanation[Any]]
    fingerprint: str

    @property
    def queries(self) -> list[Any]:
        """Of the predictions."""
        return [prediction.query for prediction in self.predictions]


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
        query_seed: of the sample.
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
            _explain(stage, trained, chosen, k, num_queries, query_seed, right_if)
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
    predictions, explanations = [], []
    for i, row in enumerate(stage.result()["predictions"]):
        query = dataset.query_class(**row["query"])
        predictions.append(
            ExplainedPrediction(query, row["probability"], tuple(row["test_lines"]), tuple(row["correct"]))
        )
        part = slice(arrays["starts"][i], arrays["starts"][i + 1])
        ids, influences, without = (arrays[name][part] for name in ("example_ids", "influences", "without"))
        explanations.append(Explanation(query, ids, influences, row["p"], without, dataset))
    fingerprint = files.fingerprint(stage.path / _RANKINGS)
    return ExplainedRun(stage.settings["method"], predictions, explanations, fingerprint)


def predictions_to_explain(
    trained: Trained, num_queries: int | None, query_seed: int, right_if: str
) -> tuple[list[ExplainedPrediction], list[ExplainedPrediction]]:
    """The distinct test predictions, and those that are asked for: all of them, or a sample.

    Args:
        trained: the model.
        num_queries, query_seed, right_if: see `explain_run`.

    Raises:
        InputError: if there is none.
    """
    predictions = trained.task.test_predictions(trained.parameters)
    if not predictions:
        raise InputError("no test row has a prediction: every answer is known already.")
    if num_queries is None:
        return predictions, predictions
    return predictions, balanced_sample(predictions, num_queries, query_seed, right_if)


def _explain(
    stage: RunDir,
    trained: Trained,
    method: str,
    k: int,
    num_queries: int | None,
    query_seed: int,
    right_if: str,
) -> None:
    start = time.monotonic()
    task = trained.task
    explainer = methods.explainer(trained, method)
    everything, predictions = predictions_to_explain(trained, num_queries, query_seed, right_if)
    explanations: list[Explanation[Any]] = []
    with progress("explaining", len(predictions)) as bar:
        for part in in_parts([prediction.query for prediction in predictions], QUERIES_AT_ONCE):
            for explanation in explainer.rank_many(part):
                explanations.append(explanation)
                bar.advance()
    seconds = time.monotonic() - start
    told = _frame(task, [explanation.first(k) for explanation in explanations])
    files.write_text(stage.path / "explanations.csv", told.to_csv(index=False))
    files.write_arrays(
        stage.path / _RANKINGS,
        {
            "starts": np.cumsum([0, *(len(e.example_ids) for e in explanations)]),
            "example_ids": np.concatenate([e.example_ids for e in explanations]),
            "influences": np.concatenate([e.influences for e in explanations]),
            "without": np.concatenate([e.without for e in explanations]),
        },
    )
    rows = [
        {
            **task.row_of(prediction.query),
            "p": explanation.prediction,
            "num_adjacent": len(explanation.example_ids),
            "num_supporting": explanation.num_supporting,
            **dataclasses.asdict(prediction),
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
    """The explanations by name, a row an example; then what people call the examples, where that is another name."""
    whole = pd.concat([_with_query(task, explanation) for explanation in shown], ignore_index=True)
    people = pd.concat([task.examples(one.example_ids, one.query) for one in shown], ignore_index=True)
    for column in people:
        if column not in whole:
            whole[column] = people[column]
        elif not people[column].equals(whole[column]):
            whole[f"{column}_label"] = people[column]
    return whole


def _with_query(task: Task[Any], explanation: Explanation[Any]) -> pd.DataFrame:
    frame = explanation.frame
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    for place, (part, name) in enumerate(task.row_of(explanation.query).items()):
        frame.insert(place, f"query_{part}", name)
    return frame


def _mean_and_sd(values: list[int]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}
