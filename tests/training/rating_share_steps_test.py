"""Mini-batches of ratings: the loss they step on, and what each rating's share is."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training import rating_share_steps
from gr_tf.training.driver import Training
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.rollback_store import RollbackStore

CONFIG = RatingConfig(
    dim=4,
    optimizer="sgd",
    epochs=3,
    batch_size=7,
    learning_rate=0.01,
    weight_decay=0.1,
    initial_deviation=0.3,
    dtype="float64",
    seed=3,
)
# How much of a number's digits a precision leaves after some hundred sums.
ROUNDING = {"float64": 1e-13, "float32": 1e-5}


def task_of(ratings: RatingSet, **changes: object) -> RatingTask:
    return RatingTask(ratings, dataclasses.replace(CONFIG, **changes))  # type: ignore[arg-type]


def tracked(task: RatingTask, removed: tuple[int, ...] = ()) -> tuple[Training, np.ndarray]:
    """A training, and the shares [num_examples, 2, width]."""
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, rows=2)
    return task.train(store=store, removed=removed), store.to_numpy()


@pytest.mark.parametrize("model", list(RATING_MODELS))
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
@pytest.mark.parametrize(
    ("batch_size", "dtype"), [(1, "float64"), (7, "float32"), pytest.param(92, "float64", marks=pytest.mark.slow)]
)
def test_start_and_all_shares_are_the_end(
    toy_ratings: RatingSet, model: str, optimizer: str, batch_size: int, dtype: str
) -> None:
    task = task_of(toy_ratings, model=model, optimizer=optimizer, batch_size=batch_size, dtype=dtype)
    end, shares = tracked(task, removed=(5,))
    table = task.initial_parameters.table.astype("float64")
    rows = task.model.rows_of(toy_ratings.train.pairs)
    np.add.at(table, rows, shares.astype("float64"))
    np.testing.assert_allclose(end.parameters.table, table, atol=ROUNDING[dtype])
    assert np.abs(end.parameters.table - task.initial_parameters.table).max() > 0.02
    assert not shares[5].any()
    assert np.abs(np.delete(shares, 5, axis=0)).max(axis=(1, 2)).min() > 0


def test_single_steps_of_sgd_by_hand(toy_ratings: RatingSet) -> None:
    """Surprise's loop, with its factor of 2: its rate is twice ours, its regularization half of ours."""
    task, removed = task_of(toy_ratings, batch_size=1), 7
    end, shares = tracked(task, removed=(removed,))
    table = task.initial_parameters.table.copy()
    mean = toy_ratings.train.values.mean()
    rate, regularization = 2 * CONFIG.learning_rate, CONFIG.weight_decay / 2
    want, num, errors = np.zeros_like(shares), toy_ratings.num_examples, []
    for example in RatingBatches(num, 1, CONFIG.seed).take(0, 3 * num)[:, 0]:
        if example == removed:
            continue
        user, item = task.model.rows_of(toy_ratings.train.pairs[example])
        p, q = table[user].copy(), table[item].copy()
        error = toy_ratings.train.values[example] - (mean + p[-1] + q[-1] + p[:-1] @ q[:-1])
        errors.append(error**2)
        of_user = rate * (error * np.append(q[:-1], 1) - regularization * p)
        of_item = rate * (error * np.append(p[:-1], 1) - regularization * q)
        table[user] += of_user
        table[item] += of_item
        want[example] += [of_user, of_item]
    np.testing.assert_allclose(end.parameters.table, table, atol=1e-13)
    np.testing.assert_allclose(shares, want, atol=1e-13)
    assert end.parameters.shared[0] == mean
    last = np.sum(errors[-num + 1 :]) / num
    assert end.history[-1].loss == pytest.approx(last, rel=1e-12)


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_batches_of_adagrad_by_hand(toy_ratings: RatingSet, model: str) -> None:
    """The gradient of the written loss, over a batch; each rating's share by its own gradient."""
    task = task_of(toy_ratings, model=model, optimizer="adagrad", epochs=2)
    end, shares = tracked(task)
    values = [tf.constant(array) for array in task.initial_parameters.arrays]
    squares = [np.zeros(value.shape) for value in values]
    want, per_epoch = np.zeros_like(shares), -(-toy_ratings.num_examples // 7)
    for batch in RatingBatches(toy_ratings.num_examples, 7, CONFIG.seed, whole=True).take(0, 2 * per_epoch):
        own = []
        for example in batch[batch >= 0]:
            rows = task.model.rows_of(toy_ratings.train.pairs[example])
            with tf.GradientTape() as tape:
                tape.watch(values)
                pair = tf.gather(values[0], rows)
                error = task.model.predict(pair[:1], pair[1:], values[1:])[0] - toy_ratings.train.values[example]
                loss = tf.square(error) + CONFIG.weight_decay / 2 * tf.reduce_sum(tf.square(pair))
            own.append((example, rows, [tf.convert_to_tensor(part).numpy() for part in tape.gradient(loss, values)]))
        scales = []
        for place, value in enumerate(values):
            total = sum(gradients[place] for *_, gradients in own)
            squares[place] += total**2
            scales.append(CONFIG.learning_rate / (np.sqrt(squares[place]) + 1e-10))
            if place == 0 or task.model.trains_network:
                values[place] = value - scales[place] * total
        for example, rows, gradients in own:
            want[example] -= (scales[0] * gradients[0])[rows]
    for value, array in zip(end.parameters.arrays, values, strict=True):
        np.testing.assert_allclose(value, array, atol=1e-12)
    np.testing.assert_allclose(shares, want, atol=1e-12)


def test_order_in_a_batch_does_not_matter(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    want, of_want = tracked(task_of(toy_ratings, batch_size=23))
    take = RatingBatches.take
    monkeypatch.setattr(RatingBatches, "take", lambda *arguments: take(*arguments)[:, ::-1])
    got, of_got = tracked(task_of(toy_ratings, batch_size=23))
    assert (got.parameters.table != want.parameters.table).any()
    np.testing.assert_allclose(got.parameters.table, want.parameters.table, atol=1e-13)
    np.testing.assert_allclose(of_got, of_want, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_resumed_to_the_bit(
    toy_ratings: RatingSet, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """KilledError after each block in turn; blocks of two batches change no bit either."""
    task = task_of(toy_ratings, optimizer=optimizer, dtype="float32", patience=1)
    store = RollbackStore(task.num_examples, task.model.width, "float32", rows=2)
    want = task.train(store=store, validating=True)
    monkeypatch.setattr(rating_share_steps, "_RATINGS_AT_ONCE", 14)
    assert len(task.with_config().steps.blocks(3)) == 3 * 7
    checkpoints = CheckpointFolder(tmp_path, 0.0)

    class KilledError(Exception):
        pass

    again = RollbackStore(task.num_examples, task.model.width, "float32", rows=2)
    for _ in range(100):
        killing = task.with_config()
        done: list[int] = []

        def after(*_: object, done: list[int] = done) -> None:
            done.append(1)
            if len(done) == 2:
                raise KilledError

        try:
            got = killing.train(store=again, validating=True, checkpoints=checkpoints, on_block=after)
            break
        except KilledError:
            again.clear()
    assert got.epoch == want.epoch
    for name, array in want.state().items():
        np.testing.assert_array_equal(got.state()[name], array, err_msg=name)
    np.testing.assert_array_equal(again.to_numpy(), store.to_numpy())
    np.testing.assert_array_equal(got.parameters.table, want.parameters.table)


def test_lowest_validation_rmse_is_selected(toy_ratings: RatingSet) -> None:
    task = task_of(toy_ratings, epochs=60, learning_rate=0.05, weight_decay=0.0, patience=4)
    trained = train_in_memory(task, validating=True)
    training = task.train(validating=True)
    told = [epoch.validation["rmse"] for epoch in training.history]
    assert len(told) == min(60, training.epoch + 4)
    assert trained.epoch == training.epoch == 1 + int(np.argmin(told))
    assert 1 < training.epoch < 60
    shorter = task.train(length=trained.length)
    np.testing.assert_array_equal(shorter.parameters.table, trained.parameters.table)


def test_a_removal_changes_nothing_that_does_not_follow_from_it(toy_ratings: RatingSet) -> None:
    """In one epoch, rows that no batch links to the removed rating after its own are the same to the bit."""
    task = task_of(toy_ratings, epochs=1, batch_size=1, dtype="float32")
    order = RatingBatches(toy_ratings.num_examples, 1, CONFIG.seed).take(0, toy_ratings.num_examples)[:, 0]
    last = int(order[-1])
    whole, without = (task.train(removed=gone).parameters for gone in ([], [last]))
    same = np.ones(task.model.num_rows, bool)
    same[task.model.rows_of(toy_ratings.train.pairs[last])] = False
    np.testing.assert_array_equal(without.table[same], whole.table[same])
    assert (without.table[~same] != whole.table[~same]).all()


def test_everything_removed_stays_at_the_start(toy_ratings: RatingSet) -> None:
    task = task_of(toy_ratings, optimizer="adagrad", model="ncf")
    end, shares = tracked(task, removed=tuple(range(toy_ratings.num_examples)))
    for value, start in zip(end.parameters.arrays, task.initial_parameters.arrays, strict=True):
        np.testing.assert_array_equal(value, start)
    assert not shares.any()


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_starts_at_the_mean_with_the_deviation_asked_for(toy_ratings: RatingSet, model: str) -> None:
    small = task_of(toy_ratings, model=model, dim=64, initial_deviation=1e-6)
    predicted = small.model.predict_pairs(small.initial_parameters, toy_ratings.train.pairs)
    np.testing.assert_allclose(predicted, toy_ratings.train.values.mean(), atol=1e-5)
    drawn = task_of(toy_ratings, model=model, dim=64).initial_parameters
    random = drawn.table[drawn.table != 0]
    # Draws beyond two standard deviations are drawn again, which leaves 0.88 of it.
    assert random.std() == pytest.approx(0.88 * 0.3, rel=0.05)
    plain = task_of(toy_ratings, model=model, dim=64, initial_deviation=None)
    np.testing.assert_array_equal(plain.initial_parameters.table, plain.model.initial_parameters(3).table)


def test_what_is_refused(toy_ratings: RatingSet) -> None:
    with pytest.raises(InputError, match="batch_size must be at most the 92 training ratings; got 93"):
        task_of(toy_ratings, batch_size=93).train()
    with pytest.raises(InputError, match="optimizer 'sgd' needs a number of epochs"):
        RatingConfig(optimizer="sgd")
    for name, value in (("epochs", 3), ("patience", 2), ("initial_deviation", 0.1)):
        with pytest.raises(InputError, match=f"{name} is for optimizers sgd and adagrad; got {value} with adam"):
            RatingConfig(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="epochs must be from 1 to the configuration's 3; got 4"):
        task_of(toy_ratings).train(length=4)
    empty = dataclasses.replace(toy_ratings, valid=toy_ratings.valid.only(slice(0, 0)))
    with pytest.raises(InputError, match="patience needs validation ratings"):
        task_of(empty, patience=2).train()
    with pytest.raises(InputError, match="steps is for optimizer 'adam'; sgd trains for a number of epochs"):
        RatingTask.own_settings(toy_ratings, {"steps": 3, "optimizer": "sgd"})


def test_variants(toy_ratings: RatingSet) -> None:
    """What is tried on one's own ratings: each can be trained, and leaves alone what was asked for."""
    task = task_of(toy_ratings, epochs=1)
    tried = task.variants({})
    assert tried[0] == {}
    assert len(tried) == len({str(variant) for variant in tried}) == 6
    for variant in tried:
        assert task.with_config(**variant).train().parameters.are_finite
    assert not any("dim" in variant for variant in task.variants({"dim": 4}))
    assert RatingTask(toy_ratings, RatingConfig(steps=5)).variants({}) == []


def test_own_settings(toy_ratings: RatingSet) -> None:
    """Who asks for adam, or for steps, gets the papers'; without validation ratings nothing selects the epoch."""
    papers = RatingTask.own_settings(toy_ratings, {"optimizer": "adam"})
    assert papers["steps"] == 80_000
    assert "optimizer" not in papers
    assert RatingTask.own_settings(toy_ratings, {"steps": 3}) == papers
    own = RatingConfig(**RatingTask.own_settings(toy_ratings, {}))
    assert (own.optimizer, own.batch_size, own.patience) == ("sgd", 1, 10)
    empty = dataclasses.replace(toy_ratings, valid=toy_ratings.valid.only(slice(0, 0)))
    unchecked = RatingConfig(**RatingTask.own_settings(empty, {"model": "ncf"}))
    assert (unchecked.model, unchecked.patience, unchecked.epochs) == ("ncf", None, 40)
    RatingTask(empty, dataclasses.replace(unchecked, epochs=1)).train()
