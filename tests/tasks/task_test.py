"""What every kind's task promises: its parts agree with each other, on disk and in memory."""

import dataclasses
import pathlib
import pickle
import re
from typing import Any

import numpy as np
import pytest

from gr_tf.data.choices import ChoiceSet
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.runs import files
from gr_tf.tasks import kinds, stage
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import OPEN, Task
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

KINDS = ("triples", "ratings", "single ratings", "sequences", "choices")


@pytest.fixture(scope="module", params=KINDS)
def task(
    request: pytest.FixtureRequest,
    toy: TripleSet,
    toy_ratings: RatingSet,
    toy_sequences: SequenceSet,
    toy_choices: ChoiceSet,
) -> Task[Any]:
    if request.param == "choices":
        config = TripleConfig(dim=4, num_negatives=5, epochs=3, optimizer="adagrad", batch_size=16)
        return ChoiceTask(toy_choices, config)
    if request.param == "triples":
        return TripleTask(toy, TripleConfig(dim=6, num_negatives=5, epochs=2, learning_rate=0.03))
    if request.param == "sequences":
        of_sequences = SequenceConfig(dim=5, hidden=4, epochs=3, batch_size=32, kept_epochs=(1, 3), learning_rate=0.01)
        return SequenceTask(toy_sequences, of_sequences)
    batch_size, steps = (1, 100) if request.param == "single ratings" else (40, 100)
    return RatingTask(toy_ratings, RatingConfig(dim=4, steps=steps, batch_size=batch_size, learning_rate=0.02))


@pytest.fixture(scope="module")
def trained(task: Task[Any]) -> Trained:
    return train_in_memory(task, validating=True)


