"""Gradient Rollback against rolling back one triple at a time, and the explainers' contract."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution import rollback
from gr_tf.attribution.base import Explainer
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.queries import (
    ExplainedPrediction,
    balanced_sample,
    explained_predictions,
    named_query,
)
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore, load_deltas
from gr_tf.data.adjacency import AdjacencyIndex
from gr_tf.data.triples import Query, TripleSet, read_folder
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.prediction import tail_probability
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer
from tests.conftest import Trained

QUERIES = (Query(0, 1, 2), Query(3, 0, 3), Query(8, 3, 1), Query(2, 2, 5))


def explainers(trained: Trained) -> dict[str, Explainer]:
    model, triples = trained.trainer.model, trained.trainer.triples
    return {
        "rollback": GradientRollback(model, trained.table, trained.deltas, triples),
        "neighborhood": Neighborhood(model, trained.table, triples, seed=3),
    }


@pytest.mark.parametrize("chunk", [1 << 24, 9 * 7])
def test_batched_rollback_is_one_rollback_at_a_time(
    trained: Trained, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Self-loops, repeated triples and candidates' own changes included; rounding apart."""
    monkeypatch.setattr(rollback, "_CHUNK_SCORES", chunk)
    model, triples = trained.trainer.model, trained.trainer.triples
    for query in QUERIES:
        explanation = explainers(trained)["rollback"].rank(query)
        before = tail_probability(model, trained.table, query)
        assert explanation.probability == pytest.approx(before, abs=1e-14)
        np.testing.assert_array_equal(np.sort(explanation.example_ids), AdjacencyIndex(triples).adjacent(query))
        for example_id, influence, after in zip(
            explanation.example_ids, explanation.influences, explanation.rolled_back, strict=True
        ):
            table = trained.table.copy()
            np.subtract.at(table, model.rows_of(triples.train[example_id]), trained.deltas[example_id])
            expected = tail_probability(model, table, query)
            assert after == pytest.approx(expected, abs=1e-14)
            assert influence == pytest.approx(before - expected, abs=1e-14)


def test_rolling_back_the_only_training_triple_is_not_training(tmp_path: pathlib.Path) -> None:
    """With one training triple of rows a, r, b and no other entity, the rollback is the initial model."""
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text("a\tr\tb\n")
    triples = read_folder(tmp_path)
    trainer = Trainer(triples, TrainConfig(dim=3, num_negatives=2, epochs=20, learning_rate=0.05))
    store = RollbackStore(1, 3, "float64")
    table = trainer.run(store=store).table
    query = Query(0, 0, 1)
    explanation = GradientRollback(trainer.model, table, store.to_numpy(), triples).explain(query)
    assert explanation.probability > 0.6
    untrained = tail_probability(trainer.model, trainer.initial_table, query)
    np.testing.assert_allclose(explanation.rolled_back, [untrained], rtol=0, atol=1e-14)
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
    assert list(frame) == ["head", "relation", "tail", "influence", "p", "p_rolled_back", "example_id"]
    assert len(frame) == 4
    names = trained.trainer.triples.train_frame
    for _, row in frame.iterrows():
        assert row[["head", "relation", "tail"]].tolist() == names.loc[row["example_id"]].tolist()
        assert row["influence"] == row["p"] - row["p_rolled_back"]


def test_random_neighbours_depend_on_seed_and_query_only(trained: Trained) -> None:
    model, triples = trained.trainer.model, trained.trainer.triples
    first = Neighborhood(model, trained.table, triples, seed=0)
    orders = [first.rank(query).example_ids.tolist() for query in (QUERIES[0], QUERIES[1], QUERIES[0])]
    assert orders[0] == orders[2]
    assert Neighborhood(model, trained.table, triples, seed=1).rank(QUERIES[0]).example_ids.tolist() != orders[0]


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
    with pytest.raises(InputError, match="rollback store must have shape"):
        GradientRollback(trained.trainer.model, trained.table, trained.deltas[1:], trained.trainer.triples)


def test_explained_predictions_merge_equal_ones(trained: Trained) -> None:
    trainer = trained.trainer
    predictions = explained_predictions(trainer.model, trained.table, trainer.triples)
    assert len({p.query for p in predictions}) == len(predictions)
    lines = [line for p in predictions for line in p.test_lines]
    assert sorted(lines) == list(range(len(trainer.triples.test)))
    for prediction in predictions:
        names = trainer.triples.names(np.array([[prediction.query.head, prediction.query.relation, 0]])).iloc[0]
        query = named_query(trainer.model, trained.table, trainer.triples, names["head"], names["relation"])
        assert query == prediction.query
        assert prediction.correct == tuple(
            int(trainer.triples.test[line, 2]) == query.tail for line in prediction.test_lines
        )


def test_named_query(trained: Trained, toy: TripleSet) -> None:
    model = trained.trainer.model
    assert named_query(model, trained.table, toy, "e3", "r2", "e1") == Query(3, 2, 1)
    with pytest.raises(InputError, match=r"unknown relation 'r22'.*'r2'"):
        named_query(model, trained.table, toy, "e3", "r22")


def test_queries_and_explanations_by_label(trained: Trained, toy: TripleSet) -> None:
    labels = {"e1": "one", "e3": "three", "e4": "twin", "e5": "twin", "r2": "likes"}
    model, labeled = trained.trainer.model, dataclasses.replace(toy, labels=labels)
    query = named_query(model, trained.table, labeled, "three", "likes", "e1")
    assert query == named_query(model, trained.table, labeled, "e3", "r2", "one") == Query(3, 2, 1)
    with pytest.raises(InputError, match="'twin' is the label of 2 names: 'e4', 'e5'"):
        named_query(model, trained.table, labeled, "twin", "likes")
    with pytest.raises(InputError, match=r"unknown entity 'tree'.*'three'"):
        named_query(model, trained.table, labeled, "tree", "likes")
    explanation = GradientRollback(model, trained.table, trained.deltas, labeled).explain(query, 20)
    names, shown = explanation.frame, explanation.labeled_frame
    for column in ("head", "relation", "tail"):
        assert shown[column].tolist() == [labels.get(name, name) for name in names[column]]
    assert "one" in set(shown["tail"]) | set(shown["head"])


def test_candidates_are_all_that_compete(trained: Trained) -> None:
    """With a few possible tails: the softmax runs over them only, rolled back one at a time as in one batch."""
    triples = dataclasses.replace(trained.trainer.triples, candidates=(1, 2, 5))
    model = TrainConfig(dim=6, num_negatives=5).make_model(triples)
    explainer = GradientRollback(model, trained.table, trained.deltas, triples)
    query = Query(2, 2, 5)
    explanation = explainer.rank(query)
    assert explanation.probability == pytest.approx(tail_probability(model, trained.table, query), abs=1e-14)
    assert explanation.probability > tail_probability(trained.trainer.model, trained.table, query)
    for example_id, after in zip(explanation.example_ids, explanation.rolled_back, strict=True):
        table = trained.table.copy()
        np.subtract.at(table, model.rows_of(triples.train[example_id]), trained.deltas[example_id])
        assert after == pytest.approx(tail_probability(model, table, query), abs=1e-14)
    with pytest.raises(InputError, match="'e3' cannot be predicted"):
        explainer.rank(Query(2, 2, 3))


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
