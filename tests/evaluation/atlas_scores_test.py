"""Influences of anybody are scored by an atlas."""

import json
import pathlib

import numpy as np
import pytest

from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.atlas import Atlas
from gr_tf.evaluation.atlas_scores import Scoring

CEILINGS = {"all": 0.4, "adjacent": 0.5, "shared >= 2": 0.8}


@pytest.fixture(scope="module")
def path(toy: TripleSet, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    generator = np.random.default_rng(0)
    queries = [Query(0, 0, 1), Query(2, 1, 3), Query(3, 2, 4), Query(1, 3, 5), Query(5, 0, 2)]
    effects = generator.normal(size=(4, len(queries), toy.num_examples))
    path = tmp_path_factory.mktemp("atlas") / "atlas.npz"
    Atlas.of(queries, effects, range(4)).save(path)
    rows = [{"stratum": name, "spearman": {"ceiling": ceiling}} for name, ceiling in CEILINGS.items()]
    settings = {"dataset": toy.name, "checksum": toy.checksum}
    path.with_name("result.json").write_text(json.dumps({"settings": settings, "rows": rows}))
    return path


def test_the_truth_itself_scores_one_over_the_ceiling(path: pathlib.Path, toy: TripleSet) -> None:
    scoring = Scoring.read(path, toy)
    for stratum, (mean, low, high) in scoring.score(scoring.atlas.expected).items():
        np.testing.assert_allclose([mean, low, high], 1 / CEILINGS[stratum])
    opposite = scoring.score(-scoring.atlas.expected)
    assert opposite["adjacent"][0] == pytest.approx(-2)
    # Several are averaged.
    both = scoring.score(np.stack([scoring.atlas.expected, -scoring.atlas.expected]))
    assert both["adjacent"][0] == pytest.approx(0)


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
    told = json.loads(path.with_name("result.json").read_text())
    for row in told["rows"]:
        row["spearman"]["ceiling"] = None
    (tmp_path / "atlas.npz").write_bytes(path.read_bytes())
    (tmp_path / "atlas.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match="no seeds agree"):
        Scoring.read(tmp_path / "atlas.npz", toy)
