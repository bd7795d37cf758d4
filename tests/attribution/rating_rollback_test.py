"""Gradient Rollback of ratings: by hand, and what its store must be."""

import dataclasses

import numpy as np
import pytest

from gr_tf.attribution.rollback import GradientRollback
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.rollback_store import RollbackStore

CONFIG = RatingConfig(dim=4, steps=400, batch_size=1, learning_rate=0.01, dtype="float64")


# Batches by SGD, whose shares are exact.
SHARES = dataclasses.replace(CONFIG, optimizer="sgd", epochs=40, batch_size=9)


@pytest.fixture(
    scope="module", params=[(model, config) for model in RATING_MODELS for config in (CONFIG, SHARES)], ids=str
)
def rolled(request: pytest.FixtureRequest, toy_ratings: RatingSet) -> Trained:
    model, config = request.param
    return train_in_memory(RatingTask(toy_ratings, dataclasses.replace(config, model=model)))


@pytest.mark.parametrize("rated", [True, False])
def test_influence_is_the_prediction_less_that_of_the_rolled_back_table(
    rolled: Trained, toy_ratings: RatingSet, rated: bool
) -> None:
    """The whole table of each example, at a held-out pair and at one that is a training rating."""
    ratings, model, parameters, deltas = toy_ratings, rolled.task.model, rolled.parameters, rolled.deltas
    assert deltas is not None
    pair = (ratings.train if rated else ratings.test).pairs[5]
    query = RatingQuery(*map(int, pair))
    explanation = GradientRollback(rolled).rank(query)
    assert explanation.prediction == pytest.approx(float(model.predict_pairs(parameters, pair[None])[0]))
    assert set(explanation.example_ids) == set(ratings.related(query))
    for example, influence in zip(explanation.example_ids, explanation.influences, strict=True):
        table = parameters.table.copy()
        table[model.rows_of(ratings.train.pairs[example])] -= deltas[example]
        without = model.predict_pairs(Parameters(table, parameters.shared), pair[None])[0]
        assert influence == pytest.approx(explanation.prediction - without, abs=1e-12)
    assert np.abs(explanation.influences).max() > 0.01


def test_float32_in_float64(rolled: Trained) -> None:
    """Deltas and parameters of float32 explained in float64: influences keep their digits."""
    assert rolled.deltas is not None
    query = rolled.task.query_of(3)
    ranked = []
    for dtype in ("float32", "float64"):
        task = rolled.task.with_config(dtype=dtype)
        parameters, deltas = rolled.parameters.astype("float32"), rolled.deltas.astype("float32")
        ranked.append(GradientRollback(Trained(task, parameters, rolled.epoch, deltas)).rank(query))
    both = [explanation.influences[np.argsort(explanation.example_ids)] for explanation in ranked]
    assert both[0].dtype == both[1].dtype == np.float64
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def test_what_is_refused(rolled: Trained) -> None:
    assert rolled.deltas is not None
    with pytest.raises(InputError, match=r"must have shape \(92, 2, \d+\) for this dataset; got \(91, 2"):
        GradientRollback(dataclasses.replace(rolled, deltas=rolled.deltas[:-1]))
    with pytest.raises(InputError, match="needs a training that kept what each example changed"):
        GradientRollback(dataclasses.replace(rolled, deltas=None))
    larger = Parameters(np.pad(rolled.parameters.table, ((0, 1), (0, 0))), rolled.parameters.shared)
    with pytest.raises(InputError, match=r"the table must have shape \(\d+, \d+\) for this dataset; got"):
        GradientRollback(dataclasses.replace(rolled, parameters=larger))
    of_triples = RollbackStore(rolled.task.num_examples, rolled.task.model.width, "float64")
    with pytest.raises(InputError, match=r"the store is for examples of 3 rows of \d+ numbers; got \[2, "):
        rolled.task.train(store=of_triples)
    broken = rolled.deltas.copy()
    broken[8] = np.nan
    explainer = GradientRollback(dataclasses.replace(rolled, deltas=broken))
    with pytest.raises(InputError, match="example 8 is not finite"):
        explainer.rank(rolled.task.query_of(8))
