"""The evaluating stage: removing explanations and retraining (the paper's step 3)."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf import files
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.sources import published_name
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.released import evaluated_predictions, parse_defects, retraining_config
from gr_tf.evaluation.roar import Outcome, Removal, make_removals, parse_ks, remove_and_retrain, score_outcomes
from gr_tf.report.progress import progress
from gr_tf.report.published import removal_figures
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import removal_rows
from gr_tf.stages import explain, train
from gr_tf.stages.explain import ExplainedRun
from gr_tf.stages.train import TrainedRun
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer

STAGE = "evaluate"
METHODS = ("NH", "CRIAGE", "GR-O", "GR")
TABLE_1_METHODS = ("NH", "GR")
KS = ("1", "10", "ALL")


def run(
    run_dir: pathlib.Path,
    *,
    methods: Sequence[str] = TABLE_1_METHODS,
    ks: Sequence[str] = KS,
    nh_seed: int = 0,
    released_defects: Sequence[str] = (),
    jobs: int,
    overwrite: bool = False,
    reuse: bool = False,
) -> RunDir:
    """Retrains without what each method names, or continues where that was killed.

    Args:
        run_dir: the run's folder; reads "train" and "explain", writes "evaluate".
        methods: some of METHODS.
        ks: how many examples to remove: whole numbers, or ALL.
        nh_seed: seed of the random neighbours.
        released_defects: some of released.DEFECTS.
        jobs: retrainings at a time; they change no result.
        overwrite: drop an evaluation that is there.
        reuse: return a finished evaluation with the same settings instead of refusing it.

    Raises:
        InputError: if an argument is out of range, or a folder cannot be used.
    """
    trained = train.load(run_dir)
    methods, ks, defects = check(trained.trainer.config, methods, ks, released_defects)
    explained = explain.load(run_dir, trained)
    settings = {
        "explanations_fingerprint": explained.fingerprint,
        "methods": list(methods),
        "ks": list(ks),
        "nh_seed": nh_seed,
        "released_defects": list(defects),
    }
    rankers = _rankers(methods, trained, nh_seed)
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            counts = [explanation.num_supporting for explanation in explained.explanations]
            removals = []
            # Prediction by prediction, so that a part of the work is a smaller sample, not a part of the table.
            for place in evaluated_predictions(counts, defects):
                explanation = explained.explanations[place]
                rankings = {method: rank(explanation) for method, rank in rankers.items()}
                removals += make_removals(place, counts[place], rankings, ks)
            if not removals:
                raise InputError("released_defects leave no prediction to evaluate.")
            retrainer = Trainer(
                trained.triples, retraining_config(trained.trainer.config, defects), trained.trainer.initial_table
            )
            _evaluate(stage, trained, explained, retrainer, removals, jobs)
    return stage


def check(
    config: TrainConfig, methods: Sequence[str], ks: Sequence[str], released_defects: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What `run` would say of its arguments, before a model is trained.

    Args:
        config: of the training to evaluate.
        methods, ks, released_defects: as for `run`.

    Returns:
        The three, parsed.

    Raises:
        InputError: if one is out of range, or does not go with the training.
    """
    for method in methods:
        if method not in METHODS:
            raise InputError(f"methods are {', '.join(METHODS)}; got {method!r}.")
    if not methods:
        raise InputError("want at least one method.")
    if "CRIAGE" in methods and config.loss != "sigmoid":
        raise InputError("CRIAGE explains models that were trained with --loss=sigmoid only.")
    ordered = tuple(method for method in METHODS if method in methods)
    return ordered, parse_ks(ks), parse_defects(released_defects)


def _rankers(
    methods: Sequence[str], trained: TrainedRun, nh_seed: int
) -> dict[str, Callable[[TripleExplanation], TripleExplanation]]:
    """From Gradient Rollback's ranking of a query to each method's."""
    model, table, triples = trained.trainer.model, trained.table, trained.triples
    neighborhood = Neighborhood(model, table, triples, nh_seed)
    rankers: dict[str, Callable[[TripleExplanation], TripleExplanation]] = {
        "NH": lambda ranking: neighborhood.rank(ranking.query),
        "GR-O": lambda ranking: ranking.with_same_tail(),
        "GR": lambda ranking: ranking,
    }
    if "CRIAGE" in methods:
        criage = Criage(model, table, triples)
        rankers["CRIAGE"] = lambda ranking: criage.rank(ranking.query)
    return {method: rankers[method] for method in methods}


def _evaluate(
    stage: RunDir,
    trained: TrainedRun,
    explained: ExplainedRun,
    retrainer: Trainer,
    removals: Sequence[Removal],
    jobs: int,
) -> None:
    # As the table has its rows: method by method, size by size.
    methods, ks = stage.settings["methods"], stage.settings["ks"]
    in_table = sorted(removals, key=lambda removal: (methods.index(removal.method), ks.index(removal.k)))
    files.write_json(stage.path / "removals.json", [dataclasses.asdict(removal) for removal in in_table])
    fields = [field.name for field in dataclasses.fields(Outcome)]
    journal = Journal(stage.path / "retrainings.jsonl", fields)
    start = time.monotonic()
    done = len(journal.records)
    with progress("retraining", len(removals), done) as bar:
        for _ in remove_and_retrain(
            retrainer, trained.table, trained.epoch, explained.predictions, removals, journal, jobs
        ):
            bar.advance()
    seconds = time.monotonic() - start
    outcomes = {outcome.key: outcome for outcome in (Outcome(**record) for record in journal.records)}
    journal.close()
    ordered = [outcomes[removal.key] for removal in in_table]
    config = trained.trainer.config
    paper = removal_figures(published_name(trained.triples.checksums), config.model, config.loss)
    stage.finish(
        {
            "table": removal_rows(score_outcomes(ordered), paper),
            "retrainings": _named_rows(ordered, in_table, explained, trained.triples),
            "num_queries": len({removal.prediction for removal in removals}),
            # Of this process only; an earlier one may have done a part.
            "timing": {"seconds": seconds, "retrainings": len(removals) - done, "jobs": jobs},
        }
    )


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
                "p_predicted": _p_predicted(removal, explained.explanations[removal.prediction]),
                "pd": outcome.probability_drop,
                "tc": outcome.top1_change,
            }
        )
    return rows


def _p_predicted(removal: Removal, ranking: TripleExplanation) -> float | None:
    """Where one example is removed: p after it by Gradient Rollback, from its ranking of all adjacent examples."""
    if len(removal.example_ids) != 1:
        return None
    (place,) = np.flatnonzero(ranking.example_ids == removal.example_ids[0])
    return float(ranking.rolled_back[place])
