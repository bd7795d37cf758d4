"""The laws of the atlas and of the protocols."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.adjacency import AdjacencyIndex, shared_elements
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.ratings import RatingSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement, fidelity
from gr_tf.evaluation.atlas import Atlas, consensus_queries
from gr_tf.evaluation.corruption import shuffle_tails
from gr_tf.evaluation.leave_one_out import leave_one_out, leave_one_rating_out
from gr_tf.evaluation.shrinkage import shrunken
from gr_tf.models.prediction import tail_probabilities, tail_probability
from gr_tf.training.config import TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.single_rating_trainer import SingleRatingTrainer
from gr_tf.training.trainer import Trainer

QUERIES = [Query(0, 1, 2), Query(3, 0, 3)]
MASKS = np.ones((40, 60), bool)


def simulated(noise: float, seed: int = 0, seeds: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """True effects [40, 60], and noisy measurements of them by seed."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=MASKS.shape)
    return true, true + noise * generator.normal(size=(seeds, *MASKS.shape))


def test_leave_one_out(toy: TripleSet) -> None:
    trainer = Trainer(toy, TrainConfig(dim=3, num_negatives=4, epochs=2, learning_rate=0.05, negatives_seed=3))
    done = []
    found = leave_one_out(trainer, QUERIES, jobs=2, on_retrained=lambda: done.append(1))
    assert len(done) == toy.num_examples + 1
    for example_id in (0, 17, 59):
        without = trainer.run(removed=[example_id]).table
        np.testing.assert_array_equal(found.without[:, example_id], tail_probabilities(trainer.model, without, QUERIES))
    whole = tail_probabilities(trainer.model, trainer.run().table, QUERIES)
    np.testing.assert_array_equal(found.whole, whole)
    np.testing.assert_array_equal(found.effects, whole[:, None] - found.without)
    np.testing.assert_array_equal(found.effects, leave_one_out(trainer, QUERIES, jobs=1).effects)


def test_leave_one_rating_out(toy_ratings: RatingSet) -> None:
    config = RatingTrainConfig(dim=2, steps=200, batch_size=1, learning_rate=0.01, dtype="float64")
    trainer, done = SingleRatingTrainer(toy_ratings, config), []
    pairs, ids = toy_ratings.test.pairs[:3], np.array([40, 3, 17])
    found = leave_one_rating_out(trainer, pairs, ids, jobs=2, on_retrained=lambda: done.append(1))
    assert len(done) == 4
    for place, removed in enumerate(ids):
        without = trainer.model.predict_pairs(trainer.run(removed=[removed]), pairs)
        np.testing.assert_array_equal(found.without[:, place], without)
    np.testing.assert_array_equal(found.whole, trainer.model.predict_pairs(trainer.run(), pairs))
    assert np.abs(found.effects).max() > 0.001
    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        leave_one_rating_out(trainer, pairs, ids, jobs=0)


def test_negatives_have_a_seed(toy: TripleSet) -> None:
    tables = [Trainer(toy, TrainConfig(num_negatives=4, epochs=1, negatives_seed=seed)).run().table for seed in (0, 1)]
    assert not np.allclose(tables[0], tables[1])
    with pytest.raises(InputError, match="negatives_seed must be from 0 to"):
        TrainConfig(negatives_seed=-1)


def test_shared_elements(toy: TripleSet) -> None:
    for query in QUERIES:
        shared = shared_elements(query, toy)
        np.testing.assert_array_equal(np.flatnonzero(shared), AdjacencyIndex(toy).adjacent(query))
        for count, (head, relation, tail) in zip(shared, toy.train.tolist(), strict=True):
            assert count == (relation == query.relation) + len({query.head, query.tail} & {head, tail})


