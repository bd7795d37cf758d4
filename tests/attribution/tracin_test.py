"""TracIn on toys: forward mode against explicit gradients, sums, layers, and the ideal of Pruthi et al."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution import tracin
from gr_tf.attribution.base import Explanation
from gr_tf.attribution.tracin import TracIn, TracInExplainer
from gr_tf.attribution.tracin_ideal import tracin_ideal
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.data.sequences import SequenceQuery, SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.example_losses import ExampleLosses
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceLosses, SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Checkpoint, Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

Case = tuple[ExampleLosses, list[Checkpoint], tuple[np.ndarray, ...]]


def sequence_task(sequences: SequenceSet) -> SequenceTask:
    config = SequenceConfig(dim=3, hidden=4, dtype="float64", train_embeddings=True, learning_rate=0.1)
    return SequenceTask(sequences, config)


def rating_task(ratings: RatingSet, name: str) -> RatingTask:
    return RatingTask(ratings, RatingConfig(model=name, dim=4, dtype="float64", learning_rate=0.1))


def triple_task(triples: TripleSet, name: str, loss: str) -> TripleTask:
    return TripleTask(triples, TripleConfig(model=name, dim=4, num_negatives=3, loss=loss, learning_rate=0.1))


def checkpoints_of(task: Task) -> list[Checkpoint]:
    return [Checkpoint(task.seeded(seed).initial_parameters, rate) for seed, rate in ((0, 0.1), (1, 0.3))]


def trained_of(task: Task) -> Trained:
    """As if training had kept the two checkpoints, whose learning rate is the configuration's."""
    kept = {epoch: one.parameters for epoch, one in enumerate(checkpoints_of(task), start=1)}
    return Trained(task, kept[2], 2, kept=kept)


def sequence_case(sequences: SequenceSet) -> Case:
    task = sequence_task(sequences)
    return task.losses(), checkpoints_of(task), SequenceLosses.batch(sequences.test)


def rating_case(ratings: RatingSet, name: str) -> Case:
    task = rating_task(ratings, name)
    return task.losses(), checkpoints_of(task), (ratings.test.pairs, ratings.test.values)


def triple_case(triples: TripleSet, name: str, loss: str) -> Case:
    task = triple_task(triples, name, loss)
    losses = task.losses()
    queries = [losses.query(Query(*map(int, triple))) for triple in triples.test[:7]]
    return losses, checkpoints_of(task), tuple(np.concatenate(arrays) for arrays in zip(*queries, strict=True))


@pytest.fixture(params=["sequences", *RATING_MODELS, "distmult", "complex"])
def case(request: pytest.FixtureRequest, toy_sequences: SequenceSet, toy_ratings: RatingSet, toy: TripleSet) -> Case:
    if request.param == "sequences":
        return sequence_case(toy_sequences)
    if request.param in RATING_MODELS:
        return rating_case(toy_ratings, request.param)
    return triple_case(toy, request.param, "sigmoid" if request.param == "complex" else "softmax")


