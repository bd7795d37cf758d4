"""Random folds: every rating is tested once, and nothing of a test fold is trained on."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.rating_folds import load_folds
from gr_tf.errors import InputError


def test_every_rating_is_tested_once(tmp_path: pathlib.Path) -> None:
    """Also those of users and items with one rating, in whatever order the file has them."""
    rows = [f"u{i % 7},i{i % 5},{1 + i % 4}" for i in range(35)] + ["one,alone,5"]
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(["user,item,rating", *rows]))
    folds = load_folds(None, path, num_folds=4, seed=2)
    assert folds.ratings.num_examples == 36
    tested, others = [], []
    for number in range(4):
        fold = folds.fold(number)
        parts = [fold.train, fold.valid, fold.test]
        assert [len(part) for part in parts] == [26, 1, 9]
        pairs = np.concatenate([part.pairs for part in parts])
        assert len(np.unique(pairs, axis=0)) == 36
        for part in parts:
            for row in fold.names(part).itertuples(index=False):
                assert f"{row.user},{row.item},{row.rating:.0f}" in rows
        tested.append(fold.test.pairs)
        others.append(fold.valid.pairs)
    assert len(np.unique(np.concatenate(tested), axis=0)) == 36
    again = load_folds(None, path, num_folds=4, seed=2).fold(1)
    np.testing.assert_array_equal(again.test.pairs, tested[1])
    np.testing.assert_array_equal(again.valid.pairs, others[1])
    path.write_text("\n".join(["user,item,rating", *rows[::-1]]))
    np.testing.assert_array_equal(load_folds(None, path, num_folds=4, seed=2).fold(1).test.pairs, tested[1])
    assert (load_folds(None, path, num_folds=4, seed=3).fold(1).test.pairs != tested[1]).any()


def test_the_last_rating_of_a_pair_counts(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,time\nu,i,1,30\nu,i,2,10\nv,i,3,20\n")
    ratings = load_folds(None, path, num_folds=2).ratings
    assert ratings.train.values.tolist() == [1, 3]
    with pytest.raises(InputError, match="has 2 ratings; 3 folds need more"):
        load_folds(None, path, num_folds=3)
