"""The benchmark's cases of knowledge graphs, at the shapes of the paper's."""

import dataclasses
from collections.abc import Callable

import numpy as np

from experiments import plain, stacked
from experiments.timing import fastest
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.data.negatives import BLOCK_SIZE
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import Query, TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.evaluation.retraining import Retraining, available_cores, retrain
from gr_tf.runs.engine import tf
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import dense_kernel, row_kernel
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.triple_config import PRESETS, TripleConfig

_NUM_QUERIES = 5
# Training triples, entities, relations.
_SHAPES = {"fb15k237": (272_115, 14_505, 237), "movielens": (90_570, 948, 1_680)}
# Adjacent triples of an FB15k-237 query, Lawrence et al. (2021), "Sizes".
_FREQUENT = 5_500


def _nations() -> TripleTask:
    return TripleTask(load_triples(), TripleConfig())


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
        source=None,
        checksums={},
        candidates=candidates,
    )


def _fb(blocks: int = 1, steps: str = "rows") -> TripleTask:
    """A task of FB15k-237's shape, for so many blocks of steps only."""
    triples = _random_triples("fb15k237")
    few = dataclasses.replace(triples, train=triples.train[: blocks * BLOCK_SIZE])
    return TripleTask(few, TripleConfig(**PRESETS["fb15k237"], steps=steps))


def _training(task: TripleTask, *, tracking: bool = True) -> float:
    """Microseconds a step of one training."""
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype)
    if not tracking:
        # Neither kept nor computed, but for the zeros that still fill the trace.
        for kernel in (dense_kernel, row_kernel):
            kernel.changes = lambda before, after, is_loop: tf.zeros_like(before)  # type: ignore[attr-defined]
    task.train(length=1)
    seconds = fastest(lambda: task.train(store=store if tracking else None))
    return 1e6 * seconds / (task.config.epochs * task.num_examples)


def _training_plainly(task: TripleTask, count: int) -> float:
    """Microseconds a step of the plain way."""
    steps = plain.training_steps(task)
    steps(5)
    return 1e6 * fastest(lambda: steps(count)) / count


def _stacked(make: Callable[[TripleTask, int, int], stacked.Pair], task: TripleTask, num_models: int) -> float:
    """Microseconds a step and model."""
    restart, run = make(task, num_models, task.num_examples)
    run()
    return 1e6 * fastest(run, restart) / task.num_examples / num_models


def _explaining(*, ours: bool) -> float:
    """Milliseconds a query: the plain way, or all adjacent triples in one batch, ranked."""
    trained = train_in_memory(_nations())
    queries = [told.query for told in trained.task.test_predictions(trained.parameters)[:_NUM_QUERIES]]
    if ours:
        explainer = GradientRollback(trained)
        explainer.rank(queries[0])
        return 1e3 * fastest(lambda: [explainer.rank(query) for query in queries]) / len(queries)
    explain = plain.explaining(trained)
    explain(queries)
    return 1e3 * fastest(lambda: explain(queries)) / len(queries)


def _explaining_large(shape: str, *, ours: bool) -> float:
    """Seconds a query, with random changes; the plain way is timed on 100 adjacent triples, and multiplied."""
    task = TripleTask(_random_triples(shape), TripleConfig(**PRESETS[shape]))
    size = (task.num_examples, 3, task.model.width)
    deltas = np.random.default_rng(0).standard_normal(size, np.float32) * np.float32(0.01)
    trained = Trained(task, task.initial_parameters, 0, deltas)
    head, relation, tail = (int(i) for i in task.dataset.train[0])
    query = Query(head, 0 if shape == "fb15k237" else relation, tail)
    if ours:
        explainer = GradientRollback(trained)
        explainer.rank(query)
        return fastest(lambda: explainer.rank(query))
    explain = plain.explaining(trained, most=100)
    share = explain([query])
    return fastest(lambda: explain([query])) / share


def _retraining(jobs: int) -> float:
    """Seconds of 60 retrainings."""
    task = _nations()
    task.train(length=1)
    queries, seed = (task.query_of(0),), task.config.seed
    asked = [
        Retraining(task=task.reference, removed=(i,), length=10, seed=seed, measure="value", queries=queries)
        for i in range(60)
    ]
    return fastest(lambda: list(retrain(asked, jobs, known=[task])))


TRIPLE_CASES: dict[str, Callable[[], float]] = {
    "train_plain": lambda: _training_plainly(_nations(), 500),
    "train_ours": lambda: _training(_nations()),
    "train_untracked": lambda: _training(_nations(), tracking=False),
    "dense_stacked_1": lambda: _stacked(stacked.dense_steps, _nations(), 1),
    "dense_stacked_4": lambda: _stacked(stacked.dense_steps, _nations(), 4),
    "explain_plain": lambda: _explaining(ours=False),
    "explain_ours": lambda: _explaining(ours=True),
    "retrain_one_core": lambda: _retraining(1),
    "retrain_all_cores": lambda: _retraining(available_cores()),
    "fb_plain": lambda: _training_plainly(_fb(), 20),
    "fb_dense": lambda: _training(_fb(steps="dense")),
    "fb_rows": lambda: _training(_fb(blocks=2)),
    "fb_untracked": lambda: _training(_fb(blocks=2), tracking=False),
    "fb_stacked_1": lambda: _stacked(stacked.row_adam_steps, _fb(), 1),
    "fb_stacked_2": lambda: _stacked(stacked.row_adam_steps, _fb(), 2),
    "fb_stacked_8": lambda: _stacked(stacked.row_adam_steps, _fb(), 8),
    "fb_explain_plain": lambda: _explaining_large("fb15k237", ours=False),
    "fb_explain_ours": lambda: _explaining_large("fb15k237", ours=True),
    "ml_explain_plain": lambda: _explaining_large("movielens", ours=False),
    "ml_explain_ours": lambda: _explaining_large("movielens", ours=True),
}
