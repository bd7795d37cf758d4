"""Paired retrainings: what is looked at, the journal, and that the pairs share their batches."""

import dataclasses
import pathlib

import numpy as np
import pytest

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError
from gr_tf.evaluation.correlation import reliability, slope, spearman
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.rating_retraining import (
    Retrained,
    looked_at,
    observed_influences,
    removals_of,
    retrain_ratings,
)
from gr_tf.training.rating_trainer import RatingState, RatingTrainer


def test_looks_are_whole_blocks_and_the_end() -> None:
    assert looked_at(24_000, 8) == [3000 * i for i in range(1, 9)]
    assert looked_at(600, 8) == [250, 500, 600]
    assert looked_at(100, 8) == [100]


def test_effects_are_differences_of_paired_trainings(
    trained_ratings: tuple[RatingTrainer, RatingState], tmp_path: pathlib.Path
) -> None:
    trainer, start = trained_ratings
    ratings: RatingSet = trainer.ratings
    pairs = ratings.test.pairs[:3]
    removed = [int(ratings.of_user(int(pairs[0, 0]))[0]), 9, 9]
    removals = removals_of(removed)
    assert [(r.example_id, r.queries) for r in removals] == [(None, (0, 1, 2)), (removed[0], (0,)), (9, (1, 2))]
    steps = [250, 300]

    def run(path: pathlib.Path, jobs: int) -> list[Retrained]:
        journal = Journal(path)
        list(retrain_ratings(trainer, start, steps, pairs, removals, [1, 2], journal, jobs))
        journal.close()
        return [Retrained(**record) for record in Journal(path).records]

    records = run(tmp_path / "one.jsonl", 1)
    effects = observed_influences(records, 3)
    assert effects.shape == (3, 2, 2)
    for seed in (1, 2):
        for query, example in enumerate(removed):
            for look, step in enumerate(steps):
                whole, without = (
                    trainer.run(start, step, seed=seed, removed=gone).parameters for gone in ([], [example])
                )
                predicted = [trainer.model.predict_pairs(p, pairs[query : query + 1])[0] for p in (whole, without)]
                assert effects[query, seed - 1, look] == predicted[0] - predicted[1]

    # In parallel, and continued after a kill: the same.
    np.testing.assert_array_equal(observed_influences(run(tmp_path / "two.jsonl", 2), 3), effects)
    lines = (tmp_path / "one.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    np.testing.assert_array_equal(observed_influences(run(tmp_path / "cut.jsonl", 1), 3), effects)

    with pytest.raises(KeyError, match="no retraining without"):
        observed_influences([record for record in records if record.example_id != 9], 3)
    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        next(retrain_ratings(trainer, start, steps, pairs, removals, [1], Journal(tmp_path / "x.jsonl"), 0))


def test_spearman_and_slope() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(size=60)
    second = 2 * first + 0.1 * generator.normal(size=60)
    ranks = spearman(first.tolist(), second.tolist())
    assert ranks.r is not None
    assert ranks.low is not None
    assert ranks.high is not None
    assert ranks.low < ranks.r < ranks.high <= 1
    assert ranks == spearman(first.tolist(), second.tolist())
    # Any increasing map leaves ranks as they are.
    assert spearman(first.tolist(), np.exp(second).tolist()).r == pytest.approx(ranks.r)
    line = slope(first.tolist(), second.tolist())
    assert line.low is not None
    assert line.high is not None
    assert line.low < 2 < line.high
    assert line.high - line.low < 0.1
    for measure in (spearman, slope):
        assert dataclasses.astuple(measure([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])) == (None, None, None, 3)
        with pytest.raises(ValueError, match="got 2 and 1"):
            measure([1.0, 2.0], [1.0])


def test_bootstrap_interval_of_noise_covers_zero() -> None:
    generator = np.random.default_rng(1)
    found = spearman(generator.normal(size=80).tolist(), generator.normal(size=80).tolist())
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_reliability() -> None:
    """Means of 4 with noise of variance 4 around values of variance 1: half of their variance is noise."""
    generator = np.random.default_rng(0)
    values, noise = generator.normal(size=(20_000, 1)), generator.normal(size=(20_000, 4))
    assert reliability(values + 2 * noise) == pytest.approx(0.5, abs=0.02)
    assert reliability(noise) == pytest.approx(0.0, abs=0.03)
    assert reliability(np.repeat(values, 3, axis=1)) == 1
    # A perfect prediction correlates by the root of it.
    assert np.corrcoef(values[:, 0], (values + 2 * noise).mean(axis=1))[0, 1] == pytest.approx(0.5**0.5, abs=0.02)
    assert reliability(values) is None
    assert reliability(np.ones((5, 3))) is None
