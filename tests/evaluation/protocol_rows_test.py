"""The rows of the comparison's protocols, each computed once more by plain loops; and what an ensemble is."""

import pathlib
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gr_tf.attribution.methods import methods_of
from gr_tf.errors import DamagedError, InputError
from gr_tf.evaluation import agreement, fidelity
from gr_tf.evaluation.atlas import Truth
from gr_tf.evaluation.compared import BY_MEDIAN, COMBINED, Scored, compared, ensembles

SEEDS = (7, 8, 9, 10, 11, 12)
# The true effects of 12 examples on 3 queries, and what six trainings measure.
TRUE = np.random.default_rng(0).normal(size=(3, 12))
EFFECTS = TRUE + 0.7 * np.random.default_rng(1).normal(size=(6, *TRUE.shape))
MASK = np.ones(TRUE.shape, bool)
TRUTH = Truth((), EFFECTS, MASK.astype(int), tuple(range(6)), "")


def scores(name: str, seed: int) -> np.ndarray:
    """What a method says of a training: the truth, and noise of the training and the method."""
    return np.asarray(TRUE + np.random.default_rng((len(name), seed)).normal(size=TRUE.shape))


def best(values: np.ndarray) -> int:
    return max(range(len(values)), key=lambda example: values[example])


def by_halves(halves: Sequence[np.ndarray]) -> float:
    """The best example by one half's effects, valued by the other half's, and the other way round; summed."""
    of_query = [
        (second[best(first)] + first[best(second)]) / 2 for first, second in zip(halves[0], halves[1], strict=True)
    ]
    return float(np.sum(of_query))


def test_ensembles_have_no_training_in_common() -> None:
    first, second = ensembles(scores, "gr", SEEDS[:5], 2)
    np.testing.assert_allclose(first, (scores("gr", 7) + scores("gr", 8)) / 2)
    np.testing.assert_allclose(second, (scores("gr", 9) + scores("gr", 10)) / 2)
    assert len(ensembles(scores, "gr", range(25), 2)) == 10
    (median,) = ensembles(scores, BY_MEDIAN[0], SEEDS[:3], 3)
    np.testing.assert_allclose(median, np.sort([scores(BY_MEDIAN[0], seed) for seed in SEEDS[:3]], axis=0)[1])


def test_combined_methods_count_alike_for_each_query() -> None:
    (name, parts), *_ = COMBINED.items()

    def of_any_scale(part: str, seed: int) -> np.ndarray:
        return 10.0 ** len(part) * scores(part, seed) + 5

    for found, group in zip(ensembles(of_any_scale, name, SEEDS[:4], 2), (SEEDS[:2], SEEDS[2:4]), strict=True):
        means = [np.mean([of_any_scale(part, seed) for seed in group], axis=0) for part in parts]
        np.testing.assert_allclose(found, np.sum([stats.zscore(mean, axis=1) for mean in means], axis=0))


def test_variants_come_after_their_method() -> None:
    names = list(compared("triples"))
    methods = [name.partition(",")[0].partition(" ")[0] for name in names]
    # Those that average over trainings of their own are compared by their price.
    of_one = [name for name, method in methods_of("triples").items() if not method.averages]
    order = ["nh", *(name for name in of_one if name != "nh")]
    assert methods == sorted(methods, key=order.index)
    assert len(names) > len(order) == len({*methods})


@pytest.mark.parametrize(("epochs", "later"), [(4, [1, 2, 3]), (2, [1]), (1, [0])])
def test_replay_leaves_the_first_epoch_out_if_there_are_more(epochs: int, later: list[int]) -> None:
    asks, by_epoch = compared("triples"), np.random.default_rng(0).normal(size=(epochs, 2, 5))
    single = types.SimpleNamespace(steps=types.SimpleNamespace(backward=lambda: None))
    one: Any = types.SimpleNamespace(replayed=by_epoch, trained=types.SimpleNamespace(task=single))
    for name, places in (("replay", later), ("replay with epoch 1", [*range(epochs)]), ("replay, last epoch", [-1])):
        found = [of_query.values for of_query in asks[name](one).influences]
        np.testing.assert_allclose(found, by_epoch[places].sum(axis=0), err_msg=name)
    with pytest.raises(InputError, match="of single steps, that is replay"):
        asks["replay from epoch 2"](one)


@pytest.mark.parametrize(("backward", "folder"), [(None, "replay"), (object(), "replay-as-far-as-credible")])
def test_kept_scores_of_an_earlier_meaning_are_not_taken(backward: object, folder: str, tmp_path: pathlib.Path) -> None:
    """Replay of batches once went back to epoch 2, credible or not; of single steps it is what it was."""
    task: Any = types.SimpleNamespace(steps=types.SimpleNamespace(backward=lambda: backward))
    scored = Scored(tmp_path, lambda seed: task, [], {})
    assert scored.place("replay", 3) == tmp_path / folder / "seed3"
    assert scored.place("replay, last epoch", 3) == tmp_path / "replay-last-epoch" / "seed3"


