"""The explaining stage: every test prediction's ranking on disk (the paper's step 2)."""

import dataclasses
import pathlib
import time
from typing import Any

import numpy as np
import pandas as pd

from gr_tf import files
from gr_tf.attribution.queries import ExplainedPrediction, balanced_sample, explained_predictions
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.stages import train
from gr_tf.stages.train import TrainedRun

STAGE = "explain"
_RANKINGS = "rankings"


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedRun:
    """A finished stage, read back.

    Attributes:
        predictions: the distinct filtered top-1 predictions of the test rows.
        explanations: Gradient Rollback's ranking of all adjacent triples, for each of them.
        fingerprint: SHA-256 of the rankings.
    """

    predictions: list[ExplainedPrediction]
    explanations: list[TripleExplanation]
    fingerprint: str


def run(
    run_dir: pathlib.Path,
    k: int,
    *,
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
        num_queries: explain a random sample of this many, balanced between right and wrong
            predictions; None: all.
        query_seed: of the sample.
        right_if: see attribution.queries.balanced_sample.
        overwrite: drop explanations that are there.
        reuse: return finished explanations of the same training instead of refusing them.

    Raises:
        InputError: if k is below 1, or a folder cannot be used.
    """
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}.")
    trained = train.load(run_dir)
    sample: dict[str, Any] = {"num_queries": num_queries}
    if num_queries is not None:
        sample |= {"query_seed": query_seed, "right_if": right_if}
    settings = {"training_fingerprint": trained.fingerprint, "k": k, **sample}
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            _explain(stage, trained, k, num_queries, query_seed, right_if)
    return stage


def load(run_dir: pathlib.Path, trained: TrainedRun) -> ExplainedRun:
    """Reads the finished explanations of a training.

    Raises:
        InputError: if they are absent, unfinished, damaged, or of another training.
    """
    stage = RunDir.finished(run_dir / STAGE, "gr_explain")
    if stage.settings["training_fingerprint"] != trained.fingerprint:
        raise InputError(f"{stage.path} explains another training than {run_dir / train.STAGE}: run gr_explain again.")
    arrays, _ = files.read_arrays(stage.path / _RANKINGS)
    predictions, explanations = [], []
    for i, row in enumerate(stage.result()["predictions"]):
        query = Query(**row["query"])
        predictions.append(
            ExplainedPrediction(query, row["probability"], tuple(row["test_lines"]), tuple(row["correct"]))
        )
        part = slice(arrays["starts"][i], arrays["starts"][i + 1])
        explanations.append(
            TripleExplanation(
                query,
                arrays["example_ids"][part],
                arrays["influences"][part],
                row["p"],
                arrays["rolled_back"][part],
                trained.triples,
            )
        )
    return ExplainedRun(predictions, explanations, files.fingerprint(stage.path / _RANKINGS))


def _explain(
    stage: RunDir, trained: TrainedRun, k: int, num_queries: int | None, query_seed: int, right_if: str
) -> None:
    start = time.monotonic()
    explainer = trained.explainer()
    predictions = explained_predictions(trained.trainer.model, trained.table, trained.triples)
    if not predictions:
        raise InputError("no test row has a prediction: every entity is a known tail of each.")
    asked = sum(len(p.test_lines) for p in predictions)
    num_predictions = len(predictions)
    if num_queries is not None:
        predictions = balanced_sample(predictions, num_queries, query_seed, right_if)
    explanations = []
    with progress("explaining", len(predictions)) as bar:
        for prediction in predictions:
            explanations.append(explainer.rank(prediction.query))
            bar.advance()
    seconds = time.monotonic() - start
    names = trained.triples.names(np.array([dataclasses.astuple(p.query) for p in predictions]))
    frames = []
    for i, explanation in enumerate(explanations):
        shown = explanation.first(k)
        frame = shown.frame
        if trained.triples.labels:
            frame = frame.join(shown.labeled_frame[["head", "relation", "tail"]].add_suffix("_label"))
        frame.insert(0, "rank", np.arange(1, len(frame) + 1))
        for place, column in enumerate(("head", "relation", "tail")):
            frame.insert(place, f"query_{column}", names.iloc[i][column])
        frames.append(frame)
    files.write_text(stage.path / "explanations.csv", pd.concat(frames).to_csv(index=False))
    files.write_arrays(
        stage.path / _RANKINGS,
        {
            "starts": np.cumsum([0, *(len(e.example_ids) for e in explanations)]),
            "example_ids": np.concatenate([e.example_ids for e in explanations]),
            "influences": np.concatenate([e.influences for e in explanations]),
            "rolled_back": np.concatenate([e.rolled_back for e in explanations]),
        },
    )
    rows = [
        {
            **names.iloc[i].to_dict(),
            "p": explanation.probability,
            "num_adjacent": len(explanation.example_ids),
            "num_supporting": explanation.num_supporting,
            **dataclasses.asdict(prediction),
        }
        for i, (prediction, explanation) in enumerate(zip(predictions, explanations, strict=True))
    ]
    stage.finish(
        {
            "predictions": rows,
            "num_test": len(trained.triples.test),
            "num_predictions": num_predictions,
            "num_adjacent": _mean_and_sd([row["num_adjacent"] for row in rows]),
            "num_supporting": _mean_and_sd([row["num_supporting"] for row in rows]),
            "num_without_prediction": len(trained.triples.test) - asked,
            "seconds": seconds,
        }
    )


def _mean_and_sd(values: list[int]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}
