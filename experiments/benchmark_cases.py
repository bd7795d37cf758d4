"""The benchmark's cases: each does one thing in one way, and returns how long it took.

The data are random and have the shapes of the papers' datasets, so that the benchmark needs no download.
"""

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from experiments import benchmark_engines, plain, stacked
from gr_tf.asking.asker import Asker
from gr_tf.attribution.base import Explainer
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.tracin import TracIn
from gr_tf.data.negatives import BLOCK_SIZE
from gr_tf.data.ratings import RatingSplit, make_rating_set
from gr_tf.data.sequences import SequenceSplit, make_sequence_set
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import Query, TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Retraining, available_cores
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.tasks import triple_rollback
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Checkpoint, Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import dense_kernel, row_kernel
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import PRESETS, TripleConfig

# How often a case is repeated; the fastest run counts, because other processes can only slow a run down.
_REPEATS = 3
# The numbers of training triples, entities and relations.
_TRIPLES = {"fb15k237": (272_115, 14_505, 237), "movielens": (90_570, 948, 1_680), "wn18rr": (86_835, 40_559, 11)}
# How many adjacent triples an FB15k-237 query has (Lawrence et al. 2021, "Sizes"), and WN18RR's largest relation.
_FREQUENT = {"fb15k237": 5_500, "wn18rr": 34_796}
# The numbers of ratings, users and items: MovieLens-1M's, and MovieLens-100k's for sequences.
_RATINGS = (1_000_000, 6_040, 3_260)
_SEQUENCES = (100_000, 943, 1_682)
# How many steps a training on ratings has.
_STEPS = 500
# For how many sequences the published way is timed.
_FEW = 300


def _fastest(call: Callable[[], object], restart: Callable[[], object] = lambda: None) -> float:
    """Seconds of the fastest of three calls; `restart` runs before each and is not timed."""
    seconds = []
    for _ in range(_REPEATS):
        restart()
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _nations() -> TripleTask:
    return TripleTask(load_triples(), TripleConfig())


def _random_triples(shape: str) -> TripleSet:
    n, num_entities, num_relations = _TRIPLES[shape]
    generator = np.random.default_rng(0)
    train = np.stack([generator.integers(size, size=n) for size in (num_entities, num_relations, num_entities)], 1)
    candidates = None
    if shape == "movielens":
        # Users rate movies: the five ratings are the last entities.
        candidates = tuple(range(num_entities - 5, num_entities))
        train[:, 0] = generator.integers(num_entities - 5, size=n)
        train[:, 2] = generator.integers(num_entities - 5, num_entities, size=n)
    else:
        # One relation is frequent, so that its queries have as many adjacent triples as the paper's.
        train[: _FREQUENT[shape], 1] = 0
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
    """A task of FB15k-237's shape, with only this many blocks of steps."""
    triples = _random_triples("fb15k237")
    few = dataclasses.replace(triples, train=triples.train[: blocks * BLOCK_SIZE])
    return TripleTask(few, TripleConfig(**PRESETS["fb15k237"], steps=steps))


def _fb_batches(*, tracking: bool) -> float:
    """Microseconds an example, which is a triple in one direction: 512 a batch, 500 shared negatives, 100 factors."""
    settings: dict[str, Any] = {"optimizer": "adagrad", "learning_rate": 0.1, "reciprocal": True, "batch_size": 256}
    sizes: dict[str, Any] = {"dim": 100, "num_negatives": 500, "dtype": "float32", "epochs": 1}
    triples = _random_triples("fb15k237")
    few = dataclasses.replace(triples, train=triples.train[: 64 * 256])
    return _training(TripleTask(few, TripleConfig(**settings, **sizes)), 2 * few.num_examples, tracking=tracking)