def test_rows_of_methods() -> None:
    rows = fidelity.method_rows("gr", TRUTH, {"all": MASK, "adjacent": MASK}, scores, SEEDS)
    assert [(row["trainings"], row["groups"]) for row in rows] == [(1, 6), (2, 3), (5, 1), (6, 1)]
    assert {row["method"] for row in rows} == {"gr"}
    everyone = np.mean([scores("gr", seed) for seed in SEEDS], axis=0)
    wanted = np.mean([stats.spearmanr(*both).statistic for both in zip(everyone, EFFECTS.mean(axis=0), strict=True)])
    assert rows[-1]["spearman, all"][0] == pytest.approx(wanted)
    # A group's first example, as a share of the best that half of the seeds finds, and the other half values.
    halves = [np.mean([EFFECTS[seed] for seed in half], axis=0) for half in ((0, 2, 4), (1, 3, 5))]
    captured = [
        sum(values[best(own)] for own, values in zip(scores("gr", seed), EFFECTS.mean(axis=0), strict=True))
        for seed in SEEDS
    ]
    assert rows[0]["captured, 1"] == pytest.approx(np.mean(captured) / by_halves(halves))


def test_rows_of_the_linear_datamodeling_score() -> None:
    subsets = fidelity.half_subsets(12, 9, 0)
    outputs = (subsets @ TRUE.T) + 0.3 * np.random.default_rng(2).normal(size=(4, 9, 3))
    found = fidelity.lds_rows(["gr", "nh"], scores, SEEDS, subsets, outputs)
    assert [(row["method"], row["trainings"]) for row in found["rows"]] == [("gr", 1), ("gr", 6), ("nh", 1), ("nh", 6)]

    def score(values: np.ndarray) -> float:
        of_query = [subsets @ of for of in values], outputs.mean(axis=0).T
        return float(np.mean([stats.spearmanr(*both).statistic for both in zip(*of_query, strict=True)]))

    assert found["rows"][0]["lds"][0] == pytest.approx(np.mean([score(scores("gr", seed)) for seed in SEEDS]))
    assert found["rows"][1]["lds"][0] == pytest.approx(score(np.mean([scores("gr", seed) for seed in SEEDS], axis=0)))
    # The ceiling is of the outputs themselves, over subsets.
    limits = agreement.reliability(outputs.transpose(0, 2, 1), np.ones((3, 9), bool), agreement.spearman_rows)
    assert (found["reliability"], found["ceiling"]) == (limits["reliability"], limits["ceiling"])


def test_rows_of_shuffled_trainings() -> None:
    """Each shuffle is asked by its own scores and seed; what a method cannot rank is told, damage is not hidden."""

    def other(name: str, seed: int) -> np.ndarray:
        if name == "refused":
            raise InputError("ranks nothing")
        return -scores(name, seed)

    gr, refused = fidelity.shuffled_rows(["gr", "refused"], TRUTH, MASK, [(scores, 7), (other, 9), (other, 8)])
    expected = EFFECTS.mean(axis=0)
    groups = [scores("gr", 7), -scores("gr", 9), -scores("gr", 8)]
    each = [np.mean([stats.spearmanr(*both).statistic for both in zip(of, expected, strict=True)]) for of in groups]
    # Student's interval of three values.
    half = stats.t.ppf(0.975, 2) * np.std(each, ddof=1) / 3**0.5
    assert gr["spearman"] == pytest.approx((np.mean(each), np.mean(each) - half, np.mean(each) + half))
    assert refused == {"method": "refused", "spearman": None, "why": "ranks nothing"}

    def damaged(name: str, seed: int) -> np.ndarray:
        raise DamagedError("edited")

    with pytest.raises(DamagedError):
        fidelity.shuffled_rows(["gr"], TRUTH, MASK, [(damaged, 0)])


def test_rows_of_screens() -> None:
    found = fidelity.screen_rows(["gr", "tracin", "nh"], TRUTH, MASK, scores, SEEDS, 4)
    assert [(row["method"], row["blended"]) for row in found["rows"]] == [
        ("nh", False), ("nh", True), ("gr", False), ("gr", True),
    ]  # fmt: skip
    assert found["candidates"] == 4
    halves = [EFFECTS[:3].mean(axis=0), EFFECTS[3:].mean(axis=0)]
    assert found["exhaustive"] == pytest.approx(by_halves(halves) / 3)
    for row in found["rows"]:
        group = np.mean([scores(row["method"], seed) for seed in SEEDS], axis=0)
        wanted = fidelity.screened_effects(group, EFFECTS, MASK, 4, blended=row["blended"])
        assert row["effects"] == wanted.tolist()
        assert len(row["effects"]) == 4


def test_rows_of_blends() -> None:
    """A few retrainings, alone and with a method's scores, against the other half of the seeds."""
    rows = fidelity.blend_rows(["nh", "gr", "tracin"], TRUTH, MASK, scores, SEEDS)
    assert [(row["method"], row["retrainings"]) for row in rows] == [
        (method, spent) for spent in (1, 2, 3) for method in ("retrainings alone", "gr")
    ]
    rest = EFFECTS[3:]
    gr = np.mean([scores("gr", seed) for seed in SEEDS], axis=0)
    for row in rows:
        measured = EFFECTS[: row["retrainings"]]
        alone = row["method"] == "retrainings alone"
        blend = measured.mean(axis=0) if alone else fidelity.shrunken(measured, gr, MASK)
        each = [stats.spearmanr(*both).statistic for both in zip(blend, rest.mean(axis=0), strict=True)]
        assert row["spearman"][0] == pytest.approx(np.mean(each))
        assert row["ceiling"] == agreement.reliability(rest, MASK, agreement.spearman_rows)["ceiling"]
