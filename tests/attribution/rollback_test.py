"""Gradient Rollback against rolling back one triple at a time, and the explainers' contract."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.data.triples import HEAD, RELATION, TAIL, Query, TripleSet, read_folder
from gr_tf.errors import InputError, TrainingError
from gr_tf.tasks import place_rollback, triple_rollback
from gr_tf.tasks.test_predictions import ExplainedPrediction, balanced_sample
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triple_rollback import TripleRollback
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rollback_store import RollbackStore, load_deltas
from gr_tf.training.triple_config import TripleConfig

QUERIES = (Query(0, 1, 2), Query(3, 0, 3), Query(8, 3, 1), Query(2, 2, 5))


def explainers(trained: Trained) -> dict[str, Explainer]:
    return {"rollback": GradientRollback(trained), "neighborhood": Neighborhood(trained, seed=3)}


def undone(trained: Trained, example_id: int, query: Query) -> float:
    """The probability with one example's changes subtracted from the whole table."""
    assert trained.deltas is not None
    table = trained.parameters.table.copy()
    rows = trained.task.model.rows_of(trained.task.dataset.train[example_id])
    np.subtract.at(table, rows, trained.deltas[example_id])
    return float(trained.task.value(dataclasses.replace(trained.parameters, table=table), [query])[0])