def gradient_of(
    losses: ExampleLosses, checkpoint: Checkpoint, batch: tuple[np.ndarray, ...], place: int, *, query: bool = False
) -> list[np.ndarray]:
    """One example's or query's gradient with respect to whole arrays, by a tape of its own."""
    alone = tuple(array[place : place + 1] for array in batch)
    arrays = [tf.constant(array) for array in checkpoint.parameters.arrays]
    with tf.GradientTape() as tape:
        tape.watch(arrays)
        rows = tf.gather(arrays[0], losses.rows(alone))
        loss = (losses.query_losses if query else losses.losses)(rows, arrays[1:], alone)[0]
    gradients = tape.gradient(loss, arrays, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def dot(first: list[np.ndarray], second: list[np.ndarray], layers: tuple[int, ...] | None = None) -> float:
    chosen = range(len(first)) if layers is None else layers
    return float(sum((first[i] * second[i]).sum() for i in chosen))


def test_forward_mode_is_the_dot_product(case: Case) -> None:
    losses, checkpoints, test = case
    got = TracIn(losses, checkpoints).pairwise(tuple(array[:2] for array in test))
    assert got.shape == (2, len(losses.train[0]))
    for place in (0, 11, len(losses.train[0]) - 1):
        for tested in range(2):
            want = sum(
                checkpoint.learning_rate
                * dot(
                    gradient_of(losses, checkpoint, losses.train, place),
                    gradient_of(losses, checkpoint, test, tested, query=True),
                )
                for checkpoint in checkpoints
            )
            assert got[tested, place] == pytest.approx(want, rel=1e-9, abs=1e-12)


def test_sets_are_weighted_sums(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, checkpoints, test = case
    explainer = TracIn(losses, checkpoints)
    few = tuple(array[:5] for array in test)
    pairs = explainer.pairwise(few)
    np.testing.assert_allclose(explainer.influences(few), pairs.mean(axis=0), atol=1e-12)
    weights = np.array([1.0, 0.0, 2.0, 0.5, 1.0])
    np.testing.assert_allclose(explainer.influences(few, weights), weights @ pairs, atol=1e-12)
    monkeypatch.setattr(tracin, "_CHUNK", 3)
    np.testing.assert_allclose(explainer.influences(few, weights), weights @ pairs, atol=1e-12)


def test_self_influence_is_the_squared_norm(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, checkpoints, _ = case
    monkeypatch.setattr(tracin, "_EXPLICIT_CHUNK", 16)
    got = TracIn(losses, checkpoints).self_influences()
    assert (got > 0).all()
    for place in (0, 11, len(got) - 1):
        gradients = [gradient_of(losses, checkpoint, losses.train, place) for checkpoint in checkpoints]
        want = sum(
            checkpoint.learning_rate * dot(gradient, gradient)
            for checkpoint, gradient in zip(checkpoints, gradients, strict=True)
        )
        assert got[place] == pytest.approx(want, rel=1e-9)


def test_a_row_that_an_example_has_twice(toy_sequences: SequenceSet) -> None:
    """An item chosen twice moves by the sum of its gradients."""
    losses, checkpoints, _ = sequence_case(toy_sequences)
    twice = losses.train[0].copy()
    twice[20, -1] = twice[20, -2]
    assert twice[20, -1] > 0
    losses.train = (twice, losses.train[1])
    got = TracIn(losses, checkpoints[:1], layers=["embeddings"]).self_influences()[20]
    gradient = gradient_of(losses, checkpoints[0], losses.train, 20)
    assert got == pytest.approx(checkpoints[0].learning_rate * dot(gradient, gradient, (0,)), rel=1e-9)


@pytest.mark.slow
def test_chosen_layers(toy_sequences: SequenceSet) -> None:
    losses, checkpoints, test = sequence_case(toy_sequences)
    one = tuple(array[:1] for array in test)
    parts = [TracIn(losses, checkpoints, layers=[layer]).influences(one) for layer in losses.layers]
    np.testing.assert_allclose(sum(parts), TracIn(losses, checkpoints).influences(one), atol=1e-12)
    want = sum(
        checkpoint.learning_rate
        * dot(
            gradient_of(losses, checkpoint, losses.train, 4), gradient_of(losses, checkpoint, test, 0, query=True), (4,)
        )
        for checkpoint in checkpoints
    )
    assert parts[4][4] == pytest.approx(want, rel=1e-9)
    norms = [TracIn(losses, checkpoints, layers=[layer]).self_influences() for layer in losses.layers]
    np.testing.assert_allclose(sum(norms), TracIn(losses, checkpoints).self_influences(), rtol=1e-9)


def test_what_is_refused(toy_sequences: SequenceSet) -> None:
    losses, checkpoints, test = sequence_case(toy_sequences)
    with pytest.raises(InputError, match="TracIn needs at least one checkpoint"):
        TracIn(losses, [])
    with pytest.raises(InputError, match="layers must be among embeddings, kernel"):
        TracIn(losses, checkpoints, layers=["lstm"])
    with pytest.raises(InputError, match="layers must name at least one of embeddings, kernel"):
        TracIn(losses, checkpoints, layers=[])
    table, *shared = checkpoints[0].parameters.arrays
    broken = Parameters(np.full_like(table, np.nan), tuple(shared))
    explainer = TracIn(losses, [dataclasses.replace(checkpoints[0], parameters=broken)])
    for compute in (lambda: explainer.influences(test), explainer.self_influences, explainer.training_losses):
        with pytest.raises(InputError, match="of training example 0 is not finite"):
            compute()


def test_sign(toy_sequences: SequenceSet) -> None:
    """A step on a proponent lowers the test loss."""
    losses, checkpoints, test = sequence_case(toy_sequences)
    checkpoint = dataclasses.replace(checkpoints[0], learning_rate=1e-4)
    one = tuple(array[:1] for array in test)
    scores = TracIn(losses, [checkpoint]).influences(one)

    def loss_of(arrays: list[np.ndarray]) -> float:
        rows = tf.gather(tf.constant(arrays[0]), losses.rows(one))
        return float(losses.losses(rows, [tf.constant(array) for array in arrays[1:]], one)[0])

    before = loss_of(list(checkpoint.parameters.arrays))
    for place in (int(scores.argmax()), int(scores.argmin())):
        step = gradient_of(losses, checkpoint, losses.train, place)
        moved = [
            array - checkpoint.learning_rate * gradient
            for array, gradient in zip(checkpoint.parameters.arrays, step, strict=True)
        ]
        assert before - loss_of(moved) == pytest.approx(scores[place], rel=0.01)


@pytest.mark.slow
def test_ideal_agrees_as_steps_get_small(case: Case) -> None:
    """At batch size 1 with plain steps, the changes of the loss are the dot products, up to the step size."""
    losses, checkpoints, test = case
    one = tuple(array[:1] for array in test)
    first, order = checkpoints[0], np.random.default_rng(0).permutation(len(losses.train[0]))[:20]
    worst = []
    for rate in (1e-2, 1e-3, 1e-4):
        start = dataclasses.replace(first, learning_rate=rate)
        ideal = tracin_ideal(losses, start, order, one)
        unused = np.setdiff1d(np.arange(len(ideal)), order)
        assert not ideal[unused].any()
        by_checkpoint = TracIn(losses, [start]).influences(one)
        worst.append(np.abs(ideal - by_checkpoint)[order].max() / np.abs(by_checkpoint[order]).max())
    # The error of a first order is the step size itself.
    assert worst[2] < 0.01
    assert worst[2] < 0.2 * worst[1]
    assert worst[1] < worst[0]


def test_ideal_adds_up_to_the_change_of_the_loss(toy_sequences: SequenceSet) -> None:
    losses, checkpoints, test = sequence_case(toy_sequences)
    one = tuple(array[:1] for array in test)
    order = np.array([3, 5, 3, 8])
    ideal = tracin_ideal(losses, checkpoints[0], order, one)
    parts = [tracin_ideal(losses, checkpoints[0], order[:count], one).sum() for count in (1, 2, 4)]
    assert ideal[8] + ideal[3] + ideal[5] == pytest.approx(parts[2])
    assert ideal[5] == pytest.approx(parts[1] - parts[0])


def by_functions(trained: Trained, query: object) -> np.ndarray:
    """The influences on a query, of all examples, by TracIn at the two checkpoints with the configured rate."""
    losses = trained.task.losses()
    checkpoints = [dataclasses.replace(one, learning_rate=0.1) for one in checkpoints_of(trained.task)]
    return TracIn(losses, checkpoints).influences(losses.query(query))


def check_all_ranked(explanation: Explanation) -> None:
    """Every training example, in descending order."""
    assert (np.diff(explanation.influences) <= 0).all()
    assert sorted(explanation.example_ids) == list(range(explanation.dataset.num_examples))


def test_explainer_of_triples(toy: TripleSet) -> None:
    trained = trained_of(triple_task(toy, "distmult", "softmax"))
    query = Query(*map(int, toy.test[0]))
    explainer = TracInExplainer(trained)
    found = explainer.rank(query)
    np.testing.assert_allclose(found.influences, by_functions(trained, query)[found.example_ids])
    assert 0 < found.prediction < 1
    assert found.prediction == trained.task.value(trained.parameters, [query])[0]
    check_all_ranked(found)
    np.testing.assert_array_equal(
        explainer.self_influence(np.array([4, 2])), explainer.tracin.self_influences()[[4, 2]]
    )


def test_explainer_of_ratings(toy_ratings: RatingSet) -> None:
    trained = trained_of(rating_task(toy_ratings, "mf"))
    query = RatingQuery(*map(int, toy_ratings.test.pairs[0]))
    found = TracInExplainer(trained).rank(query)
    np.testing.assert_allclose(found.influences, by_functions(trained, query)[found.example_ids])
    check_all_ranked(found)
    # Ratings above their prediction pull the predictions of the same user and item up, and no other.
    related = np.isin(found.example_ids, toy_ratings.related(query))
    assert found.influences[related].any()
    rows_only = TracInExplainer(trained, ["table"]).rank(query)
    unrelated = ~np.isin(rows_only.example_ids, toy_ratings.related(query))
    assert not rows_only.influences[unrelated].any()


def test_explainer_of_sequences(toy_sequences: SequenceSet) -> None:
    trained = trained_of(sequence_task(toy_sequences))
    explainer = TracInExplainer(trained)
    history, target = toy_sequences.test.histories[0], int(toy_sequences.test.targets[0])
    query = SequenceQuery(tuple(int(item) for item in history if item), target)
    found = explainer.rank(query)
    asked = (history[None], np.array([target], np.int32))
    for mine, wanted in zip(trained.task.losses().query(query), asked, strict=True):
        np.testing.assert_array_equal(mine, wanted)
    want = by_functions(trained, query)
    np.testing.assert_allclose(found.influences, want[found.example_ids])
    check_all_ranked(found)
    opponents = found.opponents()
    assert opponents.influences[0] == want.min() < 0
    assert (opponents.influences < 0).all()
    assert len(explainer.explain(query, 3).influences) == 3
    queries = [SequenceQuery(query.history, item) for item in range(1, len(toy_sequences.items) + 1)]
    every = [trained.task.value(trained.parameters, [one])[0] for one in queries]
    assert found.prediction == every[target - 1]
    assert sum(every) == pytest.approx(1)
    with pytest.raises(InputError, match="a history has at most 4 items; got 5"):
        explainer.rank(SequenceQuery((1, 2, 3, 4, 5), 1))
    # Embeddings that are not trained do not count.
    fixed = dataclasses.replace(trained, task=trained.task.with_config(train_embeddings=False))
    losses = trained.task.losses()
    chosen = TracIn(losses, trained.checkpoints(), losses.layers[1:]).influences(losses.query(query))
    without = TracInExplainer(fixed).rank(query)
    np.testing.assert_allclose(without.influences, chosen[without.example_ids])
    named, _ = trained.task.ask(trained.parameters, ["i1", "i2", "i3"])
    assert toy_sequences.title(named.target) == "i3"
    assert [toy_sequences.title(item) for item in named.history] == ["i1", "i2"]