def _ratings(model: str, **config: Any) -> RatingTask:
    """A task of MovieLens-1M's shape, in which a few users and items have many ratings."""
    (count, *sizes), generator = _RATINGS, np.random.default_rng(0)
    names = ((size * generator.random(count) ** 2).astype(int).astype(str) for size in sizes)
    frame = pd.DataFrame(dict(zip(("user", "item"), names, strict=True)))
    frame["rating"] = generator.integers(1, 6, size=count).astype(float)
    ratings = make_rating_set("random", frame, {}, RatingSplit())
    return RatingTask(ratings, RatingConfig(**{"model": model, "steps": _STEPS, **config}))


def _sequences(num_ratings: int = _SEQUENCES[0]) -> SequenceTask:
    (count, num_users, num_items), generator = _SEQUENCES, np.random.default_rng(0)
    users = (num_users * num_ratings // count * generator.random(num_ratings) ** 2).astype(int)
    items = generator.integers(num_items, size=num_ratings)
    frame = pd.DataFrame({"user": users.astype(str), "item": items.astype(str)})
    return SequenceTask(make_sequence_set("random", frame, {}, SequenceSplit()), SequenceConfig())


def _training(task: Task[Any], num_steps: int, *, tracking: bool, warm_up: int | None = None) -> float:
    """Microseconds a step of one training, after another of length `warm_up` (None: of full length)."""
    rows = task.steps.rows_per_example
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, rows) if tracking else None
    task.train(length=warm_up, store=store)
    return 1e6 * _fastest(lambda: task.train(store=store)) / num_steps


def _triple_training(task: TripleTask, *, tracking: bool = True) -> float:
    if not tracking:
        # Changes are neither kept nor computed; only zeros still fill the trace.
        for kernel in (dense_kernel, row_kernel):
            kernel.changes = lambda before, after, is_loop: tf.zeros_like(before)  # type: ignore[attr-defined]
    return _training(task, task.config.epochs * task.num_examples, tracking=tracking, warm_up=1)


def _single_training(model: str, *, tracking: bool) -> float:
    """Microseconds a step of a training on ratings at batch size 1."""
    task = _ratings(model, batch_size=1, steps=1_000 * _STEPS)
    return _training(task, task.config.steps, tracking=tracking)


def _plainly(steps: Callable[[int], None], count: int) -> float:
    """Microseconds a step of the plain way."""
    steps(5)
    return 1e6 * _fastest(lambda: steps(count)) / count


def _stacked(make: Callable[[TripleTask, int, int], stacked.Pair], task: TripleTask, num_models: int) -> float:
    """Microseconds a step and model."""
    restart, run = make(task, num_models, task.num_examples)
    run()
    return 1e6 * _fastest(run, restart) / task.num_examples / num_models


def _ranking(explainer: Explainer[Any], queries: Sequence[Any]) -> float:
    """Seconds a query, if they are explained one after the other."""
    explainer.rank(queries[0])
    return _fastest(lambda: [explainer.rank(query) for query in queries]) / len(queries)


def _rolling_back(trained: Trained, queries: Sequence[Query], *, ours: bool, most: int | None = None) -> float:
    """Seconds a query: all adjacent triples ranked in one batch; or the plain way, timed on `most` and multiplied."""
    if ours:
        return _ranking(GradientRollback(trained), queries)
    explain = plain.explaining(trained, most)
    share = explain(queries)
    return _fastest(lambda: explain(queries)) / share / len(queries)


def _explaining(*, ours: bool) -> float:
    """Milliseconds a query of Nations."""
    trained = train_in_memory(_nations())
    queries = [told.query for told in trained.task.test_predictions(trained.parameters)[:5]]
    return 1e3 * _rolling_back(trained, queries, ours=ours)


def _explaining_large(shape: str, *, ours: bool) -> float:
    """Seconds a query of a large shape, with random changes."""
    task = TripleTask(_random_triples(shape), TripleConfig(**PRESETS[shape]))
    size = (task.num_examples, 3, task.model.width)
    deltas = np.random.default_rng(0).standard_normal(size, np.float32) * np.float32(0.01)
    trained = Trained(task, task.initial_parameters, 0, deltas)
    query = task.query_of(0) if shape == "movielens" else dataclasses.replace(task.query_of(0), relation=0)
    return _rolling_back(trained, [query], ours=ours, most=100)


