"""Paired trainings: nothing differs within a pair but what a condition removes or gives; and the means of changes."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.triples import Query, TripleSet
from gr_tf.evaluation.changed_ranks import Changes, mean_with_interval
from gr_tf.evaluation.explained_facts import ExplainedFacts, explain_facts
from gr_tf.evaluation.given_facts import Others, others_of
from gr_tf.evaluation.kept_influences import Asked
from gr_tf.evaluation.paired import NOTHING, OTHER_ORDER, Measured, Pairs
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.head_facts import HeadFactsTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Ids

CONFIG = TripleConfig(
    dim=4, num_negatives=5, epochs=3, batch_size=8, optimizer="adagrad", learning_rate=0.3, reciprocal=True, dropout=0.2
)


@pytest.fixture(scope="module")
def task(toy: TripleSet) -> HeadFactsTask:
    return HeadFactsTask(toy, CONFIG)


@pytest.fixture(scope="module")
def queries(task: HeadFactsTask) -> list[Query]:
    return [Query(*map(int, triple)) for triple in task.dataset.test]


@pytest.fixture
def work(tmp_path: pathlib.Path) -> RunDir:
    return RunDir.begin(tmp_path / "work", {})


def test_only_what_is_removed_differs(task: HeadFactsTask, queries: list[Query], work: RunDir) -> None:
    removed = {"nobody": np.zeros(0, np.int64), "the first": np.array([0])}
    found = Pairs(task, queries, [0, 1], work, jobs=1).measure(removed, {})
    np.testing.assert_array_equal(found["nobody"].values, found[NOTHING].values)
    # The explained training, which keeps what each example changed, is the pair of the explained seed, to the bit.
    explained = train_in_memory(task)
    np.testing.assert_array_equal(found[NOTHING].values[0], task.value(explained.parameters, queries))
    np.testing.assert_array_equal(found[NOTHING].ranks[0], task.ranks(explained.parameters, queries))
    alone = task.train(removed=[0]).parameters
    np.testing.assert_array_equal(found["the first"].values[0], task.value(alone, queries))
    # Unpaired, everything differs, even without a removal.
    assert (found[NOTHING].values[0] != found[NOTHING].values[1]).all()
    assert found[OTHER_ORDER].values.shape == (1, len(queries))
    assert (found[OTHER_ORDER].values != found[NOTHING].values[:1]).all()


def test_another_order_starts_from_the_same_values(task: HeadFactsTask, queries: list[Query], work: RunDir) -> None:
    pairs = Pairs(task, queries, [0, 1], work, jobs=1)
    found = pairs.measure({}, {})[OTHER_ORDER]
    other = task.with_config(negatives_seed=1)
    np.testing.assert_array_equal(other.initial_parameters.table, task.initial_parameters.table)
    np.testing.assert_array_equal(found.values[0], task.value(other.train(seed=1).parameters, queries))


def test_finished_trainings_are_found_again(
    task: HeadFactsTask, queries: list[Query], work: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Pairs(task, queries, [0, 1], work, jobs=1).measure({"the first": np.array([0])}, {})
    monkeypatch.setattr(HeadFactsTask, "train", None)
    again = Pairs(task, queries, [0, 1], work, jobs=1).measure({"the first": np.array([0])}, {})
    for name, measured in first.items():
        np.testing.assert_array_equal(again[name].values, measured.values)


def test_means_of_changes() -> None:
    before = Measured(
        np.array([[0.5, 0.2, 0.4], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1]]), np.array([[1, 1, 1], [1, 2, 1], [1, 1, 4]])
    )
    after = Measured(
        np.array([[0.4, 0.3, 0.3], [0.3, 0.6, 0.5], [0.2, 0.0, 0.0]]), np.array([[2, 1, 1], [1, 1, 2], [4, 1, 4]])
    )
    other = Measured(before.values[1:] / 2, before.ranks[1:] * 2)
    changes = Changes({NOTHING: before, "gr-1": after, OTHER_ORDER: other}, np.array([0, 0, 1]))
    row = changes.row("gr-1", {"itself": "gr-1"})
    # Of two facts, the first of which has two queries.
    assert row["own"]["hits_at_1"][0] == pytest.approx((-0.5 + 0) / 2)
    assert row["own"]["value"][0] == pytest.approx((0 - 0.1) / 2)
    assert row["own"]["fell"][0] == pytest.approx((50 + 100) / 2)
    assert row["own"]["rose"][0] == pytest.approx((50 + 0) / 2)
    # Seeds 1 and 2: Hits@1 0, 1, -1 and -1, 0, 0.
    assert row["others"]["hits_at_1"][0] == pytest.approx(((-0.5 + 0.5) / 2 - 0.5) / 2)
    # Beside the explained training: 0, 0, -1 and -1, 0, -1.
    assert row["unpaired"]["hits_at_1"][0] == pytest.approx((-0.25 - 1) / 2)
    assert row["by_seed"]["hits_at_1"] == pytest.approx([-1 / 3, 0, -1 / 3])
    assert row["beyond"]["itself"] == {metric: [0, 0, 0] for metric in ("hits_at_1", "mrr", "value")}
    assert set(changes.row(NOTHING)) == set(changes.row(OTHER_ORDER)) == {"unpaired"}
    assert changes.row(OTHER_ORDER)["unpaired"]["hits_at_1"][0] == -1
    assert changes.row(NOTHING)["unpaired"]["hits_at_1"][0] == pytest.approx((-0.25 - 0.5) / 2)
    assert changes.before()["hits_at_1"] == pytest.approx([1, 2 / 3, 2 / 3])


def test_intervals() -> None:
    assert mean_with_interval(np.array([2.0])) == [2, 2, 2]
    mean, low, high = mean_with_interval(np.arange(100.0))
    assert mean == 49.5
    assert (low + high) / 2 == pytest.approx(49.5, abs=0.5)
    assert high - low == pytest.approx(2 * 1.96 * np.arange(100).std() / 10, rel=0.1)


def explained(task: HeadFactsTask, queries: list[Query], work: RunDir, *methods: str) -> ExplainedFacts:
    asked = [Asked.parsed(method, "triples") for method in methods]
    return explain_facts(task, queries, asked, {"random": task.in_random_order}, limit=2, work=work, jobs=1)


def test_explanations_of_facts_that_are_ranked_first(task: HeadFactsTask, queries: list[Query], work: RunDir) -> None:
    found = explained(task, queries, work, "gr", "gr*3", "criage", "overlap")
    trained = train_in_memory(task)
    ranks = task.ranks(trained.parameters, queries)
    assert found.chosen.tolist() == np.flatnonzero(ranks == 1)[:2].tolist()
    for method, orders in found.orders.items():
        for query, order in zip(found.explained, orders, strict=True):
            if method == "criage":
                assert (task.dataset.train[order, 2] == query.tail).all()
            else:
                assert set(order.tolist()) <= set(task.related(query).tolist())
    rankings = {seed: trainings_ranking(task.seeded(seed), found) for seed in (0, 10_001, 10_002)}
    for place, query in enumerate(found.explained):
        own = rankings[0][place]
        assert found.orders["gr"][place].tolist() == [i for i in sorted(own, key=lambda i: (-own[i], i)) if own[i] > 0]
        mean = {i: np.mean([of[place][i] for of in rankings.values()]) for i in task.related(query).tolist()}
        assert found.orders["gr*3"][place].tolist() == [
            i for i in sorted(mean, key=lambda i: (-mean[i], i)) if mean[i] > 0
        ]
    assert found.about["gr*3"]["trainings"] == 3
    assert [one["refused"] for one in found.about.values()] == [0, 0, 0, 0]
    assert all(map(len, found.orders["criage"]))
    assert found.about["gr*3"]["seconds"] > 0


def trainings_ranking(task: HeadFactsTask, found: ExplainedFacts) -> list[dict[int, float]]:
    """Gradient Rollback's influences in one training, by the explained fact and the example id."""
    import gr_tf

    ranked = gr_tf.explainer(train_in_memory(task), "gr").rank_many(found.explained)
    return [dict(zip(one.example_ids.tolist(), one.influences.tolist(), strict=True)) for one in ranked]


