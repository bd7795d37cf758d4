"""The benchmark's cases of rating models, at MovieLens-1M's shape."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from experiments import plain
from experiments.timing import fastest
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.data.ratings import RatingQuery, RatingSplit, make_rating_set
from gr_tf.evaluation.retraining import Retraining, available_cores, retrain
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.rollback_store import RollbackStore

_NUM_RATINGS, _NUM_USERS, _NUM_ITEMS = 1_000_000, 6_040, 3_260
_STEPS = 500
_NUM_POINTS = 200


def _task(model: str, **config: Any) -> RatingTask:
    """Random ratings, so that the benchmark needs no download; a few users and items have many."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            name: (size * generator.random(_NUM_RATINGS) ** 2).astype(int).astype(str)
            for name, size in (("user", _NUM_USERS), ("item", _NUM_ITEMS))
        }
    )
    frame["rating"] = generator.integers(1, 6, size=_NUM_RATINGS).astype(float)
    ratings = make_rating_set("random", frame, {}, RatingSplit())
    settings: dict[str, Any] = {"steps": _STEPS} | config
    return RatingTask(ratings, RatingConfig(model=model, **settings))


def _training_plainly(model: str, **config: Any) -> float:
    """Microseconds a step of the plain way."""
    steps = plain.rating_training_steps(_task(model, **config))
    steps(5)
    return 1e6 * fastest(lambda: steps(_STEPS)) / _STEPS


def _training(model: str) -> float:
    """Microseconds a step."""
    task = _task(model)
    task.train()
    return 1e6 * fastest(task.train) / _STEPS


def _single_training(model: str, *, tracking: bool = True) -> float:
    """Microseconds a step at batch size 1, with tracking."""
    task = _task(model, batch_size=1, steps=1_000 * _STEPS)
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, rows=2)
    task.train(store=store)
    return 1e6 * fastest(lambda: task.train(store=store if tracking else None)) / task.config.steps


def _explaining(model: str, solver: str = "direct", *, in_a_batch: bool = False) -> float:
    """Milliseconds a test point, all its related ratings scored."""
    trained = train_in_memory(_task(model))
    fia = Fia(trained, FiaSettings(solver=solver, decay="published"))
    pairs = np.random.default_rng(0).permutation(trained.task.dataset.test.pairs)[: _NUM_POINTS if in_a_batch else 10]
    queries = [RatingQuery(int(user), int(item)) for user, item in pairs]
    fia.rank(queries[0])
    explain: Callable[[], object] = (
        (lambda: fia.rank_many(queries)) if in_a_batch else (lambda: [fia.rank(query) for query in queries])
    )
    return 1e3 * fastest(explain) / len(queries)


def _retraining(jobs: int) -> float:
    """Seconds of eight retrainings."""
    trained = train_in_memory(_task("mf"))
    queries = [RatingQuery(int(user), int(item)) for user, item in trained.task.dataset.test.pairs[:3]]
    asked = [
        Retraining.of(trained, removed, "value", queries, seed=seed)
        for removed in ((), (0,), (1,), (2,))
        for seed in (1, 2)
    ]
    return fastest(lambda: list(retrain(asked, jobs, known=[trained])))


def _of(model: str) -> dict[str, Callable[[], float]]:
    return {
        f"{model}_train_plain": lambda: _training_plainly(model),
        f"{model}_train_ours": lambda: _training(model),
        f"{model}_single_plain": lambda: _training_plainly(model, batch_size=1),
        f"{model}_single_tracked": lambda: _single_training(model),
        f"{model}_single_untracked": lambda: _single_training(model, tracking=False),
        f"{model}_fia_newton": lambda: _explaining(model, "newton_cg"),
        f"{model}_fia_direct": lambda: _explaining(model),
        f"{model}_fia_batch": lambda: _explaining(model, in_a_batch=True),
    }


RATING_CASES: dict[str, Callable[[], float]] = {
    **_of("mf"),
    **_of("ncf"),
    "mf_retrain_one_core": lambda: _retraining(1),
    "mf_retrain_all_cores": lambda: _retraining(available_cores()),
}