def _answering(shape: str, *, computing_all: bool) -> float:
    """Seconds an answer with its ten strongest examples, of 200 factors; few triples changed much, as Adagrad's do."""
    config = TripleConfig(dim=200, dtype="float32", optimizer="adagrad", batch_size=512)
    task = TripleTask(_random_triples(shape), config)
    generator = np.random.default_rng(0)
    deltas = generator.standard_normal((task.num_examples, 3, 200), np.float32) * np.float32(0.003)
    deltas[::1000] *= 30
    table = generator.standard_normal((task.model.num_rows, 200), np.float32) * np.float32(0.3)
    asker = Asker(Trained(task, Parameters(table), 1, deltas))
    if computing_all:
        triple_rollback._FEW_SCORES = sys.maxsize
    questions = [(f"{entity:06}", "000000", "?") for entity in range(5)]
    asker.answers(questions[:1])
    return _fastest(lambda: asker.answers(questions)) / len(questions)


def _explaining_ratings(model: str, solver: str = "direct", *, in_a_batch: bool = False) -> float:
    """Milliseconds a test point in which FIA scores all its related ratings."""
    trained = train_in_memory(_ratings(model))
    fia = Fia(trained, FiaSettings(solver=solver, decay="published"))
    everything = trained.task.test_predictions(trained.parameters)
    places = np.random.default_rng(0).permutation(len(everything))[: 200 if in_a_batch else 10]
    queries = [everything[place].query for place in places]
    if not in_a_batch:
        return 1e3 * _ranking(fia, queries)
    fia.rank(queries[0])
    return 1e3 * _fastest(lambda: fia.rank_many(queries)) / len(queries)


def _retraining(jobs: int) -> float:
    """Seconds of 60 retrainings of Nations."""
    task = _nations()
    task.train(length=1)
    queries, seed = (task.query_of(0),), task.config.seed
    asked = [
        Retraining(task=task.reference, removed=(i,), length=10, seed=seed, measure="value", queries=queries)
        for i in range(60)
    ]
    return _fastest(lambda: list(retrain(asked, jobs, known=[task])))


def _retraining_ratings(jobs: int) -> float:
    """Seconds of eight retrainings of MF."""
    trained = train_in_memory(_ratings("mf"))
    queries = [told.query for told in trained.task.test_predictions(trained.parameters)[:3]]
    asked = [
        Retraining.of(trained, removed, "value", queries, seed=seed)
        for removed in ((), (0,), (1,), (2,))
        for seed in (1, 2)
    ]
    return _fastest(lambda: list(retrain(asked, jobs, known=[trained])))


def _first_checkpoint(task: SequenceTask) -> Checkpoint:
    return Checkpoint(task.initial_parameters, task.config.learning_rate)


def _tracin_loss() -> float:
    """Microseconds a sequence of a forward pass over all training sequences."""
    task = _sequences()
    explainer = TracIn(task.losses(), [_first_checkpoint(task)])
    explainer.training_losses()
    return 1e6 * _fastest(explainer.training_losses) / task.num_examples


def _tracin_forward_mode() -> float:
    """Microseconds a sequence of scoring all training sequences for one test sequence."""
    task = _sequences()
    losses = task.losses()
    explainer = TracIn(losses, [_first_checkpoint(task)], losses.trained_layers)
    test = losses.batch(task.dataset.test.only(slice(1)))
    explainer.influences(test)
    return 1e6 * _fastest(lambda: explainer.influences(test)) / task.num_examples


def _tracin_explicit() -> float:
    """Microseconds a sequence of the published way, a gradient a sequence, on some of them."""
    task = _sequences(10 * _FEW)
    losses = task.losses()
    score, test = plain.tracin(losses, _first_checkpoint(task)), losses.batch(task.dataset.test.only(slice(1)))
    score(test, 2)
    return 1e6 * _fastest(lambda: score(test, _FEW)) / _FEW


