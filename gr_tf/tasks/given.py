"""Models that gr_tf did not train, by the kind of data: which settings say what they are, and how they are read."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gr_tf.errors import InputError
from gr_tf.models.foreign import Layout
from gr_tf.settings import Settings
from gr_tf.tasks.given_embeddings import given_embeddings
from gr_tf.tasks.given_keras import KerasFormat, given_ratings, given_sequences
from gr_tf.tasks.trained import Trained
from gr_tf.training.triple_config import TripleConfig
from gr_tf.training.weight_steps import WeightConfig


class Kind(NamedTuple):
    """How a model of one kind of data is given.

    Attributes:
        settings: say what the model is.
        config: of how a check goes on.
        make: from a dataset, the model's folder or file, and settings of both classes that the user names.
    """

    settings: type[Settings]
    config: type[Settings]
    make: Callable[[Any, pathlib.Path, Mapping[str, Any], Mapping[str, Any]], Trained]


GIVEN = {
    "triples": Kind(Layout, TripleConfig, given_embeddings),
    "ratings": Kind(KerasFormat, WeightConfig, given_ratings),
    "sequences": Kind(KerasFormat, WeightConfig, given_sequences),
}


def given_of(kind: str) -> Kind:
    """How a model of a kind of data is given.

    Raises:
        InputError: if models of the kind cannot be given.
    """
    if kind not in GIVEN:
        raise InputError(f"a model that was trained elsewhere can be of {', '.join(GIVEN)}; not of {kind}.")
    return GIVEN[kind]


def open_given(
    kind: str, dataset: Any, model_dir: str | pathlib.Path, asked: Mapping[str, Any], settings: Mapping[str, Any]
) -> Trained:
    """A model that was trained elsewhere.

    Args:
        kind: of the data.
        dataset: what it was trained on.
        model_dir: its folder or file.
        asked: settings of the kind's class in GIVEN.
        settings: of the kind's config in GIVEN: the loss that gradients are of, and how a check goes on.

    Raises:
        InputError: if it cannot be read, or does not suit the data.
    """
    given, path = given_of(kind), pathlib.Path(model_dir)
    if not path.exists():
        raise InputError(f"{path}: does not exist.")
    return given.make(dataset, path, asked, settings)