@pytest.mark.parametrize("chunk", [1 << 24, 9 * 7])
def test_batched_rollback_is_one_rollback_at_a_time(
    trained: Trained, toy: TripleSet, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Self-loops, repeated triples and candidates' own changes included; rounding apart."""
    monkeypatch.setattr(triple_rollback, "_CHUNK_NUMBERS", chunk)
    for query in QUERIES:
        explanation = GradientRollback(trained).rank(query)
        before = trained.task.value(trained.parameters, [query])[0]
        assert explanation.prediction == pytest.approx(before, abs=1e-14)
        np.testing.assert_array_equal(np.sort(explanation.example_ids), toy.related(query))
        for example_id, influence, after in zip(
            explanation.example_ids, explanation.influences, explanation.without, strict=True
        ):
            expected = undone(trained, example_id, query)
            assert after == pytest.approx(expected, abs=1e-14)
            assert influence == pytest.approx(before - expected, abs=1e-14)


def test_rolling_back_the_only_training_triple_is_not_training(tmp_path: pathlib.Path) -> None:
    """With one training triple of rows a, r, b and no other entity, the rollback is the initial model."""
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text("a\tr\tb\n")
    task = TripleTask(read_folder(tmp_path), TripleConfig(dim=3, num_negatives=2, epochs=20, learning_rate=0.05))
    query = Query(0, 0, 1)
    explanation = GradientRollback(train_in_memory(task)).explain(query)
    assert explanation.prediction > 0.6
    untrained = task.value(task.initial_parameters, [query])
    np.testing.assert_allclose(explanation.without, untrained, rtol=0, atol=1e-14)
    assert explanation.influences[0] > 0  # positive: the example supports the prediction


@pytest.mark.parametrize("name", ["rollback", "neighborhood"])
def test_contract(trained: Trained, name: str) -> None:
    explainer = explainers(trained)[name]
    for query in QUERIES:
        whole = explainer.rank(query)
        again = explainers(trained)[name].rank(query)
        np.testing.assert_array_equal(whole.example_ids, again.example_ids)
        np.testing.assert_array_equal(whole.influences, again.influences)
        assert len(set(whole.example_ids.tolist())) == len(whole.example_ids)
        assert (np.diff(whole.influences) <= 0).all()
        top = explainer.explain(query, k=3)
        np.testing.assert_array_equal(top.example_ids, whole.example_ids[:3])
        supporting = explainer.explain(query, k=None)
        assert (supporting.influences >= 0).all()
        assert len(supporting.influences) == (whole.influences >= 0).sum()
        assert len(explainer.explain(query, k=10_000).example_ids) == len(whole.example_ids)
        with pytest.raises(InputError, match="k must be at least 1; got 0"):
            explainer.explain(query, k=0)
        with pytest.raises(InputError, match="k must be at least 1; got -1"):
            whole.first(-1)


def test_frame_names_everything(trained: Trained) -> None:
    explanation = explainers(trained)["rollback"].explain(QUERIES[0], k=4)
    frame = explanation.frame
    assert list(frame) == [
        *("head", "relation", "tail"),
        *("influence", "prediction", "prediction_without", "example_id"),
    ]
    assert len(frame) == 4
    names = trained.task.dataset.train_frame
    for _, row in frame.iterrows():
        assert row[["head", "relation", "tail"]].tolist() == names.loc[row["example_id"]].tolist()
        assert row["influence"] == row["prediction"] - row["prediction_without"]


def test_random_neighbours_depend_on_seed_and_query_only(trained: Trained) -> None:
    first = Neighborhood(trained, seed=0)
    orders = [first.rank(query).example_ids.tolist() for query in (QUERIES[0], QUERIES[1], QUERIES[0])]
    assert orders[0] == orders[2]
    assert Neighborhood(trained, seed=1).rank(QUERIES[0]).example_ids.tolist() != orders[0]


def test_released_neighbours_are_the_authors_draw(trained: Trained) -> None:
    """NumPy's own choice after a seed of 42, of the related triples in the order of the file, whatever k."""
    for query, ranking in zip(QUERIES, Neighborhood(trained, rule="released").rank_many(QUERIES), strict=True):
        related = trained.task.related(query)
        for k in (1, 4, len(related)):
            np.random.seed(42)
            drawn = np.random.choice(related, k, replace=False)
            assert ranking.example_ids[:k].tolist() == drawn.tolist()
        assert ((ranking.influences > 0) & (ranking.influences <= 1)).all()
    with pytest.raises(InputError, match="nh_rule must be one of seeded, released; got 'drawn'"):
        Neighborhood(trained, rule="drawn")


def test_store_adds_saves_and_maps(tmp_path: pathlib.Path) -> None:
    store = RollbackStore(4, 2, "float64")
    ones = tf.ones([2, 3, 2], tf.float64)
    store.add(tf.IndexedSlices(ones, tf.constant([1, 3])))
    store.add(tf.IndexedSlices(2 * ones, tf.constant([3, 0])))
    assert store.to_numpy()[:, 0, 0].tolist() == [2, 1, 0, 3]
    store.save(tmp_path / "rollback")
    deltas = load_deltas(tmp_path / "rollback")
    assert isinstance(deltas, np.memmap)
    np.testing.assert_array_equal(deltas, store.to_numpy())
    # Lawrence et al.: 3 * h * |D| numbers; the file has a header of 128 bytes beside them.
    assert (tmp_path / "rollback" / "deltas.npy").stat().st_size == 3 * 2 * 4 * 8 + 128


def test_store_refuses_what_is_not_finite() -> None:
    store = RollbackStore(4, 2, "float64")
    values = np.ones((3, 3, 2))
    values[1, 2, 0] = np.nan
    with pytest.raises(TrainingError, match="example 3 is not finite"):
        store.add(tf.IndexedSlices(tf.constant(values), tf.constant([1, 3, 0])))
    assert not store.to_numpy().any()


def test_store_of_another_dataset_is_refused(trained: Trained) -> None:
    assert trained.deltas is not None
    with pytest.raises(InputError, match="rollback store must have shape"):
        GradientRollback(dataclasses.replace(trained, deltas=trained.deltas[1:]))


def test_explained_predictions_merge_equal_ones(trained: Trained, toy: TripleSet) -> None:
    task = trained.task
    predictions = task.test_predictions(trained.parameters)
    assert len({p.query for p in predictions}) == len(predictions)
    lines = [line for p in predictions for line in p.test_lines]
    assert sorted(lines) == list(range(len(toy.test)))
    for prediction in predictions:
        head, relation, _ = task.names_of(prediction.query)
        assert task.ask(trained.parameters, (head, relation, "?"))[0] == prediction.query
        assert prediction.correct == tuple(
            int(toy.test[line, 2]) == prediction.query.tail for line in prediction.test_lines
        )


def test_named_query(trained: Trained) -> None:
    assert trained.task.ask(trained.parameters, ("e3", "r2", "e1"))[0] == Query(3, 2, 1)
    with pytest.raises(InputError, match=r"unknown relation 'r22'.*'r2'"):
        trained.task.ask(trained.parameters, ("e3", "r22", "?"))


def test_queries_and_explanations_by_label(trained: Trained, toy: TripleSet) -> None:
    labels = {"e1": "one", "e3": "three", "e4": "twin", "e5": "twin", "r2": "likes"}
    task = trained.task.with_dataset(dataclasses.replace(toy, labels=labels))

    def ask(*parts: str) -> Query:
        query: Query = task.ask(trained.parameters, parts)[0]
        return query

    assert ask("three", "likes", "e1") == ask("e3", "r2", "one") == Query(3, 2, 1)
    with pytest.raises(InputError, match="'twin' is the label of 2 names: 'e4', 'e5'"):
        ask("twin", "likes", "?")
    assert ask("twin (e5)", "likes", "e1") == Query(5, 2, 1)
    with pytest.raises(InputError, match=r"unknown entity 'tree'.*'three'"):
        ask("tree", "likes", "?")
    query = ask("three", "likes", "e1")
    explanation = GradientRollback(dataclasses.replace(trained, task=task)).explain(query, 20)
    names, shown = explanation.frame, task.examples(explanation.example_ids, query)
    unique = labels | {"e4": "twin (e4)", "e5": "twin (e5)"}
    for column in ("head", "relation", "tail"):
        assert shown[column].tolist() == [unique.get(name, name) for name in names[column]]
    assert not {"twin (e4)", "twin (e5)"}.isdisjoint(shown["head"])
    # A label that is another's name is no better.
    confused = dataclasses.replace(toy, labels={"e4": "e5", "e6": "six"})
    assert [confused.label(name) for name in ("e4", "e5", "e6", "e7")] == ["e5 (e4)", "e5", "six", "e7"]
    assert "one" in set(shown["tail"]) | set(shown["head"])


def test_candidates_are_all_that_compete(trained: Trained, toy: TripleSet) -> None:
    """With a few possible tails: the softmax runs over them only, rolled back one at a time as in one batch."""
    task = trained.task.with_dataset(dataclasses.replace(toy, candidates=(1, 2, 5)))
    few = dataclasses.replace(trained, task=task)
    query = Query(2, 2, 5)
    explanation = GradientRollback(few).rank(query)
    assert explanation.prediction == pytest.approx(task.value(trained.parameters, [query])[0], abs=1e-14)
    assert explanation.prediction > trained.task.value(trained.parameters, [query])[0]
    for example_id, after in zip(explanation.example_ids, explanation.without, strict=True):
        assert after == pytest.approx(undone(few, example_id, query), abs=1e-14)
    with pytest.raises(InputError, match="'e3' cannot be predicted"):
        GradientRollback(few).rank(Query(2, 2, 3))


def test_samples_are_balanced() -> None:
    def predictions(right: int, wrong: int) -> list[ExplainedPrediction]:
        kinds = [True] * right + [False] * wrong
        return [ExplainedPrediction(Query(i, 0, 0), 0.5, (i,), (kind,)) for i, kind in enumerate(kinds)]

    for right, wrong, expected in ((50, 50, 10), (4, 50, 4), (50, 3, 17), (50, 0, 20)):
        whole = predictions(right, wrong)
        sample = balanced_sample(whole, 20, seed=1)
        assert len({p.query for p in sample}) == len(sample) == 20
        assert sum(p.correct[0] for p in sample) == expected
        assert [p.query.head for p in sample] == sorted(p.query.head for p in sample)
        assert balanced_sample(whole, 20, seed=1) == sample
        assert balanced_sample(whole, 20, seed=2) != sample
    assert len(balanced_sample(predictions(2, 3), 20, seed=0)) == 5
    # One that answers five rows, one of them right, among single wrong ones: drawn by its wrong rows it is wrong.
    mixed = [ExplainedPrediction(Query(0, 0, 0), 0.5, tuple(range(5)), (True, False, False, False, False))]
    mixed += [ExplainedPrediction(Query(i, 0, 0), 0.5, (4 + i,), (i % 2 == 0,)) for i in range(1, 41)]
    beside: dict[str, set[bool]] = {"drawn": set(), "any": set()}
    for right_if, kinds in beside.items():
        for seed in range(200):
            sample = balanced_sample(mixed, 2, seed, right_if)
            if sample[0].query.head == 0:
                kinds.add(sample[1].correct[0])
    assert beside == {"drawn": {True, False}, "any": {False}}
    with pytest.raises(InputError, match="right_if must be one of drawn, any"):
        balanced_sample(mixed, 2, 0, "all")
    with pytest.raises(InputError, match="num_queries must be at least 1"):
        balanced_sample(predictions(2, 3), 0, seed=0)


def test_trainings_of_a_model_share_what_is_compiled(trained: Trained, toy: TripleSet) -> None:
    """But each is asked with its own table."""
    model, table, deltas = trained.task.model, trained.parameters.table, trained.deltas
    assert deltas is not None
    noise = np.random.default_rng(3).normal(scale=0.3, size=table.shape).astype(table.dtype)
    head, relation, tail = map(int, toy.train[7])
    queries = [Query(head, relation, tail, place) for place in (HEAD, RELATION, TAIL)]
    compiled, found = set(), []
    for now in (table, table + noise):
        rolled_back = TripleRollback(model, now, deltas, toy)
        found.append([float(rolled_back.without(query, np.array([7]))[1][0]) for query in queries])
        assert found[-1] == pytest.approx([rolled_back.together(query, np.array([7])) for query in queries], rel=1e-5)
        rolled_back.own(np.array([7]))
        compiled.add((triple_rollback._compiled.cache_info().misses, place_rollback._compiled.cache_info().misses))
    assert found[0] != pytest.approx(found[1], rel=1e-2)
    assert len(compiled) == 1