def _deterministic(case: Callable[[], float]) -> float:
    """With operations that give the same bits each time; a case has a process of its own, so no other case has them."""
    tf.config.experimental.enable_op_determinism()
    return case()


def _of_rating_model(model: str) -> dict[str, Callable[[], float]]:
    return {
        f"{model}_train_plain": lambda: _plainly(plain.rating_training_steps(_ratings(model)), _STEPS),
        f"{model}_train_ours": lambda: _training(_ratings(model), _STEPS, tracking=False),
        f"{model}_deterministic": lambda: _deterministic(lambda: _training(_ratings(model), _STEPS, tracking=False)),
        f"{model}_single_plain": lambda: _plainly(plain.rating_training_steps(_ratings(model, batch_size=1)), _STEPS),
        f"{model}_single_tracked": lambda: _single_training(model, tracking=True),
        f"{model}_single_untracked": lambda: _single_training(model, tracking=False),
        f"{model}_fia_newton": lambda: _explaining_ratings(model, "newton_cg"),
        f"{model}_fia_direct": lambda: _explaining_ratings(model),
        f"{model}_fia_batch": lambda: _explaining_ratings(model, in_a_batch=True),
    }


CASES: dict[str, Callable[[], float]] = {
    "train_plain": lambda: _plainly(plain.training_steps(_nations()), 500),
    "train_ours": lambda: _triple_training(_nations()),
    "train_untracked": lambda: _triple_training(_nations(), tracking=False),
    "dense_stacked_1": lambda: _stacked(stacked.dense_steps, _nations(), 1),
    "dense_stacked_4": lambda: _stacked(stacked.dense_steps, _nations(), 4),
    "explain_plain": lambda: _explaining(ours=False),
    "explain_ours": lambda: _explaining(ours=True),
    "retrain_one_core": lambda: _retraining(1),
    "retrain_all_cores": lambda: _retraining(available_cores()),
    "fb_plain": lambda: _plainly(plain.training_steps(_fb()), 20),
    "fb_dense": lambda: _triple_training(_fb(steps="dense")),
    "fb_rows": lambda: _triple_training(_fb(blocks=2)),
    "fb_untracked": lambda: _triple_training(_fb(blocks=2), tracking=False),
    "fb_batches": lambda: _fb_batches(tracking=True),
    "fb_batches_untracked": lambda: _fb_batches(tracking=False),
    "fb_batches_deterministic": lambda: _deterministic(lambda: _fb_batches(tracking=True)),
    "fb_stacked_1": lambda: _stacked(stacked.row_adam_steps, _fb(), 1),
    "fb_stacked_2": lambda: _stacked(stacked.row_adam_steps, _fb(), 2),
    "fb_stacked_8": lambda: _stacked(stacked.row_adam_steps, _fb(), 8),
    "fb_explain_plain": lambda: _explaining_large("fb15k237", ours=False),
    "fb_explain_ours": lambda: _explaining_large("fb15k237", ours=True),
    "ml_explain_plain": lambda: _explaining_large("movielens", ours=False),
    "ml_explain_ours": lambda: _explaining_large("movielens", ours=True),
    "fb_answer_all": lambda: _answering("fb15k237", computing_all=True),
    "fb_answer": lambda: _answering("fb15k237", computing_all=False),
    "wn_answer_all": lambda: _answering("wn18rr", computing_all=True),
    "wn_answer": lambda: _answering("wn18rr", computing_all=False),
    **_of_rating_model("mf"),
    **_of_rating_model("ncf"),
    "mf_retrain_one_core": lambda: _retraining_ratings(1),
    "mf_retrain_all_cores": lambda: _retraining_ratings(available_cores()),
    "tracin_loss": _tracin_loss,
    "tracin_forward_mode": _tracin_forward_mode,
    "tracin_explicit": _tracin_explicit,
    **benchmark_engines.CASES,
}
