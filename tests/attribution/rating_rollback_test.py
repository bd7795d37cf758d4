"""Gradient Rollback of ratings: by hand, and what its store must be."""

import dataclasses

import numpy as np
import pytest

from gr_tf.attribution.rating_rollback import RatingRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.models.rating_model import RatingParameters
from gr_tf.training.rating_config import RATING_MODELS, RatingTrainConfig
from gr_tf.training.single_rating_trainer import SingleRatingTrainer

CONFIG = RatingTrainConfig(dim=4, steps=400, batch_size=1, learning_rate=0.01, dtype="float64")
Trained = tuple[SingleRatingTrainer, RatingParameters, np.ndarray]


@pytest.fixture(scope="module", params=list(RATING_MODELS))
def rolled(request: pytest.FixtureRequest, toy_ratings: RatingSet) -> Trained:
    trainer = SingleRatingTrainer(toy_ratings, dataclasses.replace(CONFIG, model=request.param))
    store = RollbackStore(toy_ratings.num_examples, trainer.model.width, "float64", rows=2)
    return trainer, trainer.run(store=store), store.to_numpy()


@pytest.mark.parametrize("rated", [True, False])
def test_influence_is_the_prediction_less_that_of_the_rolled_back_table(rolled: Trained, rated: bool) -> None:
    """The whole table of each example, at a held-out pair and at one that is a training rating."""
    trainer, parameters, deltas = rolled
    ratings = trainer.ratings
    pair = (ratings.train if rated else ratings.test).pairs[5]
    query = RatingQuery(*map(int, pair))
    explanation = RatingRollback(trainer.model, parameters, deltas, ratings).rank(query)
    assert explanation.prediction == pytest.approx(float(trainer.model.predict_pairs(parameters, pair[None])[0]))
    assert set(explanation.example_ids) == set(ratings.related(query))
    for example, influence in zip(explanation.example_ids, explanation.influences, strict=True):
        table = parameters.table.copy()
        table[trainer.model.rows_of(ratings.train.pairs[example])] -= deltas[example]
        without = trainer.model.predict_pairs(RatingParameters(table, parameters.network), pair[None])[0]
        assert influence == pytest.approx(explanation.prediction - without, abs=1e-12)
    assert np.abs(explanation.influences).max() > 0.01


def test_float32_in_float64(rolled: Trained) -> None:
    """Deltas and parameters of float32 explained in float64: influences keep their digits."""
    trainer, parameters, deltas = rolled
    ratings, query = trainer.ratings, trainer.ratings.query_of(3)
    ranked = [
        RatingRollback(
            trainer.config.make_model(ratings, dtype), parameters.astype("float32"), deltas.astype("float32"), ratings
        ).rank(query)
        for dtype in ("float32", "float64")
    ]
    both = [explanation.influences[np.argsort(explanation.example_ids)] for explanation in ranked]
    assert both[0].dtype == both[1].dtype == np.float64
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    assert not np.array_equal(both[0], both[1])


def test_what_is_refused(rolled: Trained) -> None:
    trainer, parameters, deltas = rolled
    with pytest.raises(InputError, match=r"must have shape \(92, 2, \d+\) for this dataset; got \(91, 2"):
        RatingRollback(trainer.model, parameters, deltas[:-1], trainer.ratings)
    larger = RatingParameters(np.pad(parameters.table, ((0, 1), (0, 0))), parameters.network)
    with pytest.raises(InputError, match=r"the table must have shape \(\d+, \d+\) for this dataset; got"):
        RatingRollback(trainer.model, larger, deltas, trainer.ratings)
    of_triples = RollbackStore(trainer.ratings.num_examples, trainer.model.width, "float64")
    with pytest.raises(InputError, match=r"the store is for examples of 3 rows of \d+ numbers; got \[2, "):
        trainer.run(store=of_triples)
    broken = deltas.copy()
    broken[8] = np.nan
    explainer = RatingRollback(trainer.model, parameters, broken, trainer.ratings)
    with pytest.raises(InputError, match="without example 8 is not finite"):
        explainer.rank(trainer.ratings.query_of(8))
