"""FIA of a Keras model: influences through the embeddings that a query looks up.

Cheng et al. (2019), Equations 15-17, with R_t the training examples that look up one of them.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.hessian import check_damping, solve_direct
from gr_tf.attribution.methods import register
from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.tasks.keras import Examples, KerasLosses
from gr_tf.tasks.trained import Trained
from gr_tf.types import Tensor


@register(
    "fia",
    kinds=("keras",),
    needs="hessian",
    unit="output",
    estimates=True,
    title="FIA: the fall of the output by influence functions through the embeddings that the query looks up",
)
class EmbeddingFia(Explainer[Examples]):
    """Ranks the training examples that look up an embedding that the query looks up."""

    def __init__(self, trained: Trained, *, damping: float = 1e-6) -> None:
        """
        Args:
            trained: of a KerasTask whose model's output is a number an example.
            damping: added to the Hessian's diagonal.

        Raises:
            InputError: if the model looks nothing up, or a setting is out of range.
        """
        import keras  # here, because it is slow to import

        check_damping(damping)
        self.task, self._damping = trained.task, damping
        self._model, self._train, self._l2 = trained.task.model, trained.task.dataset, trained.task.config.l2
        self._losses = cast(KerasLosses, trained.task.losses())
        self._layers = [layer for layer in self._model._flatten_layers() if isinstance(layer, keras.layers.Embedding)]
        if not self._layers:
            raise InputError("FIA needs a model that looks up embeddings (keras.layers.Embedding), and this has none.")
        ids = [id(variable) for variable in self._model.trainable_variables]
        unknown = [layer.name for layer in self._layers if id(layer.embeddings) not in ids]
        if unknown:
            raise InputError(f"embedding layer {unknown[0]!r} is not trainable: nothing explains through it.")
        self._places = [ids.index(id(layer.embeddings)) for layer in self._layers]
        self._looked_up = self._lookups(self._train)

    def influences(self, queries: Sequence[Examples]) -> list[Influences]:
        """See Explainer: the estimated fall of the query's output without each example.

        Raises:
            InputError: if a query is not one example, its output not one number, nothing of what it looks
                up is trained on, or the Hessian is singular.
        """
        return [self._of(query) for query in queries]

    def _of(self, query: Examples) -> Influences:
        if len(query) != 1:
            raise InputError(f"a query is one example; got {len(query)}.")
        rows = [np.unique(ids) for ids in self._lookups(query)]
        related = np.zeros(len(self._train), bool)
        for ids, of_layer in zip(self._looked_up, rows, strict=True):
            related |= np.isin(ids, of_layer).any(axis=1)
        example_ids = np.flatnonzero(related)
        if not len(example_ids):
            raise InputError("no training example looks up what the query does: nothing explains.")
        output, gradient = self._output_gradient(query, rows)
        batch = self._train.only(example_ids).arrays
        hessian, gradients = self._derivatives(batch, rows)
        count, total = len(example_ids), len(self._train)
        # The penalty as strong beside R_t as it was in training (BUILD_NOTES, "Weight decay in FIA's Hessian").
        penalty = 2 * self._l2 * total / count * np.eye(len(hessian))
        (solution,), (told,) = solve_direct((hessian / count + penalty)[None], gradient[None], self._damping)
        if not told.converged:
            raise InputError(f"the Hessian of the query's {len(hessian)} numbers is singular: add damping.")
        influences = -(gradients @ solution) / count
        return Influences(example_ids, influences, output, output - influences, (told,))

    def _lookups(self, examples: Examples) -> list[np.ndarray]:
        """The ids [n, m] that each embedding layer looks up."""
        with _recorded(self._layers) as seen:
            self._model(tf.nest.map_structure(tf.convert_to_tensor, examples.inputs), training=False)
        found = []
        for layer, looked_up in zip(self._layers, seen, strict=True):
            if not looked_up:
                raise InputError(f"embedding layer {layer.name!r} looks nothing up.")
            found.append(np.concatenate([ids.reshape(len(examples), -1) for ids in looked_up], axis=1))
        return found

    def _weights(self, rows: Sequence[np.ndarray], theta: Tensor) -> list[Tensor]:
        """All weights, with theta [n] in the place of the rows."""
        weights = [tf.constant(np.asarray(variable)) for variable in self._model.trainable_variables]
        first = 0
        for place, of_layer in zip(self._places, rows, strict=True):
            size = len(of_layer) * weights[place].shape[1]
            part = tf.reshape(theta[first : first + size], [len(of_layer), -1])
            weights[place] = tf.tensor_scatter_nd_update(weights[place], of_layer[:, None], part)
            first += size
        return weights

    def _theta(self, rows: Sequence[np.ndarray]) -> Tensor:
        """The rows as one vector."""
        parts = [
            np.asarray(self._model.trainable_variables[place])[of_layer].ravel()
            for place, of_layer in zip(self._places, rows, strict=True)
        ]
        return tf.constant(np.concatenate(parts))

    def _output_gradient(self, query: Examples, rows: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        theta = self._theta(rows)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            output = self._losses.outputs(self._weights(rows, theta), query.arrays)
        if int(tf.size(output)) != 1:
            raise InputError(f"the model's output must be one number an example; got shape {output.shape}.")
        return float(tf.reshape(output, [])), tape.gradient(output, theta).numpy().astype(np.float64)

    def _derivatives(self, batch: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Of the losses [n] of a batch by theta [m]: the Hessian of their sum [m, m], and each gradient [n, m]."""
        theta = self._theta(rows)
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape(persistent=True) as inner:
                inner.watch(theta)
                losses = self._losses.losses(None, self._weights(rows, theta), batch)
                total = tf.reduce_sum(losses)
            gradient = inner.gradient(total, theta)
        hessian = outer.jacobian(gradient, theta)
        return hessian.numpy().astype(np.float64), inner.jacobian(losses, theta).numpy().astype(np.float64)


@contextlib.contextmanager
def _recorded(layers: Sequence[Any]) -> Iterator[list[list[np.ndarray]]]:
    """Records what each of some embedding layers looks up."""
    seen: list[list[np.ndarray]] = [[] for _ in layers]

    def recording(call: Callable[..., Any], found: list[np.ndarray]) -> Callable[..., Any]:
        def recorded(ids: Any, *args: Any, **kwargs: Any) -> Any:
            found.append(np.asarray(ids))
            return call(ids, *args, **kwargs)

        return recorded

    try:
        for layer, found in zip(layers, seen, strict=True):
            layer.call = recording(layer.call, found)
        yield seen
    finally:
        for layer in layers:
            del layer.call
