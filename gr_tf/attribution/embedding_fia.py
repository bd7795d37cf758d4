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
            trained: of a KerasTask whose model gives one number an example.
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
        self._weights = [tf.constant(array) for array in trained.parameters.shared]
        self._looked_up = self._lookups(self._train)
        self._compiled_output = tf.function(self._output_gradient, reduce_retracing=True)
        self._compiled_derivatives = tf.function(self._derivatives, reduce_retracing=True)

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
        of_layers = [tf.constant(of_layer) for of_layer in rows]
        outputs, of_output = self._compiled_output(_tensors(query), of_layers)
        if int(tf.size(outputs)) != 1:
            raise InputError(f"the model's output must be one number an example; got shape {outputs.shape}.")
        output, gradient = float(tf.reshape(outputs, [])), of_output.numpy().astype(np.float64)
        derivatives = self._compiled_derivatives(_tensors(self._train.only(example_ids)), of_layers)
        hessian, gradients = (found.numpy().astype(np.float64) for found in derivatives)
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

    def _with(self, rows: Sequence[Tensor], theta: Tensor) -> list[Tensor]:
        """All weights, with theta [m] in the place of the rows."""
        weights, first = list(self._weights), 0
        for place, of_layer in zip(self._places, rows):  # noqa: B905  (autograph)
            size = tf.size(of_layer) * weights[place].shape[1]
            part = tf.reshape(theta[first : first + size], [-1, weights[place].shape[1]])
            weights[place] = tf.tensor_scatter_nd_update(weights[place], of_layer[:, None], part)
            first += size
        return weights

    def _theta(self, rows: Sequence[Tensor]) -> Tensor:
        """The rows as one vector [m]."""
        parts = zip(self._places, rows)  # noqa: B905  (autograph)
        return tf.concat([tf.reshape(tf.gather(self._weights[i], of_layer), [-1]) for i, of_layer in parts], axis=0)

    def _output_gradient(self, batch: Sequence[Tensor], rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The outputs of a batch, and the gradient [m] of their sum by theta."""
        theta = self._theta(rows)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            outputs = self._losses.outputs(self._with(rows, theta), batch)
        return outputs, tape.gradient(outputs, theta)

    def _derivatives(self, batch: Sequence[Tensor], rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Of the losses [n] of a batch by theta [m]: the Hessian of their sum [m, m], and each gradient [n, m]."""
        theta = self._theta(rows)
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape(persistent=True) as inner:
                inner.watch(theta)
                losses = self._losses.losses(None, self._with(rows, theta), batch)
                total = tf.reduce_sum(losses)
            gradient = inner.gradient(total, theta)
        return outer.jacobian(gradient, theta), inner.jacobian(losses, theta)


def _tensors(examples: Examples) -> tuple[Tensor, ...]:
    return tuple(map(tf.constant, examples.arrays))


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
