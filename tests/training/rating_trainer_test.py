"""Training of rating models: the loss it steps on, its batches, removal, resuming."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.evaluation.rating_accuracy import rating_accuracy
from gr_tf.optimizers import Adam
from gr_tf.training import rating_trainer
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RATING_MODELS, RatingTrainConfig
from gr_tf.training.rating_trainer import BLOCK_STEPS, RatingState, RatingTrainer

CONFIG = RatingTrainConfig(dim=4, steps=30, batch_size=25, learning_rate=0.02, weight_decay=0.01, dtype="float64")


def arrays_of(state: RatingState) -> dict[str, np.ndarray]:
    return state.to_arrays()


def assert_same(first: RatingState, second: RatingState) -> None:
    for name, array in arrays_of(first).items():
        np.testing.assert_array_equal(array, arrays_of(second)[name], err_msg=name)


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_steps_are_adams_on_the_written_loss(toy_ratings: RatingSet, model: str) -> None:
    """Against a plain loop: a tape over the whole tables, and the project's own Adam as a pure function."""
    config = dataclasses.replace(CONFIG, model=model)
    trainer = RatingTrainer(toy_ratings, config)
    start = trainer.initial_state()
    removed = 7
    got = trainer.run(start, config.steps, seed=5, removed=[removed])

    adam = Adam(epsilon=1e-8)
    values = [tf.constant(array) for array in (start.parameters.table, *start.parameters.network)]
    penalties = [trainer.model.row_penalty[None], *trainer.model.network_penalty]
    slots = [adam.initial_slots(value) for value in values]
    rows = trainer.model.rows_of(toy_ratings.train.pairs)
    batches = RatingBatches(len(toy_ratings.train), config.batch_size, 5).take(0, config.steps)
    for step in range(config.steps):
        batch = batches[step][batches[step] != removed]
        with tf.GradientTape() as tape:
            tape.watch(values)
            users, items = tf.gather(values[0], rows[batch, 0]), tf.gather(values[0], rows[batch, 1])
            predicted = trainer.model.predict(users, items, values[1:])
            loss = tf.reduce_mean(tf.square(predicted - toy_ratings.train.values[batch]))
            for value, penalty in zip(values, penalties, strict=True):
                loss += config.weight_decay / 2 * tf.reduce_sum(penalty * tf.square(value))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, values)]
        moved = [
            adam.apply(value, slot, gradient, tf.constant(float(step), tf.float64), config.learning_rate)
            for value, slot, gradient in zip(values, slots, gradients, strict=True)
        ]
        values, slots = [value for value, _ in moved], [slot for _, slot in moved]
    # Sums in another order, amplified by 30 steps of Adam, whose first ones divide by tiny numbers.
    for value, want in zip((got.parameters.table, *got.parameters.network), values, strict=True):
        np.testing.assert_allclose(value, want.numpy(), atol=1e-9)
    assert got.done == config.steps


def test_batches_are_an_epochs_ratings_once(toy_ratings: RatingSet) -> None:
    count = len(toy_ratings.train)
    per_epoch = count // 25
    taken = RatingBatches(count, 25, 3).take(0, 2 * per_epoch)
    for epoch in (taken[:per_epoch], taken[per_epoch : 2 * per_epoch]):
        assert len(np.unique(epoch)) == epoch.size
    assert not np.array_equal(taken[:per_epoch], taken[per_epoch : 2 * per_epoch])
    later = RatingBatches(count, 25, 3).take(per_epoch, per_epoch)
    np.testing.assert_array_equal(later[:per_epoch], taken[per_epoch : 2 * per_epoch])


def test_same_seed_same_bits_and_pieces_make_a_whole(toy_ratings: RatingSet, tmp_path: pathlib.Path) -> None:
    """A training killed after its second checkpoint continues to the same bits."""
    config = dataclasses.replace(CONFIG, model="ncf", dtype="float32", steps=3 * BLOCK_STEPS + 10)
    trainer = RatingTrainer(toy_ratings, config)
    whole = trainer.run(trainer.initial_state(), config.steps, seed=1)
    assert_same(whole, trainer.run(trainer.initial_state(), config.steps, seed=1))
    assert whole.parameters.table.dtype == np.float32

    class KilledError(Exception):
        pass

    def kill(metrics: rating_trainer.BlockMetrics, _: object) -> None:
        if metrics.step == 3 * BLOCK_STEPS:
            raise KilledError

    folder = tmp_path / "checkpoints"
    with pytest.raises(KilledError):
        trainer.run(
            trainer.initial_state(), config.steps, seed=1, checkpoints=CheckpointFolder(folder, 0.0), on_block=kill
        )
    done: list[int] = []
    again = trainer.run(
        trainer.initial_state(), config.steps, seed=1, checkpoints=CheckpointFolder(folder, 0.0), on_resume=done.append
    )
    assert done == [2 * BLOCK_STEPS]
    assert_same(whole, again)


