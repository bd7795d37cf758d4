"""How much training ratings are like a question by the ratings alone, without any model.

Two users are alike if they rate the same items above or below what is usual, and so are two items. Of a rating and a
question, each of user and item may be the same, or be alike; times what the rating is above the usual, the products
of these say in which direction the rating should move the prediction.
"""

import itertools
from typing import Any

import numpy as np

from gr_tf.runs.engine import scipy
from gr_tf.types import Ids

# What is asked of the user and of the item: nothing, to be the question's, to be like the question's.
_FEATURES = list(itertools.product(range(3), repeat=2))
NUM_FEATURES = 2 * len(_FEATURES)


class RatingLikeness:
    """The likenesses of training ratings to questions."""

    def __init__(self, pairs: Ids, values: np.ndarray, num_users: int, num_items: int) -> None:
        """
        Args:
            pairs: [n, 2], columns user, item.
            values: [n], the ratings.
            num_users, num_items: how many there are.
        """
        self._users, self._items = pairs.T
        mean = values.mean()
        of_users, of_items = (
            _means(*one, mean) for one in ((self._users, values, num_users), (self._items, values, num_items))
        )
        # What a rating is above all ratings; and above what its user and its item usually have.
        self._above = np.stack([values - mean, values - of_users[self._users] - of_items[self._items] + mean])
        by_user = scipy.sparse.csr_array((self._above[1], (self._users, self._items)), shape=(num_users, num_items))
        self._by_user, self._by_item = by_user, by_user.T.tocsr()

    def features(self, user: int, item: int) -> np.ndarray:
        """Float32 [num_ratings, NUM_FEATURES]: a part that is the same counts 1, one that is alike the cosine."""
        of_user = np.ones(len(self._users)), self._users == user, _cosines(self._by_user, user)[self._users]
        of_item = np.ones(len(self._items)), self._items == item, _cosines(self._by_item, item)[self._items]
        products = np.stack([of_user[one] * of_item[other] for one, other in _FEATURES])
        found: np.ndarray = np.concatenate([products * above for above in self._above]).T.astype(np.float32)
        return found


def _means(ids: Ids, values: np.ndarray, count: int, otherwise: float) -> np.ndarray:
    """The mean value [count] of each id; of those without values another."""
    counts = np.bincount(ids, minlength=count)
    sums = np.bincount(ids, values, minlength=count)
    return np.divide(sums, counts, out=np.full(count, otherwise), where=counts > 0)


def _cosines(rows: Any, place: int) -> np.ndarray:
    """The cosines [num_rows] of sparse rows with one of them; 0 where one of the two is 0."""
    norms = np.sqrt(rows.multiply(rows).sum(axis=1))
    products = (rows @ rows[[place]].T).toarray().ravel()
    scale = norms * norms[place]
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 1e-9)
