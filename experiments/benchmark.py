"""What the design saves: each piece beside the plain way, in one run, as ratios.

python -m experiments.benchmark

Every case runs in a process of its own, one after the other, so that its peak memory is its own.
Compilation is not timed: each case warms up first.
"""

import dataclasses
import json
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags

from experiments import common
from gr_tf import files
from gr_tf.attribution.queries import explained_predictions
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.adjacency import AdjacencyIndex
from gr_tf.data.negatives import draw_candidates
from gr_tf.data.sources import load_triples
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import available_cores, retrain_without
from gr_tf.losses import softmax_loss
from gr_tf.report.run_dir import versions
from gr_tf.report.tables import as_text
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer

_CASE = flags.DEFINE_string("case", None, "Measure one case and print it as JSON (used by the benchmark itself).")
_OUTPUT = flags.DEFINE_string("output", None, "Write the result here as JSON too.")

# Repeated and the fastest kept: other processes can only slow a run down.
_REPEATS = 3
_NUM_QUERIES = 5


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One row of the benchmark.

    Attributes:
        what: what is compared.
        unit: of the measured numbers.
        plain, ours: case names.
        target: the ratio that was aimed for.
    """

    what: str
    unit: str
    plain: str
    ours: str
    target: float


COMPARISONS = (
    Comparison("training with tracking", "us a step", "train_plain", "train_ours", 50),
    Comparison("explaining a query", "ms a query", "explain_plain", "explain_ours", 200),
    Comparison("many retrainings", "s", "retrain_one_core", "retrain_all_cores", 1.7),
)


def _fastest(call: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def train_plain() -> float:
    """Microseconds a step: a tf.function call a step, Keras Adam, tables copied before and after."""
    trainer = Trainer(load_triples(), TrainConfig())
    triples, model = trainer.triples, trainer.model
    n = model.num_entities
    entities = tf.Variable(trainer.initial_table[:n])
    relations = tf.Variable(trainer.initial_table[n:])
    optimizer = keras.optimizers.Adam(trainer.config.learning_rate, epsilon=1e-7)
    optimizer.build([entities, relations])
    influence = np.zeros((triples.num_examples, 3, model.width))

    @tf.function
    def step(head: Any, relation: Any, candidates: Any) -> None:
        with tf.GradientTape() as tape:
            scores = model.score(entities[head], relations[relation], tf.gather(entities, candidates))
            loss = softmax_loss(scores)
        gradients = tape.gradient(loss, [entities, relations])
        optimizer.apply_gradients(zip(map(tf.convert_to_tensor, gradients), [entities, relations], strict=True))

    candidates = tf.constant(draw_candidates(triples.train, 0, n, trainer.config.num_negatives))
    train = tf.constant(triples.train)

    def steps(count: int) -> None:
        for i in range(count):
            head, relation, tail = triples.train[i]
            before = entities.numpy().copy(), relations.numpy().copy()
            step(train[i, 0], train[i, 1], candidates[i])
            after = entities.numpy(), relations.numpy()
            for place, (table, row) in enumerate(((0, head), (1, relation), (0, tail))):
                influence[i, place] += after[table][row] - before[table][row]

    steps(20)
    return 1e6 * _fastest(lambda: steps(500)) / 500


def train_ours() -> float:
    """Microseconds a step of one training with tracking."""
    trainer = Trainer(load_triples(), TrainConfig())
    store = RollbackStore(trainer.triples.num_examples, trainer.model.width, "float64")
    trainer.run(store=store, epochs=1)
    return 1e6 * _fastest(lambda: trainer.run(store=store)) / (trainer.config.epochs * trainer.triples.num_examples)


def _trained() -> tuple[Trainer, np.ndarray, np.ndarray]:
    trainer = Trainer(load_triples(), TrainConfig())
    store = RollbackStore(trainer.triples.num_examples, trainer.model.width, "float64")
    return trainer, trainer.run(store=store).table, store.to_numpy()


def explain_plain() -> float:
    """Milliseconds a query: rolled-back tables assigned one triple at a time, the model asked again."""
    trainer, table, deltas = _trained()
    model, triples = trainer.model, trainer.triples
    index = AdjacencyIndex(triples)
    variable = tf.Variable(table)

    @tf.function
    def probability(head: Any, relation: Any, tail: Any) -> Any:
        return tf.nn.softmax(model.score_all_tails(variable, head[None], relation[None]))[0, tail]

    queries = [p.query for p in explained_predictions(model, table, triples)[:_NUM_QUERIES]]

    def explain_all() -> None:
        for query in queries:
            ids = [tf.constant(i) for i in (query.head, query.relation, query.tail)]
            influences = {}
            before = float(probability(*ids))
            for example_id in index.adjacent(query):
                rolled_back = table.copy()
                np.subtract.at(rolled_back, model.rows_of(triples.train[example_id]), deltas[example_id])
                variable.assign(rolled_back)
                influences[int(example_id)] = before - float(probability(*ids))
            variable.assign(table)
            sorted(influences.items(), key=lambda item: -item[1])

    explain_all()
    return 1e3 * _fastest(explain_all) / len(queries)


def explain_ours() -> float:
    """Milliseconds a query, all adjacent triples in one batch, ranked."""
    trainer, table, deltas = _trained()
    explainer = GradientRollback(trainer.model, table, deltas, trainer.triples)
    queries = [p.query for p in explained_predictions(trainer.model, table, trainer.triples)[:_NUM_QUERIES]]

    def explain_all() -> None:
        for query in queries:
            explainer.rank(query)

    explain_all()
    return 1e3 * _fastest(explain_all) / len(queries)


def _retrain(jobs: int) -> float:
    trainer = Trainer(load_triples(), TrainConfig())
    trainer.run(epochs=1)
    removals = [np.array([i]) for i in range(60)]
    return _fastest(lambda: list(retrain_without(trainer, 10, removals, lambda place, table: place, jobs)))


CASES: dict[str, Callable[[], float]] = {
    "train_plain": train_plain,
    "train_ours": train_ours,
    "explain_plain": explain_plain,
    "explain_ours": explain_ours,
    "retrain_one_core": lambda: _retrain(1),
    "retrain_all_cores": lambda: _retrain(available_cores()),
}


def measure(case: str) -> dict[str, float]:
    """Runs a case in a process of its own.

    Returns:
        "value", and "peak_mb", the process's peak resident memory.
    """
    command = [sys.executable, "-m", "experiments.benchmark", f"--case={case}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"case {case} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    if _CASE.value is not None:
        if _CASE.value not in CASES:
            raise InputError(f"case must be one of {', '.join(CASES)}; got {_CASE.value!r}.")
        value = CASES[_CASE.value]()
        # ru_maxrss is in kilobytes on Linux, in bytes on macOS.
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        print(json.dumps({"value": value, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}))
        return
    rows = []
    for comparison in COMPARISONS:
        plain, ours = measure(comparison.plain), measure(comparison.ours)
        rows.append(
            {
                "what": comparison.what,
                "unit": comparison.unit,
                "plain": plain["value"],
                "ours": ours["value"],
                "times faster": plain["value"] / ours["value"],
                "aimed for": comparison.target,
                "plain peak MB": plain["peak_mb"],
                "ours peak MB": ours["peak_mb"],
            }
        )
        print(f"{comparison.what}: {rows[-1]['times faster']:.1f} times faster", file=sys.stderr)
    print(as_text(pd.DataFrame(rows).round(2)))
    if _OUTPUT.value is not None:
        files.write_json(pathlib.Path(_OUTPUT.value), {"versions": versions(), "rows": rows})


if __name__ == "__main__":
    common.start(main)
