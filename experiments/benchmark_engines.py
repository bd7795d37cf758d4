"""What engines add to the time of retrainings, for experiments.benchmark: workers have started and compiled before."""

import functools
import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

from gr_tf.data.sources import load_triples
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Retraining, available_cores
from gr_tf.runs.pools.chosen import ENGINES, PACKAGES, retraining_on
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import PRESETS, TripleConfig

_NATIONS, _FB = "nations", "fb15k237"
_COUNTS = {_NATIONS: 500, _FB: 8}
# An epoch of each. The paper's recipe takes minutes for an epoch of FB15k-237, batches take seconds.
_CONFIGS = {
    _NATIONS: TripleConfig(**{**PRESETS[_NATIONS], "epochs": 1}),
    _FB: TripleConfig(
        dim=50, num_negatives=100, epochs=1, optimizer="adagrad", batch_size=1024, learning_rate=0.1, reciprocal=True
    ),
}
# Where FB15k-237's files are: fb15k-237/ in this folder; without it they are downloaded.
_DATA = "GR_TF_DATA"


def _task(name: str) -> Task[Any]:
    folder = os.path.join(os.environ[_DATA], "fb15k-237") if name == _FB and _DATA in os.environ else None
    return TripleTask(load_triples(name, folder), _CONFIGS[name])


def _seconds(engine: str, name: str) -> float:
    """Seconds of many retrainings, of an epoch each, on all cores."""
    task, jobs = _task(name), available_cores()
    like: dict[str, Any] = {"length": 1, "seed": task.config.seed, "measure": "value", "queries": (task.query_of(0),)}
    asked = [Retraining(task=task.reference, removed=(i,), **like) for i in range(_COUNTS[name])]
    with retraining_on(engine):
        list(retrain(asked[: 2 * jobs], jobs, known=[task]))
        start = time.perf_counter()
        list(retrain(asked, jobs, known=[task]))
        return time.perf_counter() - start


CASES: dict[str, Callable[[], float]] = {
    f"{engine}_{name}": functools.partial(_seconds, engine, name) for engine in ENGINES for name in _COUNTS
}
# What is compared, of engines that are installed: words, and two cases; a ratio below 1 is what the engine costs.
COMPARED = [
    (f"{count} retrainings of {name}: {engine}, or threads", f"threads_{name}", f"{engine}_{name}")
    for name, count in _COUNTS.items()
    for engine in ENGINES[1:]
    if engine not in PACKAGES or importlib.util.find_spec(PACKAGES[engine]) is not None
]
