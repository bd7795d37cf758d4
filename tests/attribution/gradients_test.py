"""Similarity of gradients, of every kind of data, against TracIn at one checkpoint."""

import keras
import numpy as np
import pytest

from gr_tf.attribution import methods
from gr_tf.attribution.gradients import GradientSimilarity, gradients_of
from gr_tf.attribution.tracin import TracIn
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.tasks.keras import Examples, KerasTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Checkpoint, Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Tensor


def dense() -> KerasTask:
    """A Keras model of two layers."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(2)])
    generator = np.random.default_rng(0)
    train = Examples(generator.normal(size=(70, 4)).astype(np.float32), generator.integers(2, size=70))

    def loss(targets: Tensor, outputs: Tensor) -> Tensor:
        return keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True)

    return KerasTask(model, train, loss)


@pytest.fixture(
    params=[
        "distmult",
        "transe",
        "mf",
        "ncf",
        pytest.param("lstm", marks=pytest.mark.slow),
        "lstm with embeddings",
        "keras",
    ]
)
def model(
    request: pytest.FixtureRequest, toy: TripleSet, toy_ratings: RatingSet, toy_sequences: SequenceSet
) -> Trained:
    """A model as it was drawn."""
    name = request.param
    task: Task
    if name in MODELS:
        task = TripleTask(toy, TripleConfig(model=name, dim=3, num_negatives=5))
    elif name in RATING_MODELS:
        task = RatingTask(toy_ratings, RatingConfig(model=name, dim=2))
    elif name == "keras":
        task = dense()
    else:
        config = SequenceConfig(dim=3, hidden=4, train_embeddings=name != "lstm")
        task = SequenceTask(toy_sequences, config)
    return Trained(task, task.initial_parameters, epoch=0)


def test_dot_products_are_tracin_at_one_checkpoint(model: Trained) -> None:
    """And cosines are these, divided by the gradients' lengths; float64 but for the Keras model."""
    losses = model.task.losses("float64")
    tracin = TracIn(losses, [Checkpoint(model.parameters, 1.0)], losses.trained_layers)
    queries = [model.task.query_of(example_id) for example_id in (0, 8, 33)]
    dots, cosines = (GradientSimilarity(model, name).matrix(queries) for name in ("dot", "cosine"))
    rtol, atol = (1e-3, 1e-6) if model.task.kind == "keras" else (1e-9, 1e-14)
    lengths = np.sqrt(tracin.self_influences())
    for query, dot, cosine in zip(queries, dots, cosines, strict=True):
        np.testing.assert_allclose(dot, tracin.influences(losses.query(query)), rtol=rtol, atol=atol)
        assert np.abs(cosine).max() <= 1 + 1e-12
        assert np.abs(dot).max() > 0
        own = np.linalg.norm(gradients_of(model).of(query))
        np.testing.assert_allclose(cosine * lengths * own, dot, rtol=rtol, atol=atol)


def test_what_is_refused(model: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large for the memory that is free: the matrix of gradients, twice."""
    with pytest.raises(InputError, match="similarity must be one of dot, cosine; got 'angle'"):
        GradientSimilarity(model, "angle")
    size = 16.0 * gradients_of(model).train.size
    for name in ("dot", "cosine"):
        monkeypatch.setattr(methods, "available_memory", lambda: size)
        methods.explainer(model, name)
        monkeypatch.setattr(methods, "available_memory", lambda: size - 1)
        with pytest.raises(InputError, match=f"method '{name}' would need .* of memory are free: use method='tracin'"):
            methods.explainer(model, name)
