"""Laws of training that hold for every kind of data, to the bit."""

import concurrent.futures
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from gr_tf.data.negatives import draw_candidates
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.parameters import Parameters
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.driver import Selection, Training, record_prefix, train
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

KINDS = ("dense triples", "triples by rows", "ratings", "single ratings", "sequences")
TRIPLES = TripleConfig(dim=6, num_negatives=5, epochs=3, learning_rate=0.03)
RATINGS = RatingConfig(model="ncf", dim=4, steps=30, batch_size=25, learning_rate=0.02, weight_decay=0.01)
SEQUENCES = SequenceConfig(
    dim=3, hidden=4, epochs=5, batch_size=16, learning_rate=0.1, l2=0.01, train_embeddings=True, shuffle=True,
    kept_epochs=(1, 3, 4), patience=2,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _small_blocks() -> Iterator[None]:
    """Every training has several blocks, the last one smaller; triples' candidates do not depend on that."""

    def draw(train: np.ndarray, first: int, num_entities: int, num_negatives: int, seed: int) -> np.ndarray:
        return draw_candidates(train, 0, num_entities, num_negatives, seed)[first : first + 16]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gr_tf.training.triple_steps.BLOCK_SIZE", 16)
        patch.setattr("gr_tf.training.triple_steps.draw_candidates", draw)
        patch.setattr("gr_tf.training.rating_steps.BLOCK_STEPS", 7)
        patch.setattr("gr_tf.training.single_rating_steps._BLOCK_STEPS", 17)
        yield


@pytest.fixture(scope="module")
def tasks(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet) -> dict[str, Task[Any]]:
    single = dataclasses.replace(RATINGS, model="mf", batch_size=1, steps=130, dtype="float64")
    return {
        "dense triples": TripleTask(toy, dataclasses.replace(TRIPLES, steps="dense")),
        "triples by rows": TripleTask(toy, dataclasses.replace(TRIPLES, steps="rows", dtype="float32", loss="sigmoid")),
        "ratings": RatingTask(toy_ratings, RATINGS),
        "single ratings": RatingTask(toy_ratings, single),
        "sequences": SequenceTask(toy_sequences, SEQUENCES),
    }


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def task(kind: str, tasks: dict[str, Task[Any]]) -> Task[Any]:
    return tasks[kind]


@pytest.fixture(scope="module")
def whole(task: Task[Any]) -> tuple[Training, np.ndarray | None]:
    """A training with everything watched."""
    return watched(task)


def store_of(task: Task[Any], rows: int | None = None) -> RollbackStore:
    width = task.initial_parameters.table.shape[1]
    return RollbackStore(task.num_examples, width, task.config.dtype, rows or task.steps.rows_per_example or 1)


def length_of(task: Task[Any], epoch: int) -> int:
    """Of the training that ends with an epoch."""
    last = next(block for block in task.steps.blocks(task.length) if block.ends == epoch)
    return last.first + last.count if task.kind == "ratings" else epoch


def watched(task: Task[Any], **options: Any) -> tuple[Training, np.ndarray | None]:
    """A training that validates, keeps parameters, and keeps what examples changed where the steps tell."""
    store = store_of(task) if task.steps.rows_per_example else None
    training = task.train(store=store, validating=True, kept_epochs=(1, 2), **options)
    return training, None if store is None else store.to_numpy()


def assert_equal(first: Parameters, second: Parameters) -> None:
    assert len(first.arrays) == len(second.arrays)
    for one, other in zip(first.arrays, second.arrays, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def assert_same(first: Training, second: Training) -> None:
    """All of two trainings, and the states they ended in."""
    assert first.epoch == second.epoch
    assert first.history == second.history
    assert list(first.kept) == list(second.kept)
    assert_equal(first.parameters, second.parameters)
    for epoch, parameters in first.kept.items():
        assert_equal(parameters, second.kept[epoch])
    states = first.state(), second.state()
    assert list(states[0]) == list(states[1])
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)


def with_scores(task: Task[Any], scores: Sequence[float], **options: Any) -> Training:
    """A training whose epochs get these scores."""
    left = iter(scores)
    kept = np.ones(task.num_examples, bool)
    return train(
        task.steps, task.initial_parameters, kept, task.length, seed=task.config.seed,
        validate=lambda parameters: {"score": next(left)}, **options,
    )  # fmt: skip


def test_removing_nothing_reproduces_the_weights(task: Task[Any], whole: tuple[Training, np.ndarray | None]) -> None:
    """A retraining tracks and validates nothing; the weights must not know."""
    training, _ = whole
    again = task.train(removed=[], length=task.length_of(training.epoch))
    assert_equal(again.parameters, training.parameters)
    assert again.parameters.table.dtype == task.config.dtype
    assert not np.array_equal(again.parameters.arrays[-1], task.initial_parameters.arrays[-1])


def test_a_removed_example_does_nothing(task: Task[Any], whole: tuple[Training, np.ndarray | None]) -> None:
    training, deltas = watched(task, removed=[7])
    assert not np.array_equal(training.parameters.table, whole[0].parameters.table)
    if deltas is not None and whole[1] is not None:
        assert not deltas[7].any()
        assert whole[1][7].any()
        assert (np.abs(deltas).sum(axis=(1, 2)) > 0).sum() == task.num_examples - 1
    most = task.num_examples - 1
    for example_id in (-1, most + 1):
        with pytest.raises(InputError, match=f"example ids are 0 to {most}; got {example_id}"):
            task.train(removed=[3, example_id])


class KilledError(Exception):
    pass


def killer(blocks: int) -> Callable[..., None]:
    """Ends the process after so many blocks, before their checkpoint."""

    def kill(block: Any, *_: object) -> None:
        if block.number == blocks - 1:
            raise KilledError

    return kill


def test_resumed_is_uninterrupted(
    kind: str, task: Task[Any], whole: tuple[Training, np.ndarray | None], tmp_path: pathlib.Path
) -> None:
    """Killed after each block in turn: parameters, selection, history, what examples changed, and the state."""
    blocks = 0

    def count(*_: object) -> None:
        nonlocal blocks
        blocks += 1

    task.train(validating=True, on_block=count)
    assert blocks == {"ratings": 5, "single ratings": 9, "sequences": len(whole[0].history)}.get(kind, 12)
    for done in range(1, blocks + 1):
        checkpoints = CheckpointFolder(tmp_path / str(done), every_seconds=0)
        with pytest.raises(KilledError):
            watched(task, checkpoints=checkpoints, on_block=killer(done))
        resumed_from: list[int] = []
        training, deltas = watched(task, checkpoints=checkpoints, on_resume=resumed_from.append)
        assert resumed_from == [done - 1]
        assert_same(training, whole[0])
        if deltas is not None:
            np.testing.assert_array_equal(deltas, whole[1])


def test_threads_share_the_steps(task: Task[Any]) -> None:
    straight = [task.train(removed=removed) for removed in ([4], [5])]
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        runs = [executor.submit(task.train, removed=[example]) for example in (4, 5, 4)]
    for run, want in zip(runs, (straight[0], straight[1], straight[0]), strict=True):
        assert_same(run.result(), want)


def test_kept_parameters_are_those_of_shorter_trainings(
    task: Task[Any], whole: tuple[Training, np.ndarray | None]
) -> None:
    """Nothing depends on what is to come."""
    training = whole[0]
    for epoch, parameters in training.kept.items():
        assert_equal(task.train(length=length_of(task, epoch)).parameters, parameters)
    done = {told.epoch for told in training.history if told.epoch <= training.epoch}
    assert set(training.kept) == {1, 2} & done


def test_the_best_epoch_is_the_result_with_its_changes(task: Task[Any]) -> None:
    """The earlier of equals; what is kept ends with it."""
    told = len({block.ends for block in task.steps.blocks(task.length)} - {None})
    scores = [0.5, 0.5, 0.2, 0.1, 0.3, 0.0][:told]
    stores = [store_of(task), store_of(task)]
    result = with_scores(task, scores, selection=Selection(metric="score"), store=stores[0], kept_epochs=range(1, 9))
    first = result.history[0].epoch
    assert (result.epoch, list(result.kept)) == (first, [first])
    assert [epoch.validation["score"] for epoch in result.history] == scores
    shorter = task.train(length=length_of(task, first), store=stores[1])
    assert_equal(result.parameters, shorter.parameters)
    np.testing.assert_array_equal(stores[0].to_numpy(), stores[1].to_numpy())
    # The last epoch may be the best; without a metric it is the result.
    rising = list(range(told))
    for options in ({"selection": Selection(metric="score")}, {}):
        result = with_scores(task, rising, store=stores[0], **options)
        assert result.epoch == result.history[-1].epoch
        assert_same(result, with_scores(task, rising))


def test_patience_ends_a_training(tasks: dict[str, Task[Any]]) -> None:
    for name in ("dense triples", "sequences"):
        selection = Selection(metric="score", patience=1)
        result = with_scores(tasks[name], [0.1, 0.3, 0.2, 0.9, 0.9], selection=selection)
        assert (result.epoch, len(result.history)) == (2, 3)


def test_a_store_is_cleared_first(task: Task[Any], whole: tuple[Training, np.ndarray | None]) -> None:
    store = store_of(task)
    store.assign(np.full_like(store.to_numpy(), 7))
    task.train(store=store, validating=True)
    np.testing.assert_array_equal(store.to_numpy(), 0 if whole[1] is None else whole[1])
    if whole[1] is not None:
        with pytest.raises(InputError, match=r"the store is for examples of 4 rows of \d+ numbers; got \[\d, \d\]"):
            task.train(store=store_of(task, 4))


def test_a_recorded_beginning_changes_no_bit(kind: str, task: Task[Any]) -> None:
    everyone = np.ones(task.num_examples, bool)
    prefix = record_prefix(task.steps, task.initial_parameters, everyone, task.length, every=1)
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1

    # Of triples, in file order, the blocks before the first removal are the same; else all are done again.
    for removed, skipped in (([3], 0), ([16, 40], 1), ([59], 3), ([40, 59, 33], 2)):
        done = 0
        training = task.train(removed=removed, prefix=prefix, on_block=count)
        assert done == len(task.steps.blocks(task.length)) - (skipped if "triples" in kind else 0)
        assert_same(training, task.train(removed=removed))
    with pytest.raises(ValueError, match="starts at its first step"):
        task.train(prefix=prefix, store=store_of(task))


def test_going_on_from_another_training(task: Task[Any], whole: tuple[Training, np.ndarray | None]) -> None:
    """From a state before the first step it is that training; from a later one, another."""
    begun = task.steps.to_arrays(task.steps.start(task.initial_parameters, np.zeros(0, np.int64), task.config.seed))
    if not task.steps.can_go_on:
        with pytest.raises(ValueError, match="cannot go on from another training"):
            task.train(start=begun)
        return
    first = task.train()
    assert_same(task.train(start=begun), first)
    further = task.train(start=first.state())
    assert further.state()["step"] == 2 * first.state()["step"]
    assert not np.array_equal(further.parameters.table, first.parameters.table)
    assert_same(task.train(start=first.state()), further)


NAMED = {
    "dense triples": r"the loss is (nan|inf) at step 0 of epoch 1, training triple 0 \(e0\tr\d\te\d\)",
    "triples by rows": r"the loss is (nan|inf) at step 0 of epoch 1, training triple 0 \(e0\tr\d\te\d\)",
    "ratings": r"the loss is (nan|inf) at step 0, a batch of 25 ratings",
    "single ratings": r"the loss is (nan|inf) at step 0, training rating \d+ \(u\d+, i\d+, i\d+, [1-5]\.0\)",
    "sequences": r"the loss is (nan|inf) at step 0, batch 0 of epoch 1",
}


def test_a_loss_that_is_not_finite_names_step_and_example(kind: str, task: Task[Any]) -> None:
    large = 1e38 if task.config.dtype == "float32" else 1e200
    broken = [np.full_like(array, large) for array in task.initial_parameters.arrays]
    broken[0][0] = np.inf if kind == "sequences" else broken[0][0]
    with pytest.raises(TrainingError, match=f"{NAMED[kind]}; a lower learning rate may help"):
        train(task.steps, Parameters.of(broken), np.ones(task.num_examples, bool), task.length)


def test_the_rating_that_is_not_finite_is_named_whatever_the_order(tasks: dict[str, Task[Any]]) -> None:
    task = tasks["single ratings"]
    ratings, start = task.dataset, task.initial_parameters
    broken = Parameters(start.table.copy(), start.shared)
    broken.table[3] = np.inf
    for seed in (0, 5):
        order = RatingBatches(task.num_examples, 1, seed).take(0, task.num_examples)[:, 0]
        step = int(np.flatnonzero(ratings.train.pairs[order, 0] == 3)[0])
        names = ratings.train_frame.iloc[order[step]]
        told = rf"at step {step}, training rating {order[step]} \({names.user}, {names['item']}, "
        with pytest.raises(TrainingError, match=told):
            train(task.steps, broken, np.ones(task.num_examples, bool), task.length, seed=seed)


def test_parameters_that_are_not_finite_after_an_epoch(task: Task[Any]) -> None:
    """A loss is before its step, so the last step's damage shows in the parameters only."""

    class Broken:
        """Steps whose parameters are not finite."""

        def __getattr__(self, name: str) -> Any:
            return getattr(task.steps, name)

        def parameters(self, state: Any) -> Parameters:
            whole = task.steps.parameters(state)
            return Parameters(np.full_like(whole.table, np.nan), whole.shared)

    kept = np.ones(task.num_examples, bool)
    with pytest.raises(TrainingError, match=r"parameters are not finite after epoch \d; a lower learning rate may"):
        train(Broken(), task.initial_parameters, kept, task.length)  # type: ignore[arg-type]


def test_the_length_is_checked(kind: str, task: Task[Any]) -> None:
    unit, most = ("steps", 130) if "ratings" in kind else ("epochs", task.length)
    if kind == "ratings":
        with pytest.raises(InputError, match="steps must be at least 1; got 0"):
            task.train(length=0)
        return
    for length in (0, most + 1):
        with pytest.raises(InputError, match=f"{unit} must be from 1 to the configuration's {most}; got {length}"):
            task.train(length=length)


def test_initial_values_of_another_shape(task: Task[Any]) -> None:
    with pytest.raises(InputError, match=r"the initial table must have shape \(\d+, \d+\); got \(2, 2\)"):
        type(task)(task.dataset, task.config, Parameters(np.zeros((2, 2)))).train()