def test_explanations_are_found_again(
    task: HeadFactsTask, queries: list[Query], work: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = explained(task, queries, work, "gr")
    monkeypatch.setattr(HeadFactsTask, "train", None)
    again = explained(task, queries, work, "gr")
    assert [ids.tolist() for ids in again.orders["gr"]] == [ids.tolist() for ids in first.orders["gr"]]


def test_others_are_given_facts(task: HeadFactsTask, queries: list[Query], work: RunDir) -> None:
    found = explained(task, queries, work, "gr")
    others = others_of(task, found, 2, work, 1)
    assert len(others.ids)
    trained = train_in_memory(task)
    assert (task.ranks(trained.parameters, others.queries) > 1).all()
    named: dict[str, list[Ids]] = {"gr-2": found.first("gr", 2), "none": [np.zeros(0, np.int64) for _ in found.chosen]}
    larger, given = others.given(named)
    assert given["none"].tolist() == []
    new = larger.dataset.train[task.num_examples :]
    assert sorted(given["gr-2"].tolist()) == list(range(task.num_examples, larger.num_examples))
    np.testing.assert_array_equal(larger.dataset.train[: task.num_examples], task.dataset.train)
    wanted = {
        tuple(other if entity == query.head and place != 1 else entity for place, entity in enumerate(triple))
        for fact, other in zip(others.facts, others.ids, strict=True)
        for query in [found.explained[fact]]
        for triple in task.dataset.train[found.first("gr", 2)[fact]].tolist()
    }
    parts = (task.dataset.train, task.dataset.valid, task.dataset.test)
    known = {tuple(triple) for part in parts for triple in part.tolist()}
    asked = {query.triple for query in others.queries}
    assert {tuple(triple) for triple in new.tolist()} <= wanted - known
    assert wanted - known - asked <= {tuple(triple) for triple in new.tolist()}
    pairs = Pairs(larger, others.queries, [0], work, 1, without=np.arange(task.num_examples, larger.num_examples))
    measured = pairs.measure({}, given, reordered=False)
    np.testing.assert_array_equal(measured["none"].values, measured[NOTHING].values)
    whole = larger.train().parameters
    np.testing.assert_array_equal(measured["gr-2"].values[0], larger.value(whole, others.queries))


def test_others_keep_their_facts(task: HeadFactsTask, queries: list[Query]) -> None:
    others = Others(task, [task.subjects(query) for query in queries[:2]], [1, 2, 3], np.array([0, 0, 1]))
    few = others.only(np.array([0, 2]))
    assert [query.triple for query in few.queries] == [(1, *queries[0].triple[1:]), (3, *queries[1].triple[1:])]


@pytest.mark.parametrize("text", ["gr*1", "gr*x", "", "gr*", "unheard"])
def test_unknown_methods_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="method"):
        Asked.parsed(text, "triples")


def test_methods_are_checked_before_any_work(task: HeadFactsTask) -> None:
    Asked.parsed("criage", "triples").check(task)
    with pytest.raises(ValueError, match="dense steps"):
        Asked.parsed("rollback-all", "triples").check(task)
