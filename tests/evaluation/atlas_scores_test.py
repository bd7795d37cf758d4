"""Influences of anybody are scored by an atlas."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.atlas_scores import Scoring
from tests.evaluation.toy_atlas import CEILINGS, write_atlas


@pytest.fixture(scope="module")
def path(toy: TripleSet, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_atlas(tmp_path_factory.mktemp("atlas"), toy)


def test_the_truth_itself_scores_one_over_the_ceiling(path: pathlib.Path, toy: TripleSet) -> None:
    scoring = Scoring.read(path, toy)
    for stratum, (mean, low, high) in scoring.score(scoring.atlas.expected).items():
        np.testing.assert_allclose([mean, low, high], 1 / CEILINGS[stratum])
    opposite = scoring.score(-scoring.atlas.expected)
    assert opposite["adjacent"][0] == pytest.approx(-2)
    # Several are averaged.
    both = scoring.score(np.stack([scoring.atlas.expected, -scoring.atlas.expected]))
    assert both["adjacent"][0] == pytest.approx(0)


def test_captured_effects_are_shares_of_the_best(path: pathlib.Path, toy: TripleSet) -> None:
    scoring = Scoring.read(path, toy)
    expected, halves = scoring.atlas.expected, scoring.atlas.halves
    # Halves that agree capture all of it; where all effects are bad, there is nothing to capture.
    atlas = dataclasses.replace(scoring.atlas, halves=np.stack([expected, expected]))
    assert dataclasses.replace(scoring, atlas=atlas).captured(expected) == pytest.approx({1: 1, 10: 1})
    # Several are averaged: the opposite takes the worst.
    both = dataclasses.replace(scoring, atlas=atlas).captured(np.stack([expected, -expected]))
    worst = np.where(scoring.masks["adjacent"], expected, np.inf).min(axis=1).sum()
    most = np.where(scoring.masks["adjacent"], expected, -np.inf).max(axis=1).sum()
    assert both is not None
    assert both[1] == pytest.approx((1 + worst / most) / 2)
    atlas = dataclasses.replace(scoring.atlas, halves=-np.abs(halves))
    assert dataclasses.replace(scoring, atlas=atlas).captured(expected) is None


def test_beyond_is_the_difference_of_both_scores(path: pathlib.Path, toy: TripleSet) -> None:
    scoring = Scoring.read(path, toy)
    expected = scoring.atlas.expected
    noise = np.random.default_rng(1).normal(size=expected.shape)
    for stratum, (mean, low, high) in scoring.beyond(expected, noise).items():
        assert mean == pytest.approx(scoring.score(expected)[stratum][0] - scoring.score(noise)[stratum][0])
        assert 0 < low < mean < high
    assert scoring.beyond(noise, noise)["adjacent"] == [0, 0, 0]
    with pytest.raises(InputError, match="want influences of shape"):
        scoring.beyond(noise, noise[:, 1:])


def test_features_are_fitted_on_other_queries_only(path: pathlib.Path, toy: TripleSet) -> None:
    scoring = Scoring.read(path, toy)
    expected = scoring.atlas.expected
    noise = np.random.default_rng(1).normal(size=(*expected.shape, 2))
    # A feature that knows the truth is used; what is only right for the own query is not learnt.
    found = scoring.fitted_on_others(np.concatenate([expected[..., None], noise], axis=2))
    assert min(np.corrcoef(*rows)[0, 1] for rows in zip(found, expected, strict=True)) > 0.9
    own = np.zeros((*expected.shape, len(expected)))
    for place in range(len(expected)):
        own[place, :, place] = expected[place]
    assert not scoring.fitted_on_others(own).any()


def test_what_does_not_fit_is_refused(path: pathlib.Path, toy: TripleSet, tmp_path: pathlib.Path) -> None:
    scoring = Scoring.read(path, toy)
    with pytest.raises(InputError, match=r"want influences of shape \[5, 60\].*got \[5, 59\]"):
        scoring.score(np.zeros((5, 59)))
    with pytest.raises(InputError, match="of another dataset"):
        Scoring.read(path, toy.shuffled(0))
    # The same data by another name are the same data.
    assert Scoring.read(path, dataclasses.replace(toy, name="other")).masks.keys() == scoring.masks.keys()
    told = json.loads(path.with_name("result.json").read_text())
    for row in told["rows"]:
        row["spearman"]["ceiling"] = None
    (tmp_path / "atlas.npz").write_bytes(path.read_bytes())
    (tmp_path / "atlas.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="no seeds agree"):
        Scoring.read(tmp_path / "atlas.npz", toy)
    (tmp_path / "atlas.json").write_text("{}")
    with pytest.raises(InputError, match="is not the result of an atlas"):
        Scoring.read(tmp_path / "atlas.npz", toy)
