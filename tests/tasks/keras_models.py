"""Keras models of users and items that tests bring along, and ratings that they were trained on."""

import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from gr_tf.data.ratings import RatingSet

NUM_USERS, NUM_ITEMS = 40, 30


def write_ratings(folder: pathlib.Path) -> pathlib.Path:
    """Ratings of users and items with two factors; names that are no row numbers."""
    generator = np.random.default_rng(0)
    users, items = generator.normal(size=(NUM_USERS, 2)), generator.normal(size=(NUM_ITEMS, 2))
    rows = [
        (f"u{u}", f"i{i}", float(np.round(2 * np.clip(3 + users[u] @ items[i], 1, 5)) / 2))
        for u in range(NUM_USERS)
        for i in range(NUM_ITEMS)
        if generator.random() < 0.7
    ]
    pd.DataFrame(rows, columns=["user", "item", "rating"]).to_csv(folder / "ratings.csv", index=False)
    return folder


def pair_model(activation: str | None = None) -> Any:
    """A factorization; the item's input comes first."""
    item, user = (keras.Input([], dtype="int32", name=name) for name in ("movie", "user"))
    looked_up = [keras.layers.Embedding(count, 4)(ids) for ids, count in ((item, NUM_ITEMS + 1), (user, NUM_USERS))]
    return keras.Model([item, user], keras.layers.Dense(1, activation)(keras.layers.Multiply()(looked_up)))


def save(folder: pathlib.Path, model: Any, **names: Sequence[str]) -> pathlib.Path:
    """Model and vocabularies."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    for stem, of_rows in names.items():
        (folder / f"{stem}.txt").write_text("\n".join(of_rows) + "\n")
    return folder


def trained_pair_model(ratings: RatingSet, folder: pathlib.Path) -> Any:
    """A trained model, saved; its users are in reverse order, its items behind one that is not in the data."""
    keras.utils.set_random_seed(0)
    model = pair_model()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    users, items = ratings.train.pairs.T
    model.fit([items + 1, NUM_USERS - 1 - users], ratings.train.values, epochs=20, verbose=0)
    names = {"users": ratings.users.names[::-1], "items": ["new", *ratings.items.names]}
    save(folder, model, **names)
    return model
