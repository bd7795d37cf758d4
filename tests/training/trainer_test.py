"""Laws of training: bit for bit, whichever way it is run."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.negatives import draw_candidates
from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.ranking import validation_mrr
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.config import TrainConfig
from gr_tf.training.dense_steps import DenseSteps, _compiled_block
from gr_tf.training.trainer import EpochMetrics, Trainer

CONFIG = TrainConfig(dim=6, num_negatives=5, epochs=3, learning_rate=0.03)


def run(triples: TripleSet, config: TrainConfig = CONFIG, **options: object) -> tuple[np.ndarray, np.ndarray]:
    trainer = Trainer(triples, config)
    store = RollbackStore(triples.num_examples, trainer.model.width, config.dtype)
    return trainer.run(store=store, **options).table, store.to_numpy()  # type: ignore[arg-type]


def in_numpy(triples: TripleSet, config: TrainConfig, removed: set[int]) -> tuple[np.ndarray, np.ndarray]:
    """The spec in plain NumPy: DistMult, softmax, dense Adam, deltas of the three rows."""
    trainer = Trainer(triples, config)
    n = len(triples.entities)
    table = trainer.initial_table.copy()
    mean, square, count = np.zeros_like(table), np.zeros_like(table), 0
    deltas = np.zeros((triples.num_examples, 3, config.dim))
    candidates = draw_candidates(triples.train, 0, n, config.num_negatives)
    for _ in range(config.epochs):
        for i, (head, relation, gold) in enumerate(triples.train.tolist()):
            if i in removed:
                continue
            rows = table[candidates[i]]
            s, r = table[head], table[n + relation]
            scores = rows @ (s * r)
            error = np.exp(scores - scores.max())
            error /= error.sum()
            error[0] -= 1
            gradient = np.zeros_like(table)
            gradient[head] += r * (error @ rows)
            gradient[n + relation] += s * (error @ rows)
            np.add.at(gradient, candidates[i], np.outer(error, s * r))
            count += 1
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            before = table
            rate = config.learning_rate * np.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            table = table - rate * mean / (np.sqrt(square) + 1e-7)
            change = table - before
            deltas[i] += [change[head], change[n + relation], change[gold] * (head != gold)]
    return table, deltas


@pytest.mark.parametrize("removed", [(), (0, 7, 59)])
def test_equals_the_specification_in_numpy(toy: TripleSet, removed: tuple[int, ...]) -> None:
    """180 steps of rounding; the toy has self-loops, repeated triples and repeated negatives."""
    table, deltas = run(toy, removed=removed)
    expected_table, expected_deltas = in_numpy(toy, CONFIG, set(removed))
    np.testing.assert_allclose(table, expected_table, rtol=0, atol=1e-12)
    np.testing.assert_allclose(deltas, expected_deltas, rtol=0, atol=1e-12)
    assert not deltas[list(removed)].any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_twice_is_the_same_to_the_bit(toy: TripleSet, loss: str, dtype: str) -> None:
    config = TrainConfig(dim=6, num_negatives=5, epochs=2, loss=loss, dtype=dtype)
    first, second = run(toy, config), run(toy, config)
    assert first[0].dtype == dtype
    assert first[1].dtype == dtype
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_removing_nothing_reproduces_the_weights_to_the_bit(toy: TripleSet) -> None:
    """A retraining tracks and validates nothing; the weights must not know."""
    trainer = Trainer(toy, CONFIG)
    store = RollbackStore(toy.num_examples, trainer.model.width, "float64")
    main = trainer.run(store=store, validate=validation_mrr(trainer.model, toy))
    np.testing.assert_array_equal(trainer.run(removed=[], epochs=main.epoch).table, main.table)


def test_removed_examples_do_nothing_and_others_keep_their_negatives(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    """Removing the last triples of the file is training on the shorter file."""
    lines = (tmp_path / "train.txt", tmp_path / "valid.txt", tmp_path / "test.txt")
    names = toy.names(toy.train)
    for path, frame in zip(lines, (names[:-8], names, names), strict=True):
        path.write_text(frame.to_csv(sep="\t", header=False, index=False))
    shorter = read_folder(tmp_path)
    assert shorter.entities == toy.entities
    np.testing.assert_array_equal(run(shorter)[0], run(toy, removed=range(52, 60))[0])


def test_sgd_deltas_add_up(tmp_path: pathlib.Path) -> None:
    """Initial values + all recorded deltas = final values, where every touched row is tracked.

    With heads always a and tails always b, a negative is the head, or the gold tail itself.
    """
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text("a\tr\tb\na\tq\tb\na\tr\tb\n")
    triples = read_folder(tmp_path)
    trainer = Trainer(triples, TrainConfig(dim=4, num_negatives=3, epochs=5, optimizer="sgd", learning_rate=0.5))
    store = RollbackStore(3, 4, "float64")
    table = trainer.run(store=store).table
    rows = trainer.model.rows_of(triples.train)
    total = trainer.initial_table.copy()
    np.add.at(total, rows, store.to_numpy())
    assert np.abs(table - trainer.initial_table).max() > 1e-3
    np.testing.assert_allclose(total, table, rtol=0, atol=1e-15)


def use_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Trains in blocks of `size` whose candidates do not depend on the size."""

    def draw(train: np.ndarray, first: int, num_entities: int, num_negatives: int, seed: int) -> np.ndarray:
        return draw_candidates(train, 0, num_entities, num_negatives, seed)[first : first + size]

    monkeypatch.setattr("gr_tf.training.trainer.BLOCK_SIZE", size)
    monkeypatch.setattr("gr_tf.training.trainer.draw_candidates", draw)


