"""Mistakes made on purpose, and how well they are found."""

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.example_losses import TripleLosses
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.suspicion import RATING_SCORES, graph_suspicion, rating_suspicion
from gr_tf.data.ratings import RatingSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.corruption import flip_ratings, flip_tails
from gr_tf.evaluation.detection import Detection
from gr_tf.models.prediction import tail_probability
from gr_tf.training.config import TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.rating_trainer import RatingTrainer
from gr_tf.training.trainer import Trainer


def test_flipped_tails(toy: TripleSet) -> None:
    corrupted = flip_tails(toy, 0.2, 3)
    assert isinstance(corrupted.dataset, TripleSet)
    train, wrong = corrupted.dataset.train, corrupted.wrong
    assert wrong.sum() == 12
    np.testing.assert_array_equal(train[:, :2], toy.train[:, :2])
    np.testing.assert_array_equal(train[~wrong], toy.train[~wrong])
    known = {tuple(triple) for part in (toy.train, toy.valid, toy.test) for triple in part.tolist()}
    assert not known & {tuple(triple) for triple in train[wrong].tolist()}
    np.testing.assert_array_equal(flip_tails(toy, 0.2, 3).dataset.train, train)
    assert flip_tails(toy, 0.2, 4).wrong.tolist() != wrong.tolist()
    with pytest.raises(InputError, match="leaves none of the 60 training examples right"):
        flip_tails(toy, 0.999, 0)
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(InputError, match="the share of mistakes must be above 0 and below 1"):
            flip_tails(toy, share, 0)


def test_flipped_ratings(toy_ratings: RatingSet) -> None:
    corrupted = flip_ratings(toy_ratings, 0.1, 3)
    assert isinstance(corrupted.dataset, RatingSet)
    before, after = toy_ratings.train.values, corrupted.dataset.train.values
    np.testing.assert_array_equal(corrupted.wrong, before != after)
    assert corrupted.wrong.sum() == round(0.1 * toy_ratings.num_examples)
    assert set(after) <= set(before)
    np.testing.assert_array_equal(corrupted.dataset.train.pairs, toy_ratings.train.pairs)


def test_detection() -> None:
    wrong = np.array([True, False, False, True, False, False, False, False, False, False])
    perfect = Detection.of(wrong.astype(float), wrong, 0.2)
    assert (perfect.auroc, perfect.recall) == (1, 1)
    worst = Detection.of(-wrong.astype(float), wrong, 0.2)
    assert (worst.auroc, worst.recall) == (0, 0)
    assert Detection.of(np.zeros(10), wrong, 0.2).auroc == 0.5
    scores = np.array([5, 9, 4, 8, 3, 2, 1, 0, -1, -2])
    pairs = np.mean([[a > b for b in scores[~wrong]] for a in scores[wrong]])
    assert Detection.of(scores, wrong, 0.2).auroc == pytest.approx(pairs)
    assert Detection.of(scores, wrong, 0.2).recall == 0.5
    generator = np.random.default_rng(0)
    many = generator.random(20_000) < 0.1
    chance = Detection.of(generator.random(20_000), many)
    assert chance.auroc == pytest.approx(0.5, abs=0.02)
    assert chance.recall == pytest.approx(0.1, abs=0.03)


def test_scores_of_triples(toy: TripleSet) -> None:
    """Each by its definition, with its sign."""
    trainer = Trainer(toy, TrainConfig(dim=4, num_negatives=5, epochs=3, learning_rate=0.05))
    store = RollbackStore(toy.num_examples, trainer.model.width, "float64")
    table = trainer.run(store=store).table
    deltas = store.to_numpy()
    scores = graph_suspicion(trainer, table, deltas)
    losses = scores("loss")
    assert losses.shape == (60,)
    for example_id in (0, 20, 59):
        query = toy.query_of(example_id)
        before = tail_probability(trainer.model, table, query)
        without = table.copy()
        np.subtract.at(without, trainer.model.rows_of(toy.train[example_id]), deltas[example_id])
        after = tail_probability(trainer.model, without, query)
        assert scores("gr")[example_id] == pytest.approx(np.log(before) - np.log(after))
    assert (scores("gr") > 0).mean() > 0.9
    assert (scores("tracin") > 0).all()
    # A step on a harmful example raises the mean validation loss, one on a helpful example lowers it.
    example_losses = TripleLosses(trainer.model, toy, trainer.config, "float64")
    valid = example_losses.with_candidates(toy.valid)

    def loss_and_gradient(batch: tuple[np.ndarray, ...], at: np.ndarray) -> tuple[float, np.ndarray]:
        variable = tf.Variable(at)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(example_losses.losses(tf.gather(variable, example_losses.rows(batch)), (), batch))
        return float(loss), tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()

    start, _ = loss_and_gradient(valid, table)
    for example_id in (int(scores("harm").argmax()), int(scores("harm").argmin())):
        _, gradient = loss_and_gradient(tuple(part[[example_id]] for part in example_losses.train), table)
        stepped, _ = loss_and_gradient(valid, table - 1e-5 * gradient)
        assert np.sign(stepped - start) == np.sign(scores("harm")[example_id])


def test_wrong_ratings_are_found(toy_ratings: RatingSet) -> None:
    """Extreme mistakes in ratings that factors explain well: every way but chance finds most of them."""
    corrupted = flip_ratings(toy_ratings, 0.05, 0)
    values = corrupted.dataset.train.values  # type: ignore[union-attr]
    original = toy_ratings.train.values
    values[corrupted.wrong] = np.where(original[corrupted.wrong] >= 3, 1.0, 5.0)
    config = RatingTrainConfig(dim=2, steps=1500, batch_size=40, learning_rate=0.01, dtype="float64")
    assert isinstance(corrupted.dataset, RatingSet)
    trainer = RatingTrainer(corrupted.dataset, config)
    state = trainer.run(trainer.initial_state(), config.steps, seed=0)
    scores = rating_suspicion(trainer, state.parameters)
    for name in RATING_SCORES:
        assert scores(name).shape == (toy_ratings.num_examples,)
    assert scores("loss").min() >= 0
    errors = trainer.model.predict_pairs(state.parameters, trainer.ratings.train.pairs) - values
    np.testing.assert_allclose(scores("loss"), errors**2)
    # Without an example its own error grows.
    assert (scores("fia") > 0).mean() > 0.9
    for name in ("fia", "tracin", "loss"):
        assert Detection.of(scores(name), corrupted.wrong).auroc > 0.7
