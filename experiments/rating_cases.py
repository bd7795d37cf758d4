"""The benchmark's cases of rating models, at MovieLens-1M's shape."""

import dataclasses
import itertools
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from experiments import plain
from experiments.timing import fastest
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit, make_rating_set
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.rating_retraining import Retrained, removals_of, retrain_ratings
from gr_tf.evaluation.retraining import available_cores
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.rating_trainer import RatingTrainer
from gr_tf.training.single_rating_trainer import SingleRatingTrainer

_NUM_RATINGS, _NUM_USERS, _NUM_ITEMS = 1_000_000, 6_040, 3_260
_STEPS = 500
_NUM_POINTS = 200


def _ratings() -> RatingSet:
    """Random ratings, so that the benchmark needs no download; a few users and items have many."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            name: (size * generator.random(_NUM_RATINGS) ** 2).astype(int).astype(str)
            for name, size in (("user", _NUM_USERS), ("item", _NUM_ITEMS))
        }
    )
    frame["rating"] = generator.integers(1, 6, size=_NUM_RATINGS).astype(float)
    return make_rating_set("random", frame, {}, RatingSplit())


def _trainer(model: str, **config: Any) -> RatingTrainer:
    return RatingTrainer(_ratings(), RatingTrainConfig(model=model, steps=_STEPS, **config))


def _training_plainly(model: str, **config: Any) -> float:
    """Microseconds a step of the plain way."""
    steps = plain.rating_training_steps(_trainer(model, **config))
    steps(5)
    return 1e6 * fastest(lambda: steps(_STEPS)) / _STEPS


def _training(model: str) -> float:
    """Microseconds a step."""
    trainer = _trainer(model)
    start = trainer.initial_state()
    trainer.run(start, _STEPS, seed=0)
    return 1e6 * fastest(lambda: trainer.run(start, _STEPS, seed=0)) / _STEPS


def _single_training(model: str, *, tracking: bool = True) -> float:
    """Microseconds a step at batch size 1, with tracking."""
    config = RatingTrainConfig(model=model, batch_size=1, steps=1_000 * _STEPS)
    trainer = SingleRatingTrainer(_ratings(), config)
    store = RollbackStore(trainer.ratings.num_examples, trainer.model.width, config.dtype, rows=2)
    trainer.run(store=store)
    return 1e6 * fastest(lambda: trainer.run(store=store if tracking else None)) / config.steps


def _explaining(model: str, solver: str = "direct", *, in_a_batch: bool = False) -> float:
    """Milliseconds a test point, all its related ratings scored."""
    trainer = _trainer(model)
    ratings, config = trainer.ratings, trainer.config
    parameters = trainer.run(trainer.initial_state(), _STEPS, seed=0).parameters
    fia = Fia(
        config.make_model(ratings, "float64"), parameters, ratings, config.weight_decay, FiaSettings(solver=solver)
    )
    pairs = np.random.default_rng(0).permutation(ratings.test.pairs)[: _NUM_POINTS if in_a_batch else 10]
    queries = [RatingQuery(int(user), int(item)) for user, item in pairs]
    fia.rank(queries[0])
    explain: Callable[[], object] = (
        (lambda: fia.rank_many(queries)) if in_a_batch else (lambda: [fia.rank(query) for query in queries])
    )
    return 1e3 * fastest(explain) / len(queries)


def _retraining(jobs: int) -> float:
    """Seconds of eight retrainings."""
    trainer = _trainer("mf")
    state = trainer.run(trainer.initial_state(), _STEPS, seed=0)
    removals = removals_of([0, 1, 2])
    with tempfile.TemporaryDirectory() as folder:
        names = (pathlib.Path(folder) / f"{i}.jsonl" for i in itertools.count())

        def retrain() -> None:
            journal = Journal(next(names), [field.name for field in dataclasses.fields(Retrained)])
            list(retrain_ratings(trainer, state, [_STEPS], trainer.ratings.test.pairs, removals, (1, 2), journal, jobs))
            journal.close()

        return fastest(retrain)


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