def test_atlas(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    effects = np.random.default_rng(0).normal(size=(5, len(QUERIES), toy.num_examples))
    atlas = Atlas.of(QUERIES, effects, range(5))
    np.testing.assert_allclose(atlas.expected, effects.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(atlas.standard_errors, effects.std(axis=0, ddof=1) / np.sqrt(5), rtol=1e-6)
    assert atlas.asked() == QUERIES
    assert atlas.shared(toy).tolist() == [shared_elements(query, toy).tolist() for query in QUERIES]
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


def test_consensus(toy: TripleSet) -> None:
    config = TrainConfig(num_negatives=4, epochs=1)
    model = config.make_model(toy)
    tables = [model.initial_table(seed, "float64") * 30 for seed in range(3)]
    queries = consensus_queries(model, tables, toy)
    assert len({(query.head, query.relation) for query in queries}) == len(queries)
    known = known_from_train_and_valid(toy)
    for query in queries:
        mask = known.mask(np.array([query.head]), np.array([query.relation]))[0]
        means = [
            np.mean([tail_probability(model, table, Query(query.head, query.relation, tail)) for table in tables])
            for tail in range(len(toy.entities))
        ]
        assert query.tail == int(np.argmax(np.where(mask, -1, means)))


def test_a_perfect_explainer_scores_1() -> None:
    true, measured = simulated(noise=3)
    for function in agreement.COEFFICIENTS.values():
        found, *_ = agreement.mean_over_queries(agreement.per_query(true, measured.mean(axis=0), MASKS, function))
        limit = agreement.Reliability.of(measured, MASKS, function).ceiling
        assert limit is not None
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
        found = agreement.Reliability.of(noise, MASKS, function)
        mean, low, high = found.half
        assert low < 0 < high
        assert abs(mean) < 0.03
        assert abs(found.one) < abs(found.whole) < 0.06
        assert found.queries == len(MASKS)


def test_spearman_brown() -> None:
    """From halves of 10 seeds to 20, and to 1: against the correlations themselves."""
    _, measured = simulated(noise=3, seeds=200)
    found = agreement.Reliability.of(measured[:20], MASKS, agreement.pearson_rows)
    others = measured[100:120].mean(axis=0)
    whole = agreement.pearson_rows(measured[:20].mean(axis=0), others).mean()
    assert found.whole == pytest.approx(whole, abs=0.03)
    one = agreement.pearson_rows(measured[150], measured[151]).mean()
    assert found.one == pytest.approx(one, abs=0.03)
    assert agreement.ceiling(-0.1) is None
    with pytest.raises(InputError, match="at least two repetitions"):
        agreement.split_half(measured[:1], MASKS, agreement.pearson_rows)


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
    np.testing.assert_allclose(shrunken(exact, scores, MASKS), true)
    # One seed: the line alone.
    line = shrunken(measured[:1], scores, MASKS)
    slopes = [np.polyfit(own, values, 1)[0] for own, values in zip(scores, line, strict=True)]
    np.testing.assert_allclose(slopes, slopes[0])
    assert slopes[0] == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(line.mean(axis=1), measured[0].mean(axis=1))
    blended = shrunken(measured[:3], scores, MASKS)
    error = [np.corrcoef(values.ravel(), true.ravel())[0, 1] for values in (measured[:3].mean(axis=0), scores, blended)]
    assert error[2] > max(error[:2]) + 0.05
    # Examples outside the mask have no part in it.
    some = MASKS.copy()
    some[:, 30:] = False
    inside = shrunken(measured[:3], scores, some)
    np.testing.assert_array_equal(inside[:, 30:], 0)
    np.testing.assert_allclose(inside[:, :30], shrunken(measured[:3, :, :30], scores[:, :30], MASKS[:, :30]))


def test_shuffled_tails(toy: TripleSet) -> None:
    shuffled = shuffle_tails(toy, 0)
    np.testing.assert_array_equal(shuffled.train[:, :2], toy.train[:, :2])
    np.testing.assert_array_equal(np.sort(shuffled.train[:, 2]), np.sort(toy.train[:, 2]))
    assert (shuffled.train[:, 2] != toy.train[:, 2]).mean() > 0.5
