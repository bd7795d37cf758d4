"""Paired retrainings: what is looked at, the journal, and that the pairs share their batches."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.data.ratings import RatingQuery
from gr_tf.errors import InputError
from gr_tf.evaluation.leave_one_out import paired_effects
from gr_tf.evaluation.sampled_fidelity import compare, looks_of
from gr_tf.evaluation.statistics import pearson, reliability, slope, spearman
from gr_tf.runs.journal import Journal
from gr_tf.tasks.trained import Trained

SEEDS, LOOKS = (1, 2), (250, 300)


def first_queries(trained: Trained, count: int) -> list[RatingQuery]:
    return [RatingQuery(int(user), int(item)) for user, item in trained.task.dataset.test.pairs[:count]]


def test_looks_are_whole_blocks_and_the_end(trained_ratings: Trained) -> None:
    task = trained_ratings.task
    assert looks_of(task, 24_000, 8) == [3000 * i for i in range(1, 9)]
    assert looks_of(task, 600, 8) == [250, 500, 600]
    assert looks_of(task, 100, 8) == [100]


def test_effects_are_differences_of_paired_trainings(trained_ratings: Trained, tmp_path: pathlib.Path) -> None:
    task, queries = trained_ratings.task, first_queries(trained_ratings, 3)
    first = int(task.dataset.of_user(queries[0].user)[0])
    removals = {first: [0], 9: [1, 2]}

    def run(path: pathlib.Path, jobs: int, removals: Mapping[int, Sequence[int]] = removals) -> dict[int, np.ndarray]:
        return paired_effects(trained_ratings, queries, removals, SEEDS, LOOKS, path, jobs)

    effects = run(tmp_path / "one.jsonl", 1)
    assert trained_ratings.state is not None
    for example, places in removals.items():
        assert effects[example].shape == (len(places), 2, 2)
        for seed in SEEDS:
            for look, steps in enumerate(LOOKS):
                whole, without = (
                    task.train(start=trained_ratings.state, length=steps, seed=seed, removed=gone).parameters
                    for gone in ([], [example])
                )
                for row, place in enumerate(places):
                    values = [task.value(parameters, [queries[place]])[0] for parameters in (whole, without)]
                    assert effects[example][row, seed - 1, look] == values[0] - values[1]

    # One training without each distinct example, and one with everything, for each seed.
    records = Journal(tmp_path / "one.jsonl").records
    assert [(record["removed"], record["seed"]) for record in records] == [
        (gone, seed) for gone in ([], [first], [9]) for seed in SEEDS
    ]
    # In parallel, and continued after a kill: the same.
    np.testing.assert_equal(run(tmp_path / "two.jsonl", 2), effects)
    lines = (tmp_path / "one.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    np.testing.assert_equal(run(tmp_path / "cut.jsonl", 1), effects)
    assert (tmp_path / "cut.jsonl").read_text() == "".join(lines)
    # What the journal has of others is not taken for what is asked.
    run(tmp_path / "one.jsonl", 1, {first: [0, 1, 2]})
    assert len(Journal(tmp_path / "one.jsonl").records) == len(lines) + len(SEEDS)

    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        run(tmp_path / "none.jsonl", 0)
    (tmp_path / "cut.jsonl").write_text('{"seed": 1}\n')
    with pytest.raises(InputError, match=r"cut.jsonl:1: damaged: not a record of this journal"):
        run(tmp_path / "cut.jsonl", 1)


def test_the_strongest_example_is_removed(trained_ratings: Trained, tmp_path: pathlib.Path) -> None:
    queries = first_queries(trained_ratings, 4)
    explained = {
        decay: Fia(trained_ratings, FiaSettings(decay=decay)).rank_many(queries) for decay in ("published", "trained")
    }
    found = compare(
        trained_ratings, explained, "trained", seeds=SEEDS, length=300, journal=tmp_path / "journal.jsonl", jobs=1
    )
    removed = [point["removed"] for point in found["points"]]
    removals = {example: [place for place, other in enumerate(removed) if other == example] for example in removed}
    of = paired_effects(trained_ratings, queries, removals, SEEDS, (250, 300), tmp_path / "journal.jsonl", jobs=1)
    effects = np.stack([of[example][removals[example].index(place)] for place, example in enumerate(removed)])
    for i, point in enumerate(found["points"]):
        ranking = explained["trained"][i]
        assert point["removed"] == ranking.example_ids[np.abs(ranking.influences).argmax()]
        assert point["computed"]["trained"] == ranking.influences[ranking.example_ids == point["removed"]][0]
        assert point["num_related"] == len(ranking.example_ids)
        assert point["observed"] == effects[i, :, -1].mean()
        assert point["standard_error"] == pytest.approx(abs(np.diff(effects[i, :, -1])[0]) / 2)
    for decay, agreement in found["agreement"].items():
        computed = [point["computed"][decay] for point in found["points"]]
        observed = [point["observed"] for point in found["points"]]
        assert agreement["correlations"]["pearson"] == dataclasses.asdict(pearson(computed, observed))
        assert [look["steps"] for look in agreement["by_steps"]] == [250, 300]
        assert agreement["by_steps"][-1]["slope"] == agreement["correlations"]["slope"]
        assert agreement["unsolved"] == 0
    assert found["observed_reliability"] == reliability(effects[:, :, -1])


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
