"""The steps of triples: against plain NumPy, in blocks, without examples, under constraints."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.negatives import draw_candidates
from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.dense_kernel import DenseKernel, _compiled_block
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=6, num_negatives=5, epochs=3, learning_rate=0.03)


def run(triples: TripleSet, config: TripleConfig = CONFIG, **options: object) -> tuple[np.ndarray, np.ndarray]:
    return run_task(TripleTask(triples, config), **options)


def run_task(task: TripleTask, **options: object) -> tuple[np.ndarray, np.ndarray]:
    """The trained table, and what each example changed."""
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype)
    return task.train(store=store, **options).parameters.table, store.to_numpy()  # type: ignore[arg-type]


def in_numpy(triples: TripleSet, config: TripleConfig, removed: set[int]) -> tuple[np.ndarray, np.ndarray]:
    """The spec in plain NumPy: DistMult, softmax, dense Adam, deltas of the three rows."""
    n = len(triples.entities)
    table = TripleTask(triples, config).initial_parameters.table.copy()
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
    task = TripleTask(triples, TripleConfig(dim=4, num_negatives=3, epochs=5, optimizer="sgd", learning_rate=0.5))
    table, deltas = run_task(task)
    total = task.initial_parameters.table.copy()
    np.add.at(total, task.model.rows_of(triples.train), deltas)
    assert np.abs(table - task.initial_parameters.table).max() > 1e-3
    np.testing.assert_allclose(total, table, rtol=0, atol=1e-15)


def use_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Trains in blocks of `size` whose candidates do not depend on the size."""

    def draw(train: np.ndarray, first: int, num_entities: int, num_negatives: int, seed: int) -> np.ndarray:
        return draw_candidates(train, 0, num_entities, num_negatives, seed)[first : first + size]

    monkeypatch.setattr("gr_tf.training.triple_steps.BLOCK_SIZE", size)
    monkeypatch.setattr("gr_tf.training.triple_steps.draw_candidates", draw)


def test_blocks_change_nothing(toy: TripleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks an epoch, the last one padded, drawn anew or kept."""
    whole = run(toy)
    use_blocks(monkeypatch, 16)
    kept = run(toy)
    monkeypatch.setattr("gr_tf.training.triple_steps._KEPT_PLANS_BYTES", 0)
    redrawn = run(toy)
    for name in (0, 1):
        np.testing.assert_array_equal(kept[name], redrawn[name])
        np.testing.assert_allclose(kept[name], whole[name], rtol=0, atol=1e-13)


def test_history_tells_loss_and_lipschitz(toy: TripleSet) -> None:
    history = TripleTask(toy, CONFIG).train().history
    assert [m.epoch for m in history] == [1, 2, 3]
    # Six candidates of almost equal score at first.
    assert history[0].loss == pytest.approx(np.log(6), rel=0.05)
    assert history[2].loss < history[0].loss
    assert 0 < history[0].lipschitz <= history[1].lipschitz <= history[2].lipschitz


def test_compiled_once_for_every_removal(toy: TripleSet) -> None:
    """Order and count must be inputs of the compiled graph: XLA would compile anew for other constants."""
    config = dataclasses.replace(CONFIG, dim=7)  # a graph that no other test has
    task = TripleTask(toy, config)
    for removed in ([], [1, 2], [5]):
        task.train(removed=removed)
    block = _compiled_block(task.model, config.loss, config.make_optimizer(), config.dtype, config.constraint)
    assert block.experimental_get_tracing_count() == 1
    state = DenseKernel(task.model, config.loss, config.make_optimizer(), config.dtype).start(
        task.initial_parameters.table, config.learning_rate
    )
    arguments = (state, tf.zeros([60, 8], tf.int32), tf.zeros([60], tf.int32), tf.constant(3))
    hlo = block.experimental_get_compiler_ir(*arguments)(stage="hlo")
    entry = hlo[hlo.index("\nENTRY") :]
    assert entry.count(" parameter(") == len(tf.nest.flatten(arguments))
    assert block.experimental_get_tracing_count() == 1


def test_removing_everything_leaves_the_initial_values(toy: TripleSet) -> None:
    task = TripleTask(toy, CONFIG)
    result = task.train(removed=range(60))
    np.testing.assert_array_equal(result.parameters.table, task.initial_parameters.table)
    assert np.isnan(result.history[-1].loss)


@pytest.mark.parametrize(("constraint", "largest"), [("unit_norm", 1), ("max_norm_2", 2), ("max_norm_3", 3)])
def test_constraints_hold_and_are_part_of_the_deltas(toy: TripleSet, constraint: str, largest: float) -> None:
    """A single step from large rows: its deltas are the whole change of its rows, projection included."""
    config = TripleConfig(dim=4, num_negatives=3, epochs=1, constraint=constraint)
    table = TripleTask(toy, config).initial_parameters.table.copy()
    table[::2] *= 200  # every other row is longer than any constraint allows
    task = TripleTask(toy, config, Parameters(table))
    final, deltas = run_task(task, removed=range(1, 60))
    norms = np.linalg.norm(final, axis=1)
    if constraint == "unit_norm":
        np.testing.assert_allclose(norms, 1, rtol=1e-12)
    else:
        assert norms.max() <= largest * (1 + 1e-12)
        assert norms.max() > 0.999 * largest
        # Rows below the maximum only take Adam's step.
        within = np.linalg.norm(table, axis=1) < 0.9 * largest
        assert np.abs(final - table)[within].max() <= 1.01 * config.learning_rate
    rows = task.model.rows_of(toy.train[0])
    np.testing.assert_allclose(deltas[0], final[rows] - table[rows], rtol=0, atol=1e-14)


def test_a_constraint_needs_dense_steps() -> None:
    with pytest.raises(InputError, match="constraint='unit_norm' moves every row"):
        TripleConfig(constraint="unit_norm", steps="rows")