def test_blocks_change_nothing(toy: TripleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks an epoch, the last one padded, drawn anew or kept."""
    whole = run(toy)
    use_blocks(monkeypatch, 16)
    kept = run(toy)
    monkeypatch.setattr("gr_tf.training.trainer._KEPT_PLANS_BYTES", 0)
    redrawn = run(toy)
    for name in (0, 1):
        np.testing.assert_array_equal(kept[name], redrawn[name])
        np.testing.assert_allclose(kept[name], whole[name], rtol=0, atol=1e-13)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("blocks_done", range(1, 12))
def test_resumed_is_the_same_to_the_bit(
    toy: TripleSet, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, blocks_done: int
) -> None:
    use_blocks(monkeypatch, 16)
    trainer = Trainer(toy, CONFIG)
    validate = validation_mrr(trainer.model, toy)

    def train(**options: object) -> tuple[np.ndarray, np.ndarray, int, tuple[EpochMetrics, ...]]:
        store = RollbackStore(toy.num_examples, trainer.model.width, "float64")
        result = trainer.run(store=store, validate=validate, **options)  # type: ignore[arg-type]
        return result.table, store.to_numpy(), result.epoch, result.history

    checkpoints = CheckpointFolder(tmp_path / "checkpoints", every_seconds=0)
    seen = 0

    def kill() -> None:
        nonlocal seen
        seen += 1
        if seen == blocks_done:
            raise KilledError

    with pytest.raises(KilledError):
        train(checkpoints=checkpoints, on_block=kill)
    resumed_from: list[int] = []
    resumed = train(checkpoints=checkpoints, on_resume=resumed_from.append)
    # The kill came after the block and before its checkpoint.
    assert resumed_from == [blocks_done - 1]
    straight = train()
    np.testing.assert_array_equal(resumed[0], straight[0])
    np.testing.assert_array_equal(resumed[1], straight[1])
    assert resumed[2:] == straight[2:]


def test_best_epoch_is_kept_with_its_rollback(toy: TripleSet) -> None:
    scores = iter([0.1, 0.5, 0.5, 0.2])
    config = TrainConfig(dim=6, num_negatives=5, epochs=4, learning_rate=0.03)
    trainer = Trainer(toy, config)
    store = RollbackStore(toy.num_examples, 6, "float64")
    result = trainer.run(store=store, validate=lambda table: next(scores))
    assert result.epoch == 2
    assert [m.validation_mrr for m in result.history] == [0.1, 0.5, 0.5, 0.2]
    expected = RollbackStore(toy.num_examples, 6, "float64")
    np.testing.assert_array_equal(result.table, trainer.run(store=expected, epochs=2).table)
    np.testing.assert_array_equal(store.to_numpy(), expected.to_numpy())


def test_history_tells_loss_and_lipschitz(toy: TripleSet) -> None:
    history = Trainer(toy, CONFIG).run().history
    assert [m.epoch for m in history] == [1, 2, 3]
    # Six candidates of almost equal score at first.
    assert history[0].loss == pytest.approx(np.log(6), rel=0.05)
    assert history[2].loss < history[0].loss
    assert 0 < history[0].lipschitz <= history[1].lipschitz <= history[2].lipschitz


def test_compiled_once_for_every_removal(toy: TripleSet) -> None:
    """Order and count must be inputs of the compiled graph: XLA would compile anew for other constants."""
    config = dataclasses.replace(CONFIG, dim=7)  # a graph that no other test has
    trainer = Trainer(toy, config)
    trainer.run()
    trainer.run(removed=[1, 2])
    trainer.run(removed=[5])
    block = _compiled_block(trainer.model, config.loss, config.make_optimizer(), config.dtype, config.constraint)
    assert block.experimental_get_tracing_count() == 1
    state = DenseSteps(trainer.model, config.loss, config.make_optimizer(), config.dtype).start(
        trainer.initial_table, config.learning_rate
    )
    arguments = (state, tf.zeros([60, 8], tf.int32), tf.zeros([60], tf.int32), tf.constant(3))
    hlo = block.experimental_get_compiler_ir(*arguments)(stage="hlo")
    entry = hlo[hlo.index("\nENTRY") :]
    assert entry.count(" parameter(") == len(tf.nest.flatten(arguments))
    assert block.experimental_get_tracing_count() == 1


def test_loss_that_is_not_finite_names_step_and_example(toy: TripleSet) -> None:
    table = Trainer(toy, CONFIG).initial_table
    table[len(toy.entities) + int(toy.train[0, 1])] = 1e200
    table[: len(toy.entities)] = 1e200
    with pytest.raises(TrainingError, match=r"the loss is nan at step 0 of epoch 1, training triple 0 \(e0\tr0\te"):
        Trainer(toy, CONFIG, table).run()


def test_bad_arguments(toy: TripleSet) -> None:
    trainer = Trainer(toy, CONFIG)
    with pytest.raises(InputError, match="example ids are 0 to 59; got 60"):
        trainer.run(removed=[60])
    for epochs in (0, 4):
        with pytest.raises(InputError, match=f"epochs must be from 1 to the configuration's 3; got {epochs}"):
            trainer.run(epochs=epochs)
    with pytest.raises(InputError, match="initial_table must have shape"):
        Trainer(toy, CONFIG, np.zeros((2, 2)))


def test_removing_everything_leaves_the_initial_values(toy: TripleSet) -> None:
    trainer = Trainer(toy, CONFIG)
    result = trainer.run(removed=range(60))
    np.testing.assert_array_equal(result.table, trainer.initial_table)
    assert np.isnan(result.history[-1].loss)


def test_a_store_can_be_used_again(toy: TripleSet) -> None:
    trainer = Trainer(toy, CONFIG)
    store = RollbackStore(toy.num_examples, trainer.model.width, "float64")
    trainer.run(store=store)
    once = store.to_numpy()
    trainer.run(store=store)
    np.testing.assert_array_equal(store.to_numpy(), once)


@pytest.mark.parametrize(("constraint", "largest"), [("unit_norm", 1), ("max_norm_2", 2), ("max_norm_3", 3)])
def test_constraints_hold_and_are_part_of_the_deltas(toy: TripleSet, constraint: str, largest: float) -> None:
    """A single step from large rows: its deltas are the whole change of its rows, projection included."""
    config = TrainConfig(dim=4, num_negatives=3, epochs=1, constraint=constraint)
    table = Trainer(toy, config).initial_table
    table[::2] *= 200  # every other row is longer than any constraint allows
    trainer = Trainer(toy, config, table)
    store = RollbackStore(toy.num_examples, 4, "float64")
    final = trainer.run(store=store, removed=range(1, 60)).table
    norms = np.linalg.norm(final, axis=1)
    if constraint == "unit_norm":
        np.testing.assert_allclose(norms, 1, rtol=1e-12)
    else:
        assert norms.max() <= largest * (1 + 1e-12)
        assert norms.max() > 0.999 * largest
        # Rows below the maximum only take Adam's step.
        within = np.linalg.norm(table, axis=1) < 0.9 * largest
        assert np.abs(final - table)[within].max() <= 1.01 * config.learning_rate
    rows = trainer.model.rows_of(toy.train[0])
    np.testing.assert_allclose(store.to_numpy()[0], final[rows] - table[rows], rtol=0, atol=1e-14)


def test_a_constraint_needs_dense_steps() -> None:
    with pytest.raises(InputError, match="constraint 'unit_norm' moves every row"):
        TrainConfig(constraint="unit_norm", steps="rows")


@pytest.mark.parametrize("steps", ["dense", "rows"])
def test_a_recorded_beginning_changes_no_bit(toy: TripleSet, monkeypatch: pytest.MonkeyPatch, steps: str) -> None:
    use_blocks(monkeypatch, 16)
    trainer = Trainer(toy, dataclasses.replace(CONFIG, steps=steps))
    prefix = trainer.record_prefix(every=1)
    assert sorted(prefix.states) == [1, 2, 3]
    done = 0

    def count() -> None:
        nonlocal done
        done += 1

    for removed, skipped in (([3], 0), ([16, 40], 1), ([59], 3), ([40, 59, 33], 2)):
        done = 0
        result = trainer.run(removed=removed, prefix=prefix, on_block=count)
        assert done == 3 * 4 - skipped
        straight = trainer.run(removed=removed)
        np.testing.assert_array_equal(result.table, straight.table)
        assert result.history == straight.history
    with pytest.raises(ValueError, match="starts at its first step"):
        trainer.run(prefix=prefix, store=RollbackStore(60, 6, "float64"))
