"""The laws of the atlas and of the protocols."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.methods import explainer, methods_of
from gr_tf.data.dataset import numbers_of, query_of_numbers
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.data.sequences import SequenceQuery, SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement, fidelity
from gr_tf.evaluation.atlas import Atlas
from gr_tf.evaluation.compared import OneTraining, compared, told
from gr_tf.evaluation.leave_one_out import leave_one_out
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig

QUERIES = [Query(0, 1, 2), Query(3, 0, 3)]
MASKS = np.ones((40, 60), bool)


def simulated(noise: float, seed: int = 0, seeds: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """True effects [40, 60], and noisy measurements of them by seed."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=MASKS.shape)
    return true, true + noise * generator.normal(size=(seeds, *MASKS.shape))


def tasks(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet) -> list[Task[Any]]:
    """A short one of each kind."""
    return [
        TripleTask(toy, TripleConfig(dim=3, num_negatives=4, epochs=2, learning_rate=0.05, negatives_seed=3)),
        RatingTask(toy_ratings, RatingConfig(dim=2, steps=200, batch_size=1, learning_rate=0.01)),
        SequenceTask(toy_sequences, SequenceConfig(epochs=2, batch_size=8, dim=3, hidden=4, kept_epochs=())),
    ]


@pytest.mark.slow
def test_leave_one_out(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet) -> None:
    """Of every kind, the value after a training without the example; small ones in the precision that they need."""
    for task in tasks(toy, toy_ratings, toy_sequences):
        queries = [told.query for told in task.test_predictions(task.initial_parameters)][:3]
        done: list[int] = []
        ids = None if task.kind == "triples" else np.array([40, 3, 17])
        found = leave_one_out(task, queries, 2, lambda done=done: done.append(1), ids)  # type: ignore[misc]
        every = np.arange(task.num_examples) if ids is None else ids
        assert len(done) == len(every) + 1
        for place in (0, 2, len(every) - 1):
            without = task.train(removed=[every[place]]).parameters
            np.testing.assert_array_equal(found.without[:, place], task.exact_value(without, queries))
        whole = task.exact_value(task.train().parameters, queries)
        np.testing.assert_array_equal(found.whole, whole)
        np.testing.assert_array_equal(found.effects, whole[:, None] - found.without)
        assert np.abs(found.effects).max() > 1e-4
        np.testing.assert_array_equal(found.effects, leave_one_out(task, queries, 1, example_ids=ids).effects)
        with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
            leave_one_out(task, queries, jobs=0)


@pytest.mark.slow
def test_compared_methods_are_those_of_the_registry(toy: TripleSet) -> None:
    """Each says what its name says elsewhere; those that share their work, too."""
    task = TripleTask(toy, TripleConfig(dim=3, num_negatives=4, epochs=3, learning_rate=0.05))
    one, methods = OneTraining.of(task, QUERIES), compared("triples")
    assert next(iter(methods)) == "nh"
    # Those that average over trainings of their own are compared by their price.
    of_one = {name for name, method in methods_of("triples").items() if not method.averages}
    assert of_one <= set(methods)
    found = {name: np.asarray(told(ask, one)[0]) for name, ask in methods.items()}
    for name in of_one - {"criage"}:
        np.testing.assert_allclose(found[name], explainer(one.trained, name).matrix(QUERIES), rtol=1e-12, atol=1e-15)
    by_epoch = [explainer(one.trained, "replay", first_epoch=epoch).matrix(QUERIES) for epoch in (1, 3)]
    for name, wanted in zip(("replay with epoch 1", "replay, last epoch"), by_epoch, strict=True):
        np.testing.assert_array_equal(found[name], wanted)
    epochs = [train_in_memory(task, length=epoch) for epoch in (1, 2, 3)]
    values = np.sum([explainer(trained, "tracin").matrix(QUERIES) for trained in epochs], axis=0)
    values *= task.value(one.trained.parameters, QUERIES)[:, None]
    np.testing.assert_allclose(found["tracin, every epoch"], values, rtol=1e-9)
    # Whatever the loss was; elsewhere that is refused.
    assert np.abs(found["criage"]).max() > 0


