"""The evaluating stage: removing explanations and retraining (the paper's step 3)."""

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf import files
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.data.sources import published_name
from gr_tf.data.triples import TripleSet
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.roar import Outcome, Removal, make_removals, parse_ks, remove_and_retrain, score_outcomes
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import table_1_rows
from gr_tf.stages import explain, train
from gr_tf.stages.explain import ExplainedRun
from gr_tf.stages.train import TrainedRun

STAGE = "evaluate"
METHODS = ("NH", "GR")
KS = ("1", "10", "ALL")


def run(
    run_dir: pathlib.Path,
    *,
    ks: Sequence[str] = KS,
    nh_seed: int = 0,
    jobs: int,
    overwrite: bool = False,
    reuse: bool = False,
) -> RunDir:
    """Retrains without what each method names, or continues where that was killed.

    Args:
        run_dir: the run's folder; reads "train" and "explain", writes "evaluate".
        ks: how many examples to remove: whole numbers, or ALL.
        nh_seed: seed of the random neighbours.
        jobs: retrainings at a time; they change no result.
        overwrite: drop an evaluation that is there.
        reuse: return a finished evaluation with the same settings instead of refusing it.

    Raises:
        InputError: if an argument is out of range, or a folder cannot be used.
    """
    ks = parse_ks(ks)
    trained = train.load(run_dir)
    explained = explain.load(run_dir, trained)
    settings = {"explanations_fingerprint": explained.fingerprint, "ks": list(ks), "nh_seed": nh_seed}
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            removals = _removals(trained, explained, ks, nh_seed)
            _evaluate(stage, trained, explained, removals, jobs)
    return stage


def _evaluate(
    stage: RunDir, trained: TrainedRun, explained: ExplainedRun, removals: Sequence[Removal], jobs: int
) -> None:
    files.write_json(stage.path / "removals.json", [dataclasses.asdict(removal) for removal in removals])
    fields = [field.name for field in dataclasses.fields(Outcome)]
    journal = Journal(stage.path / "retrainings.jsonl", fields)
    start = time.monotonic()
    done = len(journal.records)
    with progress("retraining", len(removals), done) as bar:
        for _ in remove_and_retrain(
            trained.trainer, trained.table, trained.epoch, explained.predictions, removals, journal, jobs
        ):
            bar.advance()
    seconds = time.monotonic() - start
    outcomes = {outcome.key: outcome for outcome in (Outcome(**record) for record in journal.records)}
    journal.close()
    ordered = [outcomes[removal.key] for removal in removals]
    config = trained.trainer.config
    stage.finish(
        {
            "table": table_1_rows(score_outcomes(ordered), published_name(trained.triples), config.model),
            "retrainings": _named_rows(ordered, removals, explained, trained.triples),
            # Of this process only; an earlier one may have done a part.
            "timing": {"seconds": seconds, "retrainings": len(removals) - done, "jobs": jobs},
        }
    )


def _removals(trained: TrainedRun, explained: ExplainedRun, ks: Sequence[str], nh_seed: int) -> list[Removal]:
    """What every method removes, method by method and size by size, as the table has its rows."""
    neighborhood = Neighborhood(trained.trainer.model, trained.table, trained.triples, nh_seed)
    removals = []
    for place, explanation in enumerate(explained.explanations):
        rankings = {"NH": neighborhood.rank(explanation.query), "GR": explanation}
        removals += make_removals(place, explanation.first(None), rankings, ks)
    return sorted(removals, key=lambda removal: (METHODS.index(removal.method), ks.index(removal.k)))


def _named_rows(
    outcomes: Sequence[Outcome], removals: Sequence[Removal], explained: ExplainedRun, triples: TripleSet
) -> list[dict[str, Any]]:
    """One row per retraining, by name; removals.json has the removed example ids."""
    queries = [dataclasses.astuple(prediction.query) for prediction in explained.predictions]
    names = triples.names(np.array(queries))
    rows = []
    for outcome, removal in zip(outcomes, removals, strict=True):
        name = {str(column): value for column, value in names.iloc[outcome.prediction].items()}
        rows.append(
            {
                **name,
                **dataclasses.asdict(outcome),
                "top1_before": triples.entities.names[outcome.top1_before],
                "top1_after": triples.entities.names[outcome.top1_after],
                "first_removed": removal.example_ids[0] if removal.example_ids else None,
                "pd": outcome.probability_drop,
                "tc": outcome.top1_change,
            }
        )
    return rows
