"""What the design saves: each piece beside the plain way, in one run, as ratios.

python -m experiments.benchmark

Every case runs in a process of its own, one after the other, so that its peak memory is its own.
Compilation is not timed: each case warms up first.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from absl import flags

from experiments import common, plain, stacked
from experiments.rating_cases import RATING_CASES
from experiments.sequence_cases import SEQUENCE_CASES
from experiments.timing import fastest
from gr_tf import files
from gr_tf.attribution.queries import explained_predictions
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.negatives import BLOCK_SIZE
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import Query, TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import available_cores, retrain_without
from gr_tf.report.machine import peak_memory_bytes
from gr_tf.report.run_dir import versions
from gr_tf.report.tables import as_text
from gr_tf.training import block
from gr_tf.training.config import PRESETS, TrainConfig
from gr_tf.training.trainer import Trainer

_CASE = flags.DEFINE_string("case", None, "Measure one case and print it as JSON (used by the benchmark itself).")
_OUTPUT = flags.DEFINE_string("result_file", None, "Write the result here as JSON too.")

_NUM_QUERIES = 5
# Training triples, entities, relations.
_SHAPES = {"fb15k237": (272_115, 14_505, 237), "movielens": (90_570, 948, 1_680)}
# Adjacent triples of an FB15k-237 query, Lawrence et al. (2021), "Sizes".
_FREQUENT = 5_500


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One row of the benchmark.

    Attributes:
        what: what is compared.
        unit: of the measured numbers.
        plain, ours: case names.
        target: the ratio that was aimed for; None: none was.
    """

    what: str
    unit: str
    plain: str
    ours: str
    target: float | None = None


# A target below 1 says by how much ours may be slower.
_TRACKING = 1 / 1.15
COMPARISONS = (
    Comparison("training with tracking", "us a step", "train_plain", "train_ours", 50),
    Comparison("explaining a query", "ms a query", "explain_plain", "explain_ours", 200),
    Comparison("many retrainings", "s", "retrain_one_core", "retrain_all_cores", 1.7),
    Comparison("tracking, or not", "us a step", "train_untracked", "train_ours", _TRACKING),
    Comparison("4 models in one graph, or 1", "us a step and model", "dense_stacked_1", "dense_stacked_4", 1),
    Comparison("FB15k-237's shape: training with tracking", "us a step", "fb_plain", "fb_rows", 66),
    Comparison("FB15k-237's shape: row Adam for dense Adam", "us a step", "fb_dense", "fb_rows", 5.8),
    Comparison("FB15k-237's shape: tracking, or not", "us a step", "fb_untracked", "fb_rows", _TRACKING),
    Comparison(
        "FB15k-237's shape: 2 models in one graph, or 1", "us a step and model", "fb_stacked_1", "fb_stacked_2", 1
    ),
    Comparison(
        "FB15k-237's shape: 8 models in one graph, or 1", "us a step and model", "fb_stacked_1", "fb_stacked_8", 1
    ),
    Comparison("FB15k-237's shape: explaining a query", "s a query", "fb_explain_plain", "fb_explain_ours", 200),
    Comparison("MovieLens' shape: explaining a query", "s a query", "ml_explain_plain", "ml_explain_ours", 200),
    Comparison("MF training", "us a step", "mf_train_plain", "mf_train_ours"),
    Comparison("NCF training", "us a step", "ncf_train_plain", "ncf_train_ours"),
    Comparison("MF at batch size 1: training (ours tracks)", "us a step", "mf_single_plain", "mf_single_tracked"),
    Comparison("MF at batch size 1: tracking, or not", "us a step", "mf_single_untracked", "mf_single_tracked"),
    Comparison("NCF at batch size 1: training (ours tracks)", "us a step", "ncf_single_plain", "ncf_single_tracked"),
    Comparison("FIA of MF: the explicit block for Newton-CG", "ms a point", "mf_fia_newton", "mf_fia_direct"),
    Comparison("FIA of NCF: the explicit block for Newton-CG", "ms a point", "ncf_fia_newton", "ncf_fia_direct"),
    Comparison("FIA of MF: in a batch", "ms a point", "mf_fia_direct", "mf_fia_batch"),
    Comparison("FIA of NCF: in a batch", "ms a point", "ncf_fia_direct", "ncf_fia_batch"),
    Comparison("TracIn of an LSTM: forward mode", "us a sequence", "tracin_explicit", "tracin_forward_mode"),
    Comparison(
        "TracIn of an LSTM: scores, or losses only", "us a sequence", "tracin_loss", "tracin_forward_mode", 1 / 4
    ),
    Comparison("MF: many retrainings", "s", "mf_retrain_one_core", "mf_retrain_all_cores", 1.7),
)


