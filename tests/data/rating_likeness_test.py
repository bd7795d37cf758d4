"""The likeness of ratings against the same, written plainly with dense arrays."""

import itertools

import numpy as np

from gr_tf.data.rating_likeness import NUM_FEATURES
from gr_tf.data.ratings import RatingQuery, RatingSet


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / norms) if norms > 0 else 0.0


def test_features_are_products_of_what_the_parts_have(toy_ratings: RatingSet) -> None:
    pairs, values = toy_ratings.train.pairs, toy_ratings.train.values
    mean, above = values.mean(), np.zeros((len(toy_ratings.users), len(toy_ratings.items)))
    for (user, item), value in zip(pairs, values, strict=True):
        of_user, of_item = values[pairs[:, 0] == user].mean(), values[pairs[:, 1] == item].mean()
        above[user, item] = value - of_user - of_item + mean
    for query in (RatingQuery(0, 0), toy_ratings.query_of(7)):
        found = toy_ratings.likeness(query)
        assert found.shape == (len(values), NUM_FEATURES)
        assert found.dtype == np.float32
        for row, (user, item), value in zip(found, pairs, values, strict=True):
            users = 1, user == query.user, cosine(above[user], above[query.user])
            items = 1, item == query.item, cosine(above[:, item], above[:, query.item])
            products = [one * other for one, other in itertools.product(users, items)]
            wanted = [*(value - mean) * np.array(products), *above[user, item] * np.array(products)]
            np.testing.assert_allclose(row, wanted, atol=1e-5)
    assert np.ptp(found, axis=0).min() > 0.01