def test_very_large_batches_are_done_in_parts(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RatingTrainer(toy_ratings, CONFIG)
    monkeypatch.setattr(rating_trainer, "_RATINGS_AT_ONCE", 7 * CONFIG.batch_size)
    parts = RatingTrainer(toy_ratings, CONFIG)
    start = whole.initial_state()
    assert_same(parts.run(start, 30, seed=5), whole.run(start, 30, seed=5))


def test_removing_nothing_changes_nothing_and_something_does(toy_ratings: RatingSet) -> None:
    trainer = RatingTrainer(toy_ratings, CONFIG)
    start = trainer.initial_state()
    whole = trainer.run(start, 30, seed=0)
    assert_same(whole, trainer.run(start, 30, seed=0, removed=[]))
    without = trainer.run(start, 30, seed=0, removed=[4])
    user = toy_ratings.train.pairs[4, 0]
    assert not np.array_equal(whole.parameters.table[user], without.parameters.table[user])


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_training_learns_the_toy(toy_ratings: RatingSet, model: str) -> None:
    config = dataclasses.replace(CONFIG, model=model, weight_decay=1e-4)
    trainer = RatingTrainer(toy_ratings, config)
    state = trainer.run(trainer.initial_state(), 1500, seed=0)
    errors = trainer.model.predict_pairs(state.parameters, toy_ratings.train.pairs) - toy_ratings.train.values
    assert np.mean(errors**2) < np.var(toy_ratings.train.values) / 4


def test_settings_out_of_range(toy_ratings: RatingSet) -> None:
    for name, value, message in (
        ("dim", 0, "dim must be from 1 to"),
        ("steps", 0, "steps must be from 1 to"),
        ("batch_size", -3, "batch_size must be from 1 to"),
        ("seed", -1, "seed must be from 0 to"),
        ("model", "svd", "model must be one of mf, ncf; got 'svd'"),
        ("dtype", "half", "dtype must be one of"),
        ("learning_rate", 0.0, "learning_rate must be above 0"),
        ("learning_rate", float("nan"), "learning_rate must be above 0"),
        ("weight_decay", -0.1, "weight_decay must be a number of at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            RatingTrainConfig(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch_size must be at most the 92 training ratings; got 3020"):
        RatingTrainer(toy_ratings, RatingTrainConfig())
    with pytest.raises(InputError, match="dim must be even; got 5"):
        RatingTrainer(toy_ratings, dataclasses.replace(CONFIG, model="ncf", dim=5))
    trainer = RatingTrainer(toy_ratings, CONFIG)
    with pytest.raises(InputError, match="example ids are 0 to 91; got 92"):
        trainer.run(trainer.initial_state(), 1, seed=0, removed=[92])


def test_an_error_that_is_not_finite_names_its_step(toy_ratings: RatingSet) -> None:
    trainer = RatingTrainer(toy_ratings, CONFIG)
    start = trainer.initial_state()
    start.parameters.table[0, 0] = np.inf
    with pytest.raises(TrainingError, match=r"the mean squared error is (nan|inf) at step \d; a lower learning rate"):
        trainer.run(start, 30, seed=0)


def test_parameters_that_are_not_finite_in_the_end(toy_ratings: RatingSet) -> None:
    """The last step's error is before its update: here a row of no batch is broken."""
    trainer = RatingTrainer(toy_ratings, CONFIG)
    start = trainer.initial_state()
    user = int(toy_ratings.train.pairs[0, 0])
    start.means.table[user, 0] = np.inf
    with pytest.raises(TrainingError, match=r"parameters are not finite after step 0|the mean squared error is"):
        trainer.run(start, 1, seed=0)


def test_accuracy(toy_ratings: RatingSet) -> None:
    trainer = RatingTrainer(toy_ratings, CONFIG)
    parameters = trainer.initial_state().parameters
    errors = trainer.model.predict_pairs(parameters, toy_ratings.test.pairs) - toy_ratings.test.values
    told = rating_accuracy(trainer.model, parameters, toy_ratings.test)
    assert told == pytest.approx({"rmse": np.mean(errors**2) ** 0.5, "mae": np.abs(errors).mean()})
    nothing = rating_accuracy(trainer.model, parameters, toy_ratings.test.only(np.array([], int)))
    assert nothing == {"rmse": None, "mae": None}


def test_predictions_in_parts(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = RatingTrainer(toy_ratings, CONFIG)
    parameters, pairs = trainer.initial_state().parameters, toy_ratings.train.pairs
    whole = trainer.model.predict_pairs(parameters, pairs)
    monkeypatch.setattr("gr_tf.models.rating_model._AT_ONCE", 7)
    np.testing.assert_array_equal(trainer.model.predict_pairs(parameters, pairs), whole)