def _nations() -> Trainer:
    return Trainer(load_triples(), TrainConfig())


def _random_triples(shape: str) -> TripleSet:
    """As many triples, entities and relations as a dataset, so that the benchmark needs no download."""
    n, num_entities, num_relations = _SHAPES[shape]
    generator = np.random.default_rng(0)
    train = np.stack([generator.integers(size, size=n) for size in (num_entities, num_relations, num_entities)], 1)
    candidates = None
    if shape == "movielens":
        # Users rate movies: the five ratings are the last entities.
        candidates = tuple(range(num_entities - 5, num_entities))
        train[:, 0] = generator.integers(num_entities - 5, size=n)
        train[:, 2] = generator.integers(num_entities - 5, num_entities, size=n)
    else:
        # One frequent relation, so that its queries have as many adjacent triples as the paper's.
        train[:_FREQUENT, 1] = 0
        train = generator.permutation(train)
    train = train.astype(np.int32)
    return TripleSet(
        shape,
        Vocabulary.of("entity", (f"{i:06}" for i in range(num_entities))),
        Vocabulary.of("relation", (f"{i:06}" for i in range(num_relations))),
        train,
        valid=train[:1],
        test=train[:1],
        test_lines=np.arange(1),
        data_dir=None,
        checksums={},
        candidates=candidates,
    )


def _fb(blocks: int = 1, steps: str = "rows") -> Trainer:
    """A trainer of FB15k-237's shape, for so many blocks of steps only."""
    triples = _random_triples("fb15k237")
    few = dataclasses.replace(triples, train=triples.train[: blocks * BLOCK_SIZE])
    return Trainer(few, TrainConfig(**PRESETS["fb15k237"], steps=steps))


def _training(trainer: Trainer, *, tracking: bool = True) -> float:
    """Microseconds a step of one training."""
    store = RollbackStore(trainer.triples.num_examples, trainer.model.width, trainer.config.dtype)
    if not tracking:
        # Neither kept nor computed, but for the zeros that still fill the trace.
        block.changes = lambda before, after, is_loop: tf.zeros_like(before)
    trainer.run(epochs=1)
    seconds = fastest(lambda: trainer.run(store=store if tracking else None))
    return 1e6 * seconds / (trainer.config.epochs * trainer.triples.num_examples)


def _training_plainly(trainer: Trainer, count: int) -> float:
    """Microseconds a step of the plain way."""
    steps = plain.training_steps(trainer)
    steps(5)
    return 1e6 * fastest(lambda: steps(count)) / count


def _stacked(make: Callable[[Trainer, int, int], stacked.Pair], trainer: Trainer, num_models: int) -> float:
    """Microseconds a step and model."""
    count = trainer.triples.num_examples
    restart, run = make(trainer, num_models, count)
    run()
    return 1e6 * fastest(run, restart) / count / num_models


def _trained() -> tuple[Trainer, np.ndarray, np.ndarray]:
    trainer = _nations()
    store = RollbackStore(trainer.triples.num_examples, trainer.model.width, "float64")
    return trainer, trainer.run(store=store).table, store.to_numpy()


def explain_plain() -> float:
    """Milliseconds a query of the plain way."""
    trainer, table, deltas = _trained()
    queries = [p.query for p in explained_predictions(trainer.model, table, trainer.triples)[:_NUM_QUERIES]]
    explain = plain.explaining(trainer, table, deltas)
    explain(queries)
    return 1e3 * fastest(lambda: explain(queries)) / len(queries)


def explain_ours() -> float:
    """Milliseconds a query, all adjacent triples in one batch, ranked."""
    trainer, table, deltas = _trained()
    queries = [p.query for p in explained_predictions(trainer.model, table, trainer.triples)[:_NUM_QUERIES]]
    explainer = GradientRollback(trainer.model, table, deltas, trainer.triples)
    explainer.rank(queries[0])
    return 1e3 * fastest(lambda: [explainer.rank(query) for query in queries]) / len(queries)


