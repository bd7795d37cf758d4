"""Times training with tracking, and explaining (Lawrence et al. 2021, Table 5; Cheng et al. 2019, RQ2)."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gr_tf.attribution import methods
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.evaluation.explained import predictions_to_explain
from gr_tf.runs.machine import cpu_name, peak_memory_bytes
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.rollback_store import RollbackStore

Returned = TypeVar("Returned")


def timed(call: Callable[..., Returned], *arguments: Any) -> tuple[float, Returned]:
    """Seconds of a call, and what it returned."""
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values)), "max": max(values)}


def measure(task: Task[Any], method: str, *, beside: Sequence[str] = (), **sample: Any) -> dict[str, Any]:
    """Trains and explains, and says how many seconds this took.

    Args:
        task: what is trained; its steps must tell what each example changed.
        method: the name of the method that explains.
        beside: other methods that then explain the same predictions.
        sample: see explained.predictions_to_explain.
    """
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, task.steps.rows_per_example)
    with progress("training", len(task.steps.blocks(task.length))) as bar:
        seconds, training = timed(lambda: task.train(store=store, on_block=lambda *_: bar.advance()))
    peak = peak_memory_bytes()
    trained = Trained(task, training.parameters, training.epoch, store.to_numpy())
    _, predictions = predictions_to_explain(trained, **sample)
    queries = [prediction.query for prediction in predictions]
    own, *others = (_explaining(trained, name, queries) for name in (method, *beside))
    return {
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count()},
        "training_seconds": seconds,
        "training_peak_bytes": peak,
        "store_bytes": store.to_numpy().nbytes,
        **own,
        "num_queries": len(queries),
        "beside": dict(zip(beside, others, strict=True)),
    }


def _explaining(trained: Trained, method: str, queries: Sequence[Any]) -> dict[str, Any]:
    """Seconds of a method's explanations, and how many examples it ranks."""
    explainer, each = methods.explainer(trained, method), []
    first, _ = timed(explainer.rank, queries[0])
    with progress(f"explaining by {method}", len(queries)) as bar:
        for query in queries:
            each.append(timed(explainer.rank, query))
            bar.advance()
    return {
        "first_explanation_seconds": first,
        "explaining_seconds": _summary([of_one for of_one, _ in each]),
        "num_adjacent": _summary([len(explanation.example_ids) for _, explanation in each]),
    }


def fia_times(trained: Trained, settings: FiaSettings, queries: Sequence[Any], num_single: int) -> dict[str, Any]:
    """Seconds of FIA: for the first prediction with the compilation, for some one at a time, for all in a batch."""
    making, fia = timed(Fia, trained, settings)
    first, _ = timed(fia.rank, queries[0])
    single = [timed(fia.rank, query)[0] for query in queries[:num_single]]
    batch, explained = timed(fia.rank_many, queries)
    return {
        "first": making + first,
        "single": _summary(single),
        "batch": batch,
        "num_points": len(queries),
        "num_scored": sum(len(explanation.example_ids) for explanation in explained),
        "negative_curvature": sum(explanation.systems[0].negative_curvature for explanation in explained),
    }


def ia_times(trained: Trained, settings: FiaSettings, queries: Sequence[Any]) -> dict[str, Any]:
    """Seconds of IA in float32, as in the authors' program; they are spent on Hessian-vector products."""
    penalty = settings.penalty_in_gradient
    ia = InfluenceAnalysis(trained, damping=settings.damping, penalty_in_gradient=penalty)
    first, _ = timed(ia.rank, queries[0])
    each = [timed(ia.rank, query) for query in queries]
    systems = [explanation.systems[0] for _, explanation in each]
    return {
        "first": first,
        "seconds": [seconds for seconds, _ in each],
        **{name: [getattr(system, name) for system in systems] for name in ("iterations", "residual", "converged")},
        "negative_curvature": sum(system.negative_curvature for system in systems),
    }
