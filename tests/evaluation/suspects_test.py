"""Mistakes made on purpose, and how well they are found."""

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.suspicion import suspicion, ways_of
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.detection import detection, with_mistakes
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.triple_config import TripleConfig


def test_flipped_tails(toy: TripleSet) -> None:
    corrupted, wrong = with_mistakes(toy, 0.2, 3)
    train = corrupted.train
    assert wrong.sum() == 12
    np.testing.assert_array_equal(train[:, :2], toy.train[:, :2])
    np.testing.assert_array_equal(train[~wrong], toy.train[~wrong])
    known = {tuple(triple) for part in (toy.train, toy.valid, toy.test) for triple in part.tolist()}
    assert not known & {tuple(triple) for triple in train[wrong].tolist()}
    again, _ = with_mistakes(toy, 0.2, 3)
    np.testing.assert_array_equal(again.train, train)
    assert with_mistakes(toy, 0.2, 4)[1].tolist() != wrong.tolist()
    with pytest.raises(InputError, match="leaves none of the 60 training examples right"):
        with_mistakes(toy, 0.999, 0)
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(InputError, match="the share of mistakes must be above 0 and below 1"):
            with_mistakes(toy, share, 0)


def test_sequences_have_no_mistakes(toy_sequences: SequenceSet) -> None:
    with pytest.raises(InputError, match="mistakes cannot be made on purpose in data of this kind"):
        with_mistakes(toy_sequences, 0.1, 0)


def test_flipped_ratings(toy_ratings: RatingSet) -> None:
    corrupted, wrong = with_mistakes(toy_ratings, 0.1, 3)
    before, after = toy_ratings.train.values, corrupted.train.values
    np.testing.assert_array_equal(wrong, before != after)
    assert wrong.sum() == round(0.1 * toy_ratings.num_examples)
    assert set(after) <= set(before)
    np.testing.assert_array_equal(corrupted.train.pairs, toy_ratings.train.pairs)


def test_detection() -> None:
    wrong = np.array([True, False, False, True, False, False, False, False, False, False])
    assert detection(wrong.astype(float), wrong, 0.2) == {"auroc": 1, "recall": 1, "share": 0.2}
    assert detection(-wrong.astype(float), wrong, 0.2) == {"auroc": 0, "recall": 0, "share": 0.2}
    assert detection(np.zeros(10), wrong, 0.2)["auroc"] == 0.5
    scores = np.array([5, 9, 4, 8, 3, 2, 1, 0, -1, -2])
    pairs = np.mean([[a > b for b in scores[~wrong]] for a in scores[wrong]])
    assert detection(scores, wrong, 0.2)["auroc"] == pytest.approx(pairs)
    assert detection(scores, wrong, 0.2)["recall"] == 0.5
    generator = np.random.default_rng(0)
    many = generator.random(20_000) < 0.1
    chance = detection(generator.random(20_000), many)
    assert chance["auroc"] == pytest.approx(0.5, abs=0.02)
    assert chance["recall"] == pytest.approx(0.1, abs=0.03)


def test_scores_of_triples(toy: TripleSet) -> None:
    """Each by its definition, with its sign."""
    task = TripleTask(toy, TripleConfig(dim=4, num_negatives=5, epochs=3, learning_rate=0.05))
    trained = train_in_memory(task)
    table, deltas = trained.parameters.table, trained.deltas
    assert deltas is not None
    scores = {way: suspicion(trained, way) for way in ways_of("triples")}
    assert {scores[way].shape for way in scores} == {(60,)}
    for example_id in (0, 20, 59):
        query = toy.query_of(example_id)
        without = table.copy()
        np.subtract.at(without, task.model.rows_of(toy.train[example_id]), deltas[example_id])
        before, after = (task.value(Parameters(of), [query])[0] for of in (table, without))
        assert scores["gr"][example_id] == pytest.approx(np.log(before) - np.log(after))
    assert (scores["gr"] > 0).mean() > 0.9
    assert (scores["tracin"] > 0).all()
    # A step on a harmful example raises the mean validation loss, one on a helpful example lowers it.
    losses = task.losses("float64")
    valid = losses.validation()

    def loss_and_gradient(batch: tuple[np.ndarray, ...], at: np.ndarray) -> tuple[float, np.ndarray]:
        variable = tf.Variable(at)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses.losses(tf.gather(variable, losses.rows(batch)), (), batch))
        return float(loss), tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()

    start, _ = loss_and_gradient(valid, table)
    harm = scores["harm"]
    for example_id in (int(harm.argmax()), int(harm.argmin())):
        _, gradient = loss_and_gradient(tuple(part[[example_id]] for part in losses.train), table)
        stepped, _ = loss_and_gradient(valid, table - 1e-5 * gradient)
        assert np.sign(stepped - start) == np.sign(harm[example_id])


def test_wrong_ratings_are_found(toy_ratings: RatingSet) -> None:
    """Extreme mistakes in ratings that factors explain well: every way but chance finds most of them."""
    corrupted, wrong = with_mistakes(toy_ratings, 0.05, 0)
    values, original = corrupted.train.values, toy_ratings.train.values
    values[wrong] = np.where(original[wrong] >= 3, 1.0, 5.0)
    config = RatingConfig(dim=2, steps=1500, batch_size=40, learning_rate=0.01, dtype="float64")
    trained = train_in_memory(RatingTask(corrupted, config))
    scores = {way: suspicion(trained, way) for way in ("fia", "tracin", "loss", "harm")}
    assert {scores[way].shape for way in scores} == {(toy_ratings.num_examples,)}
    assert scores["loss"].min() >= 0
    errors = trained.task.model.predict_pairs(trained.parameters, corrupted.train.pairs) - values
    np.testing.assert_allclose(scores["loss"], errors**2)
    # Without an example its own error grows.
    assert (scores["fia"] > 0).mean() > 0.9
    for name in ("fia", "tracin", "loss"):
        assert detection(scores[name], wrong)["auroc"] > 0.7