def _explain_large(shape: str, ours: bool) -> float:
    """Seconds a query, with random changes; the plain way is timed on 100 adjacent triples, and multiplied."""
    trainer = Trainer(_random_triples(shape), TrainConfig(**PRESETS[shape]))
    generator = np.random.default_rng(0)
    size = (trainer.triples.num_examples, 3, trainer.model.width)
    deltas = generator.standard_normal(size, np.float32) * np.float32(0.01)
    head, relation, tail = (int(i) for i in trainer.triples.train[0])
    query = Query(head, 0 if shape == "fb15k237" else relation, tail)
    if ours:
        explainer = GradientRollback(trainer.model, trainer.initial_table, deltas, trainer.triples)
        explainer.rank(query)
        return fastest(lambda: explainer.rank(query))
    explain = plain.explaining(trainer, trainer.initial_table, deltas, most=100)
    share = explain([query])
    return fastest(lambda: explain([query])) / share


def _retrain(jobs: int) -> float:
    trainer = _nations()
    trainer.run(epochs=1)
    removals = [np.array([i]) for i in range(60)]
    return fastest(lambda: list(retrain_without(trainer, 10, removals, lambda place, table: place, jobs)))


CASES: dict[str, Callable[[], float]] = {
    "train_plain": lambda: _training_plainly(_nations(), 500),
    "train_ours": lambda: _training(_nations()),
    "train_untracked": lambda: _training(_nations(), tracking=False),
    "dense_stacked_1": lambda: _stacked(stacked.dense_steps, _nations(), 1),
    "dense_stacked_4": lambda: _stacked(stacked.dense_steps, _nations(), 4),
    "explain_plain": explain_plain,
    "explain_ours": explain_ours,
    "retrain_one_core": lambda: _retrain(1),
    "retrain_all_cores": lambda: _retrain(available_cores()),
    "fb_plain": lambda: _training_plainly(_fb(), 20),
    "fb_dense": lambda: _training(_fb(steps="dense")),
    "fb_rows": lambda: _training(_fb(blocks=2)),
    "fb_untracked": lambda: _training(_fb(blocks=2), tracking=False),
    "fb_stacked_1": lambda: _stacked(stacked.row_adam_steps, _fb(), 1),
    "fb_stacked_2": lambda: _stacked(stacked.row_adam_steps, _fb(), 2),
    "fb_stacked_8": lambda: _stacked(stacked.row_adam_steps, _fb(), 8),
    "fb_explain_plain": lambda: _explain_large("fb15k237", ours=False),
    "fb_explain_ours": lambda: _explain_large("fb15k237", ours=True),
    "ml_explain_plain": lambda: _explain_large("movielens", ours=False),
    "ml_explain_ours": lambda: _explain_large("movielens", ours=True),
    **RATING_CASES,
    **SEQUENCE_CASES,
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


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows for reading."""
    table = pd.DataFrame(rows).astype({"aimed for": object})
    return table.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value).replace(
        {None: "-", "nan": "-"}
    )


def main() -> None:
    if _CASE.value is not None:
        if _CASE.value not in CASES:
            raise InputError(f"case must be one of {', '.join(CASES)}; got {_CASE.value!r}.")
        value = CASES[_CASE.value]()
        print(json.dumps({"value": value, "peak_mb": peak_memory_bytes() / (1 << 20)}))
        return
    rows = []
    measured: dict[str, dict[str, float]] = {}
    for comparison in COMPARISONS:
        for case in (comparison.plain, comparison.ours):
            if case not in measured:
                measured[case] = measure(case)
        plainly, ours = measured[comparison.plain], measured[comparison.ours]
        rows.append(
            {
                "what": comparison.what,
                "unit": comparison.unit,
                "plain": plainly["value"],
                "ours": ours["value"],
                "times faster": plainly["value"] / ours["value"],
                "aimed for": comparison.target,
                "plain peak MB": plainly["peak_mb"],
                "ours peak MB": ours["peak_mb"],
            }
        )
        print(f"{comparison.what}: {rows[-1]['times faster']:.1f} times faster", file=sys.stderr)
    print(as_text(frame(rows)))
    if _OUTPUT.value is not None:
        files.write_json(pathlib.Path(_OUTPUT.value), {"versions": versions(), "rows": rows})


if __name__ == "__main__":
    common.start(main)