@pytest.mark.slow
def test_methods_that_do_not_serve_say_why(toy_ratings: RatingSet) -> None:
    task = RatingTask(toy_ratings, RatingConfig(dim=2, steps=20, batch_size=20))
    one = OneTraining(train_in_memory(task), [RatingQuery(1, 2)])
    refused = {name: told(ask, one)[1]["refused"] for name, ask in compared("ratings").items()}
    assert "needs a training that kept what each example changed" in refused.pop("gr")
    assert "needs a training that kept its epochs" in refused.pop("tracin, every epoch")
    for name in [name for name in refused if name.startswith("replay")]:
        assert "replaying a training of ratings needs --optimizer=sgd or adagrad" in (refused.pop(name) or "")
    assert set(refused.values()) == {None}


def test_negatives_have_a_seed(toy: TripleSet) -> None:
    config = TripleConfig(num_negatives=4, epochs=1)
    tables = [TripleTask(toy, config).seeded(seed, ["negatives_seed"]).train().parameters.table for seed in (0, 1)]
    assert not np.allclose(tables[0], tables[1])
    assert TripleTask(toy, config).seeded(5).config == dataclasses.replace(config, seed=5, negatives_seed=5)
    with pytest.raises(InputError, match="negatives_seed must be from 0 to"):
        TripleConfig(negatives_seed=-1)


def test_shared_elements(toy: TripleSet, toy_ratings: RatingSet) -> None:
    for query in QUERIES:
        shared = toy.shared_elements(query)
        np.testing.assert_array_equal(np.flatnonzero(shared), toy.related(query))
        for count, (head, relation, tail) in zip(shared, toy.train.tolist(), strict=True):
            assert count == (relation == query.relation) + len({query.head, query.tail} & {head, tail})
    shared = toy_ratings.shared_elements(RatingQuery(1, 2))
    np.testing.assert_array_equal(np.flatnonzero(shared), toy_ratings.related(RatingQuery(1, 2)))
    assert set(shared.tolist()) == {0, 1}


