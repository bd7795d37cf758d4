"""The truth at real size: what is left out together, and methods beside it."""

import dataclasses
import pathlib

import numpy as np
import pytest

from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation import large_truth
from gr_tf.evaluation.large_fidelity import Sizes, measure
from gr_tf.evaluation.large_rows import ALL, BEST, DRAWN, HALVES, NAMED, LargeTruth
from gr_tf.evaluation.large_truth import chosen_examples, chosen_queries, effects_together, partners
from gr_tf.evaluation.leave_one_out import leave_one_out
from gr_tf.evaluation.prices import SHAPE_ROWS
from gr_tf.report.large_fidelity_tables import frame, truth_line
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=4, num_negatives=5, epochs=2, learning_rate=0.05)
QUERIES = [Query(0, 0, 1), Query(2, 1, 3)]
SIZES = Sizes(queries=3, first=3, drawn=3, seeds=4, explained=2, halves=4, half_seeds=2)


@pytest.fixture(scope="module")
def task(toy: TripleSet) -> TripleTask:
    return TripleTask(toy, CONFIG)


def test_examples_of_a_query_are_left_out_in_another_order_by_each_seed() -> None:
    examples = np.arange(12).reshape(3, 4)
    orders = [partners(examples, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()
    np.testing.assert_array_equal(np.sort(orders[2], axis=1), np.tile(range(4), (3, 1)))
    assert (orders[2][0] != orders[2][1]).any()


def beyond_the_others(effects: np.ndarray) -> np.ndarray:
    """Each less the mean of the others."""
    return np.array([effect - np.delete(effects, place).mean() for place, effect in enumerate(effects)])


def test_one_query_is_left_one_out(task: TripleTask, tmp_path: pathlib.Path) -> None:
    examples = task.related(QUERIES[0])[None, :5]
    found = effects_together(tmp_path, task.seeded, [0, 3], QUERIES[:1], examples, 1)
    for effects, seed in zip(found, (0, 3), strict=True):
        wanted = leave_one_out(task.seeded(seed), QUERIES[:1], 1, example_ids=examples[0])
        np.testing.assert_allclose(effects[0], beyond_the_others(wanted.effects[0]), rtol=1e-9)
    assert np.abs(found).max() > 1e-4


def _only(task: TripleTask, place: int) -> np.ndarray:
    """The related examples of one of the two queries that the other does not have."""
    return np.setdiff1d(task.related(QUERIES[place]), task.related(QUERIES[1 - place]))


def test_examples_of_two_queries_are_left_out_together(task: TripleTask, tmp_path: pathlib.Path) -> None:
    examples = np.stack([_only(task, place)[:3] for place in range(2)])
    found = effects_together(tmp_path, task.seeded, [1], QUERIES, examples, 2)[0]
    assert not np.isin(examples[0], examples[1]).any()
    order, one = partners(examples, 1), task.seeded(1)
    whole = one.exact_value(one.train().parameters, QUERIES)
    falls = np.zeros(examples.shape)
    for column in order.T:
        removed = [int(ids[place]) for ids, place in zip(examples, column, strict=True)]
        effects = whole - one.exact_value(one.train(removed=removed).parameters, QUERIES)
        falls[range(2), column] = effects
    for query in range(2):
        np.testing.assert_allclose(found[query], beyond_the_others(falls[query]), rtol=1e-9)
    # They are found again: nothing can be trained now.
    again = effects_together(tmp_path, None, [1], QUERIES, examples, 1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again[0], found)


def test_an_example_of_several_queries_is_as_strong_as_it_is() -> None:
    """If effects are sums, they are found on average over the draws, however many queries share an example."""
    generator = np.random.default_rng(0)
    examples = np.stack([generator.permutation(12)[:8] for _ in range(6)])
    effects = generator.normal(size=(6, 12))
    own = np.take_along_axis(effects, examples, axis=1)
    found = []
    for seed in range(3_000):
        together = np.take_along_axis(examples, partners(examples, seed), axis=1)
        gone = np.stack([np.isin(examples, column) for column in together.T], axis=1)
        if not gone.all(axis=1).any():
            found.append(large_truth.mean_falls(gone, np.einsum("qtn,qn->qt", gone.astype(float), own)))
    assert len(found) > 2_900
    for mean, true in zip(np.mean(found, axis=0), own, strict=True):
        line = np.polyfit(true, mean, 1)
        assert 0.9 < line[0] < 1.2
        assert np.corrcoef(true, mean)[0, 1] > 0.98


def test_an_example_that_all_trainings_lack_is_refused(task: TripleTask, tmp_path: pathlib.Path) -> None:
    examples = np.array([[0, 1, 2]] * 40)
    with pytest.raises(InputError, match="an example would be left out of all trainings: want fewer queries"):
        effects_together(tmp_path, task.seeded, [0], QUERIES * 20, examples, 1)
    assert not list(tmp_path.iterdir())


def test_methods_name_examples_in_turn(task: TripleTask) -> None:
    related = task.related(QUERIES[0])
    upwards, downwards = np.zeros((2, 1, task.num_examples))
    upwards[0, related], downwards[0, related] = np.arange(len(related)), -np.arange(len(related))
    upwards[0, np.setdiff1d(np.arange(task.num_examples), related)] = 1e9
    named = {"one": upwards, "other": downwards, "same": upwards}
    (found,) = chosen_examples(task, QUERIES[:1], named, first=4, drawn=3, seed=0)
    assert found[:4].tolist() == [related[-1], related[0], related[-2], related[1]]
    assert set(found[4:]) <= set(related[2:-2])
    assert len(set(found)) == 7
    (without,) = chosen_examples(task, QUERIES[:1], {}, first=4, drawn=3, seed=0)
    assert len(set(without)) == 7


def test_queries_have_enough_related_examples(task: TripleTask) -> None:
    candidates = [Query(head, relation, 1) for head in range(4) for relation in range(3)]
    counts = [len(task.related(query)) for query in candidates]
    least = sorted(counts)[-3]
    found = chosen_queries(task, candidates, 3, least, 0)
    assert len(set(found)) == 3
    assert all(len(task.related(query)) >= least for query in found)
    with pytest.raises(InputError, match=rf"queries must be at most {sum(np.array(counts) >= least)}: .*; got 12"):
        chosen_queries(task, candidates, 12, least, 0)


def test_an_exact_method_has_correlations_of_1(task: TripleTask) -> None:
    generator = np.random.default_rng(0)
    count = task.num_examples
    exact = generator.normal(size=(2, count))
    examples = np.stack([generator.permutation(count)[:8] for _ in QUERIES])
    subsets = generator.random((30, count)) < 0.5
    outputs = np.stack([subsets @ exact.T] * 2)
    effects = np.stack([np.take_along_axis(exact, examples, axis=1)] * 4)
    truth = LargeTruth(task, QUERIES, examples, effects, 4, subsets, outputs)

    def scored(name: str, seed: int) -> np.ndarray:
        if name == "overlap":
            return np.ones((2, count))
        noise = np.random.default_rng(seed).normal(size=exact.shape)
        return exact if name == "replay" else exact + {"gr": 1, "nh": 1e9}[name] * noise

    told, refused = truth.rows(scored, ["nh", "gr", "replay", "overlap"], [5, 6])
    assert not refused
    rows = {(row["method"], row["trainings"]): row for row in told}
    for row in (rows["replay", 1], rows["replay", 2]):
        assert [row[name][0] for name in (ALL, NAMED, DRAWN, HALVES)] == pytest.approx([1, 1, 1, 1])
    assert 0.2 < rows["gr", 1][HALVES][0] < rows["gr", 2][HALVES][0] < 0.95
    gained = rows["replay", 2]["beyond"][HALVES][0]
    assert gained == pytest.approx(1 - rows["gr", 2][HALVES][0])
    assert "beyond" not in rows["gr", 1]
    assert rows["overlap", 1][ALL] is None
    assert rows["overlap", 1]["why"][ALL] == "the scores of query 0 are all 1.0: they rank nothing."
    assert not rows["gr", 1]["why"]

    # What is not finite is told, too.
    def broken(name: str, seed: int) -> np.ndarray:
        return np.where(exact > 1, np.nan, exact)

    (row, *_), refused = truth.rows(broken, ["replay"], [5])
    assert "are not all finite" in row["why"][ALL]
    assert refused.keys() == {BEST}
    assert {BEST, SHAPE_ROWS[0]} <= {name for name, _ in rows}
    ceilings = truth.ceilings()
    assert [ceilings[name]["reliability"] for name in (ALL, NAMED, DRAWN, HALVES)] == pytest.approx([1, 1, 1, 1])


def test_the_sizes_are_checked(task: TripleTask, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="seeds must be at least 4; got 3"):
        measure(task, tmp_path, Sizes(seeds=3))
    with pytest.raises(InputError, match="halves must be at least 3; got 2"):
        measure(task, tmp_path, Sizes(halves=2))
    with pytest.raises(InputError, match="a seed would serve twice: take another seed"):
        measure(task.seeded(19_999), tmp_path, SIZES)
    with pytest.raises(InputError, match=r"methods must be of nh; .*; got best"):
        measure(task, tmp_path, SIZES, names=["best"])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_nothing_is_deleted_or_measured_if_it_cannot_be(task: TripleTask, tmp_path: pathlib.Path) -> None:
    found = measure(task, tmp_path, SIZES, names=["gr"])
    with pytest.raises(InputError, match=r"queries must be at most \d+: .*; got 1000"):
        measure(task, tmp_path, dataclasses.replace(SIZES, queries=1000), names=["gr"], overwrite=True)
    assert measure(task, tmp_path, SIZES, names=["gr"]) == found
    with pytest.raises(InputError, match="was begun with first = 3, not 4"):
        measure(task, tmp_path, dataclasses.replace(SIZES, first=4), names=["gr"])
    with pytest.raises(InputError, match="no method names examples to leave out: want more methods than nh"):
        measure(task, tmp_path / "random", SIZES, names=[])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["triples", "ratings", "sequences"])
def test_every_kind_is_measured(
    kind: str, task: TripleTask, toy_ratings: RatingSet, toy_sequences: SequenceSet, tmp_path: pathlib.Path
) -> None:
    tasks: dict[str, Task] = {
        "triples": task,
        "ratings": RatingTask(toy_ratings, RatingConfig(model="ncf", dim=2, steps=40, batch_size=20)),
        "sequences": SequenceTask(toy_sequences, SequenceConfig(dim=3, hidden=3, epochs=2, kept_epochs=(1, 2))),
    }
    names = {"triples": ["gr", "replay"], "ratings": ["fia"], "sequences": ["tracin"]}[kind]
    found = measure(tasks[kind], tmp_path, SIZES, names=names)
    assert {row["method"] for row in found["rows"]} >= {"nh", *names}
    assert len(found["queries"]) == len(found["mean_on_halves"]) == 3
    assert found["ceilings"].keys() == {ALL, NAMED, DRAWN, HALVES}
    assert "3 predictions" in truth_line(found)
    assert len(frame(found)) == len(found["rows"])
    # With two jobs, in another folder: the same; and in the same folder nothing is done again.
    parallel = measure(tasks[kind], tmp_path / "two", SIZES, names=names, jobs=2)
    assert parallel["rows"] == found["rows"]
    assert measure(tasks[kind], tmp_path, SIZES, names=names) == found
    assert found["named_by"] == names
    # Another method is compared on the same truth.
    less = measure(tasks[kind], tmp_path, SIZES, names=[])
    assert less["named_by"] == names
    assert {row["method"] for row in less["rows"]} <= {"nh", SHAPE_ROWS[0]}
    assert less["ceilings"] == found["ceilings"]