@pytest.fixture(scope="module")
def run_dir(task: Task[Any], tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("run")
    stage.train(task, folder)
    return folder


def assert_equal(first: Parameters, second: Parameters) -> None:
    for one, other in zip(first.arrays, second.arrays, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_training_on_disk_is_the_one_in_memory(task: Task[Any], trained: Trained, run_dir: pathlib.Path) -> None:
    assert stage.kind_of_run(run_dir) == task.kind
    loaded = stage.load(run_dir)
    assert loaded.task.reference == task.reference
    assert_equal(loaded.parameters, trained.parameters)
    assert (loaded.epoch, loaded.length, loaded.path) == (trained.epoch, trained.length, run_dir / "train")
    assert list(loaded.kept) == list(trained.kept)
    for epoch, parameters in trained.kept.items():
        assert_equal(loaded.kept[epoch], parameters)
    assert (loaded.deltas is None) == (trained.deltas is None) == (not task.steps.rows_per_example)
    if trained.deltas is not None:
        np.testing.assert_array_equal(loaded.deltas, trained.deltas)
    assert (loaded.state is None) == (trained.state is None) == (not task.continues)
    for name, array in (trained.state or {}).items():
        np.testing.assert_array_equal((loaded.state or {})[name], array)
    result = files.read_json(run_dir / "train" / "result.json")
    assert result["epoch"] == trained.epoch
    assert result["quality"] == task.quality(trained.parameters)
    assert len(result["history"]) == result["epochs"]
    assert result["num_train"] == task.num_examples
    assert not (run_dir / "train" / "checkpoints").exists()


def test_a_training_on_disk_is_checked(task: Task[Any], run_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"train is already finished: see .*result.json. Pass overwrite=True"):
        stage.train(task, run_dir)
    assert stage.train(task, run_dir, reuse=True).is_finished
    with pytest.raises(InputError, match=r"begun with config\.learning_rate = 0\.0"):
        stage.train(task.with_config(learning_rate=0.5), run_dir)
    with pytest.raises(InputError, match="train: has no finished training"):
        stage.kind_of_run(tmp_path)
    with pytest.raises(InputError, match="train does not exist: run gr_tf train first"):
        stage.load(tmp_path)
    other = task.dataset.shuffled(1)
    with pytest.raises(InputError, match=r"train was trained on other data than .* has now"):
        stage.load(run_dir, other)
    path = run_dir / "train" / "parameters" / "table.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(InputError, match=r"table.npy: truncated or edited"):
            stage.load(run_dir)
    finally:
        path.write_bytes(whole)


def test_a_reference_is_small_and_makes_the_task_again(task: Task[Any]) -> None:
    told = pickle.dumps(task.reference)
    assert len(told) < 2000
    again = kinds.make(pickle.loads(told))
    assert again.reference == task.reference
    assert again.dataset.checksum == task.dataset.checksum
    assert_equal(again.initial_parameters, task.initial_parameters)
    initial = Parameters.of([array + 1 for array in task.initial_parameters.arrays])
    given = type(task)(task.dataset, task.config, initial)
    assert given.reference != task.reference
    with pytest.raises(InputError, match="initial values of its own cannot be made"):
        kinds.make(given.reference)


def test_members_differ_in_their_seeds_only(task: Task[Any]) -> None:
    assert task.member(0) is task
    other = task.member(2)
    before, after = task.config.to_dict(), other.config.to_dict()
    assert after == before | {name: before[name] + 2 for name in task.seeds}
    assert not np.array_equal(other.initial_parameters.table, task.initial_parameters.table)
    seeded = task.seeded(2)
    assert {getattr(seeded.config, name) for name in task.seeds} == {2}


def test_predictions_agree(task: Task[Any], trained: Trained) -> None:
    """The test predictions are what the model values, and the best answers."""
    told = task.test_predictions(trained.parameters)
    assert len({one.query for one in told}) == len(told) > 3
    values = task.value(trained.parameters, [one.query for one in told])
    np.testing.assert_allclose(values, [one.probability for one in told], rtol=1e-5)
    np.testing.assert_allclose(task.exact_value(trained.parameters, [one.query for one in told]), values, rtol=1e-5)
    for one in told[:3]:
        assert len(one.test_lines) == len(one.correct) > 0
        assert task.answer_of(one.query) == task.top(trained.parameters, one.query)
        assert len(task.names_of(one.query)) >= len(task.row_of(one.query))
    assert set(task.consensus([trained.parameters])) == {one.query for one in told}


def test_an_open_question_gets_the_best_answers(task: Task[Any], trained: Trained) -> None:
    query = task.test_predictions(trained.parameters)[0].query
    parts = [*task.names_of(query)[:-1], OPEN]
    assert task.leaves_open(parts)
    asked, alternatives = task.ask(trained.parameters, parts)
    if task.kind == "triples":
        assert asked == query
    values = [one.value for one in alternatives]
    assert values == sorted(values, reverse=True)
    assert {one.unit for one in alternatives} == {task.unit}
    assert values[0] == pytest.approx(task.value(trained.parameters, [asked])[0], rel=1e-6)
    assert alternatives[0].name == task.answer_name(asked, task.answer_of(asked) or 0)
    again, nothing = task.ask(trained.parameters, [*parts[:-1], alternatives[0].name])
    assert nothing == ()
    if task.leaves_open([*parts[:-1], alternatives[0].name]):
        assert again == asked
    else:
        # A question that names its item has no other answer that it could change to.
        assert (again.user, again.item) == (asked.user, asked.item)
        assert task.answer_of(again) is task.top(trained.parameters, again) is None


def test_questions_that_are_none(task: Task[Any], trained: Trained) -> None:
    for parts in ([], ["x"], ["x", ""], ["x", "", "y"]):
        with pytest.raises(InputError, match=re.escape(f"a question is {','.join(task.parts)}")):
            task.ask(trained.parameters, parts)
    unknown = ["nobody", *["nothing"] * (len(task.parts) - 1)]
    with pytest.raises(InputError, match=r"unknown (entity|user|item) '(nobody|nothing)'"):
        task.ask(trained.parameters, unknown)


def test_related_examples_share_something(task: Task[Any], trained: Trained) -> None:
    for example_id in (0, 7):
        query = task.query_of(example_id)
        related = task.related(query)
        assert (np.diff(related) > 0).all()
        assert example_id in related
        frame = task.examples(related, query)
        assert (frame["connection"] != "none").all()
        shared = task.dataset.shared_elements(query)
        np.testing.assert_array_equal(np.flatnonzero(shared), related)
    drawn = task.drawing(query, 0.5, related, np.arange(len(related)))
    assert [edge.example for edge in drawn.edges] == related.tolist()
    assert {drawn.query.start, drawn.query.end} <= set(drawn.nodes)


def test_losses_are_of_the_examples(task: Task[Any], trained: Trained) -> None:
    """Each example's loss from its rows; own_losses from the predictions that the examples answer."""
    losses = task.losses("float64")
    batch = losses.train
    parameters = trained.parameters.astype("float64")
    rows = np.asarray(losses.rows(batch))
    values = np.asarray(losses.losses(parameters.table[rows], parameters.shared, batch))
    assert values.shape == (task.num_examples,)
    assert set(losses.trained_layers) <= set(losses.layers)
    assert len(losses.layers) == len(parameters.arrays)
    if task.kind == "ratings":
        predicted = task.value(trained.parameters, [task.query_of(i) for i in range(task.num_examples)])
        np.testing.assert_allclose(values, task.own_losses(predicted), rtol=1e-3, atol=1e-5)
        told = task.quality(trained.parameters)["train"]
        assert told is not None
        assert told["rmse"] == pytest.approx(np.mean(values) ** 0.5, rel=1e-5)
        assert told["mae"] == pytest.approx(np.mean(values**0.5), rel=1e-5)


def test_ratings_without_a_split_have_no_quality(toy_ratings: RatingSet) -> None:
    none = dataclasses.replace(toy_ratings, valid=toy_ratings.valid.only(np.zeros(0, int)))
    task = RatingTask(none, RatingConfig(dim=4, steps=3, batch_size=40))
    assert task.validate(task.initial_parameters) == {}
    assert task.quality(task.initial_parameters)["valid"] == {"rmse": None, "mae": None}


def test_deltas_of_another_training_are_refused(task: Task[Any], trained: Trained) -> None:
    if task.kind == "sequences" or trained.deltas is None:
        with pytest.raises(InputError, match=r"Gradient Rollback (of ratings )?needs "):
            task.rolled_back(trained.parameters, np.zeros((1, 2, 3)))
        return
    with pytest.raises(InputError, match=r"the rollback store must have shape \(\d+, \d, \d\) for this dataset; got"):
        task.rolled_back(trained.parameters, trained.deltas[1:])
    query = task.query_of(3)
    rolled_back, ids = task.rolled_back(trained.parameters, trained.deltas), np.array([3])
    before, after = rolled_back.without(query, ids)
    assert before == pytest.approx(task.value(trained.parameters, [query])[0], rel=1e-6)
    assert rolled_back.together(query, ids) == pytest.approx(after[0], rel=1e-6)
    own_before, own_after = rolled_back.own(ids)
    assert (own_before[0], own_after[0]) == pytest.approx((before, after[0]), rel=1e-6)