def test_atlas(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    effects = np.random.default_rng(0).normal(size=(5, len(QUERIES), toy.num_examples))
    atlas = Atlas.of(QUERIES, effects, range(5))
    np.testing.assert_allclose(atlas.expected, effects.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(atlas.standard_errors, effects.std(axis=0, ddof=1) / np.sqrt(5), rtol=1e-6)
    assert atlas.asked() == QUERIES
    assert atlas.shared(toy).tolist() == [toy.shared_elements(query).tolist() for query in QUERIES]
    atlas.save(tmp_path / "atlas.npz")
    again = Atlas.load(tmp_path / "atlas.npz")
    for name in ("queries", "halves", "standard_errors", "seeds"):
        np.testing.assert_array_equal(getattr(atlas, name), getattr(again, name))
    with pytest.raises(InputError, match="at least two seeds"):
        Atlas.of(QUERIES, effects[:1], [0])
    with pytest.raises(InputError, match="no such file"):
        Atlas.load(tmp_path / "none.npz")
    for bad in (b"atlas", b"", (tmp_path / "atlas.npz").read_bytes()[:300]):
        (tmp_path / "bad.npz").write_bytes(bad)
        with pytest.raises(InputError, match="not an atlas"):
            Atlas.load(tmp_path / "bad.npz")


def test_atlases_of_every_kind(tmp_path: pathlib.Path) -> None:
    """The queries are read again as they were; a file from before there were kinds is of triples."""
    effects = np.random.default_rng(0).normal(size=(2, 2, 5))
    of_kinds: dict[str, list[Any]] = {
        "triples": QUERIES,
        "ratings": [RatingQuery(3, 0), RatingQuery(1, 2)],
        "sequences": [SequenceQuery((4, 2, 9), 1), SequenceQuery((), 7)],
    }
    for kind, queries in of_kinds.items():
        assert [query_of_numbers(type(query), numbers_of(query)) for query in queries] == queries
        Atlas.of(queries, effects, range(2), kind).save(tmp_path / f"{kind}.npz")
        assert Atlas.load(tmp_path / f"{kind}.npz").asked() == queries
    with np.load(tmp_path / "triples.npz") as arrays:
        np.savez(tmp_path / "earlier.npz", **{name: arrays[name] for name in arrays if name != "kind"})
    assert Atlas.load(tmp_path / "earlier.npz").asked() == QUERIES


def test_atlases_of_questions_for_any_part(tmp_path: pathlib.Path) -> None:
    queries = [Query(0, 1, 2), Query(3, 0, 3, 0), Query(3, 0, 3, 1)]
    Atlas.of(queries, np.zeros((2, 3, 5)), range(2), "triples").save(tmp_path / "atlas.npz")
    assert Atlas.load(tmp_path / "atlas.npz").asked() == queries


def test_consensus(toy: TripleSet) -> None:
    task = TripleTask(toy, TripleConfig(num_negatives=4, epochs=1))
    several = [Parameters(task.seeded(seed).initial_parameters.table * 30) for seed in range(3)]
    queries = task.consensus(several)
    assert len({(query.head, query.relation) for query in queries}) == len(queries)
    for query in queries:
        mask = task.known.mask(np.array([query.head]), np.array([query.relation]))[0]
        alternatives = [Query(query.head, query.relation, tail) for tail in range(len(toy.entities))]
        means = np.mean([task.value(parameters, alternatives) for parameters in several], axis=0)
        assert query.tail == int(np.argmax(np.where(mask, -1, means)))


def test_consensus_of_sequences_and_ratings(toy_ratings: RatingSet, toy_sequences: SequenceSet) -> None:
    sequences = SequenceTask(toy_sequences, SequenceConfig(epochs=1, batch_size=8, dim=3, hidden=4, kept_epochs=()))
    several = [sequences.seeded(seed).initial_parameters for seed in range(3)]
    for query in sequences.consensus(several):
        items = [target for target in range(1, len(toy_sequences.items) + 1) if target not in query.history]
        alternatives = [dataclasses.replace(query, target=target) for target in items]
        means = np.mean([sequences.value(parameters, alternatives) for parameters in several], axis=0)
        assert query.target == items[int(means.argmax())]
    ratings = RatingTask(toy_ratings, RatingConfig(dim=2, batch_size=20))
    pairs = [(query.user, query.item) for query in ratings.consensus([ratings.initial_parameters])]
    assert pairs == [tuple(pair) for pair in toy_ratings.test.pairs.tolist()]


def test_a_perfect_explainer_scores_1() -> None:
    true, measured = simulated(noise=3)
    for function in agreement.COEFFICIENTS.values():
        found, *_ = agreement.mean_over_queries(agreement.per_query(true, measured.mean(axis=0), MASKS, function))
        limit = agreement.reliability(measured, MASKS, function)["ceiling"]
        assert found < 0.9
        assert found / limit == pytest.approx(1, abs=0.03)
    halves = measured[0::2].mean(axis=0), measured[1::2].mean(axis=0)
    captured = fidelity.captured_effect(true, measured.mean(axis=0), halves, MASKS, 5)
    assert captured > 1  # The best that noise lets one choose are worse than the true best.
    exact = fidelity.captured_effect(true, true, (true, true), MASKS, 5)
    assert exact == pytest.approx(1)


def test_a_zero_explainer_fails_loudly() -> None:
    true, measured = simulated(noise=1)
    zeros = np.zeros_like(true)
    with pytest.raises(InputError, match=r"the scores of query 0 are all 0\.0: they rank nothing"):
        agreement.per_query(zeros, measured.mean(axis=0), MASKS, agreement.spearman_rows)
    with pytest.raises(InputError, match="the scores of query 0 are all the same"):
        fidelity.linear_datamodeling_score(zeros, fidelity.half_subsets(60, 10, 0), np.zeros((10, 40)))
    bad = true.copy()
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="the scores of query 2 are not all finite"):
        agreement.per_query(bad, true, MASKS, agreement.spearman_rows)
    with pytest.raises(InputError, match="nothing to capture"):
        fidelity.captured_effect(true, zeros, (zeros, zeros), MASKS, 1)


def test_reliability_of_noise_is_0() -> None:
    noise = np.random.default_rng(1).normal(size=(20, *MASKS.shape))
    for function in agreement.COEFFICIENTS.values():
        found = agreement.reliability(noise, MASKS, function)
        low, high = found["half_interval"]
        assert low < 0 < high
        assert abs(found["half"]) < 0.03
        assert abs(found["one_seed"]) < abs(found["reliability"]) < 0.06
        assert found["queries"] == len(MASKS)


def test_spearman_brown() -> None:
    """From halves of 10 seeds to 20, and to 1: against the correlations themselves."""
    _, measured = simulated(noise=3, seeds=200)
    found = agreement.reliability(measured[:20], MASKS, agreement.pearson_rows)
    others = measured[100:120].mean(axis=0)
    whole = agreement.pearson_rows(measured[:20].mean(axis=0), others).mean()
    assert found["reliability"] == pytest.approx(whole, abs=0.03)
    one = agreement.pearson_rows(measured[150], measured[151]).mean()
    assert found["one_seed"] == pytest.approx(one, abs=0.03)
    assert agreement.ceiling(-0.1) is None
    with pytest.raises(InputError, match="at least two repetitions"):
        agreement.reliability(measured[:1], MASKS, agreement.pearson_rows)


def test_correlations_are_scipys() -> None:
    from scipy import stats

    generator = np.random.default_rng(2)
    first, second = generator.integers(5, size=(2, 7, 30)).astype(float)
    for ours, theirs in ((agreement.pearson_rows, stats.pearsonr), (agreement.spearman_rows, stats.spearmanr)):
        wanted = [theirs(a, b).statistic for a, b in zip(first, second, strict=True)]
        np.testing.assert_allclose(ours(first, second), wanted)
    masks = np.zeros((7, 30), bool)
    masks[0, :2] = masks[1, 4:20] = True
    found = agreement.per_query(first, second, masks, agreement.pearson_rows)
    assert np.isnan(found[[0, 2]]).all()  # of fewer than three examples
    assert found[1] == pytest.approx(stats.pearsonr(first[1, 4:20], second[1, 4:20]).statistic)


def test_top_k_effects() -> None:
    scores = np.array([[3.0, 9, 5, 7], [1, 1, 0, 0]])
    effects = np.array([[1.0, 10, 100, 1000], [2, 20, 200, 2000]])
    masks = np.array([[True, False, True, True], [True, True, False, False]])
    np.testing.assert_array_equal(fidelity.top_k_effects(scores, effects, masks, 2), [1100, 22])
    np.testing.assert_array_equal(fidelity.top_k_effects(scores, effects, masks, 9), [1101, 22])
    # Equals by example id.
    np.testing.assert_array_equal(fidelity.top_k_effects(scores, effects, masks, 1), [1000, 2])
    # Chosen by one half, valued by the other.
    halves = [np.array([[5.0, 1, 0]]), np.array([[1.0, 3, 0]])]
    np.testing.assert_array_equal(fidelity.best_k_effects(halves, np.ones((1, 3), bool), 1), [1])


def test_screen_then_retrain() -> None:
    """More retrainings choose better; with all of them, what a random screen proposes is found out."""
    true, measured = simulated(noise=1)
    noise = np.random.default_rng(3).normal(size=true.shape)
    by_chance, by_truth = (fidelity.screened_effects(scores, measured, MASKS, 15) for scores in (noise, true))
    assert len(by_chance) == 11
    assert abs(by_chance[0]) < 0.2
    assert by_chance[1] > 0.8
    assert by_chance[10] > by_chance[1]
    _, noisy = simulated(noise=4)
    alone, blended = (
        fidelity.screened_effects(true + noise, noisy, MASKS, 30, blended=both, num_splits=30) for both in (False, True)
    )
    assert blended[0] == alone[0]
    assert blended[2] > alone[2] + 0.1
    assert blended[2] > blended[0]
    assert by_truth[0] == pytest.approx(true.max(axis=1).mean(), abs=0.15)


def test_linear_datamodeling_score() -> None:
    generator = np.random.default_rng(4)
    scores = generator.normal(size=(6, 50))
    subsets = fidelity.half_subsets(50, 30, 0)
    assert (subsets.sum(axis=1) == 25).all()
    assert len(np.unique(subsets, axis=0)) == 30
    outputs = np.exp(subsets @ scores.T)
    np.testing.assert_allclose(fidelity.linear_datamodeling_score(scores, subsets, outputs), 1)
    np.testing.assert_allclose(fidelity.linear_datamodeling_score(-scores, subsets, outputs), -1)
    with pytest.raises(InputError, match="at least three subsets"):
        fidelity.half_subsets(50, 2, 0)


def test_shrinkage() -> None:
    """Certain measurements stay, uncertain ones go to the line; between, both together are better than either."""
    true, measured = simulated(noise=1.5)
    scores = true + np.random.default_rng(5).normal(size=true.shape)
    exact = np.stack([true, true])
    np.testing.assert_allclose(fidelity.shrunken(exact, scores, MASKS), true)
    # One seed: the line alone.
    line = fidelity.shrunken(measured[:1], scores, MASKS)
    slopes = [np.polyfit(own, values, 1)[0] for own, values in zip(scores, line, strict=True)]
    np.testing.assert_allclose(slopes, slopes[0])
    assert slopes[0] == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(line.mean(axis=1), measured[0].mean(axis=1))
    blended = fidelity.shrunken(measured[:3], scores, MASKS)
    error = [np.corrcoef(values.ravel(), true.ravel())[0, 1] for values in (measured[:3].mean(axis=0), scores, blended)]
    assert error[2] > max(error[:2]) + 0.05
    # Examples outside the mask have no part in it.
    some = MASKS.copy()
    some[:, 30:] = False
    inside = fidelity.shrunken(measured[:3], scores, some)
    np.testing.assert_array_equal(inside[:, 30:], 0)
    np.testing.assert_allclose(inside[:, :30], fidelity.shrunken(measured[:3, :, :30], scores[:, :30], MASKS[:, :30]))


def test_shuffled(toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet) -> None:
    shuffled = toy.shuffled(0)
    np.testing.assert_array_equal(shuffled.train[:, :2], toy.train[:, :2])
    np.testing.assert_array_equal(np.sort(shuffled.train[:, 2]), np.sort(toy.train[:, 2]))
    assert (shuffled.train[:, 2] != toy.train[:, 2]).mean() > 0.5
    of_ratings = toy_ratings.shuffled(0)
    np.testing.assert_array_equal(of_ratings.train.pairs, toy_ratings.train.pairs)
    np.testing.assert_array_equal(np.sort(of_ratings.train.values), np.sort(toy_ratings.train.values))
    assert (of_ratings.train.values != toy_ratings.train.values).mean() > 0.3
    of_sequences = toy_sequences.shuffled(0)
    np.testing.assert_array_equal(of_sequences.train.histories, toy_sequences.train.histories)
    np.testing.assert_array_equal(np.sort(of_sequences.train.targets), np.sort(toy_sequences.train.targets))
    assert (of_sequences.train.targets != toy_sequences.train.targets).mean() > 0.5


def test_strata_that_can_be_compared() -> None:
    """Three examples of some query are the fewest."""
    found = agreement.strata(np.array([[0, 1, 1, 2, 2], [0, 0, 0, 1, 3]]))
    assert list(found) == ["all", "shared 0", "adjacent"]
    assert found["adjacent"].tolist() == [[False, True, True, True, True], [False, False, False, True, True]]
