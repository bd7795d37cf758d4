"""How long training with tracking and explaining take (Table 5 of Lawrence et al. 2021)."""

import os
import time
from typing import Any

import numpy as np

from gr_tf.attribution import methods
from gr_tf.evaluation.explained import predictions_to_explain
from gr_tf.runs.machine import cpu_name, peak_memory_bytes
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.rollback_store import RollbackStore


def measure(task: Task[Any], method: str, *, num_queries: int | None, query_seed: int, right_if: str) -> dict[str, Any]:
    """Trains and explains, and says how many seconds it took.

    Args:
        task: what is trained; its steps must tell what each example changed.
        method: that explains, by registry name.
        num_queries, query_seed, right_if: see explained.explain_run.
    """
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, task.steps.rows_per_example)
    start = time.perf_counter()
    with progress("training", len(task.steps.blocks(task.length))) as bar:
        training = task.train(store=store, on_block=lambda *_: bar.advance())
    seconds = time.perf_counter() - start
    peak = peak_memory_bytes()
    trained = Trained(task, training.parameters, training.epoch, store.to_numpy())
    explainer = methods.explainer(trained, method)
    _, predictions = predictions_to_explain(trained, num_queries, query_seed, right_if)
    start = time.perf_counter()
    explainer.rank(predictions[0].query)
    first = time.perf_counter() - start
    each, considered = [], []
    with progress("explaining", len(predictions)) as bar:
        for prediction in predictions:
            start = time.perf_counter()
            considered.append(len(explainer.rank(prediction.query).example_ids))
            each.append(time.perf_counter() - start)
            bar.advance()
    return {
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count()},
        "training_seconds": seconds,
        "training_peak_bytes": peak,
        "store_bytes": store.to_numpy().nbytes,
        "first_explanation_seconds": first,
        "explaining_seconds": {"mean": float(np.mean(each)), "sd": float(np.std(each)), "max": max(each)},
        "num_adjacent": {"mean": float(np.mean(considered)), "sd": float(np.std(considered)), "max": max(considered)},
        "num_queries": len(predictions),
    }
