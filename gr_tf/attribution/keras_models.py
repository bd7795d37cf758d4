"""Explanations of a tf.keras.Model that somebody else trained: TracIn and FIA.

The model is called as a function of its weights; it may be functional, sequential or subclassed, with
any layers that can be differentiated twice, and is used as in inference.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from gr_tf.attribution.base import Explainer, Explanation
from gr_tf.attribution.example_losses import Checkpoint, ExampleLosses
from gr_tf.attribution.hessian import Diagnostics, check_damping, solve_direct
from gr_tf.attribution.tracin import TracIn
from gr_tf.errors import InputError

# Targets and outputs [n, ...] to losses [n], such as keras.losses.mean_squared_error.
Loss = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Inputs of a Keras model and what it should say.

    Attributes:
        inputs: what the model takes: an array [n, ...], or a list, tuple or dict of them.
        targets: [n, ...].
    """

    inputs: Any
    targets: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(array) for array in self.arrays}
        if len(lengths) != 1:
            raise InputError(f"inputs and targets must be of one length; got {sorted(lengths)}.")

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The inputs, then the targets."""
        return (*map(np.asarray, tf.nest.flatten(self.inputs)), np.asarray(self.targets))

    def __len__(self) -> int:
        return len(self.targets)

    def only(self, places: np.ndarray | slice) -> "Examples":
        """Some of them."""
        inputs = tf.nest.map_structure(lambda array: np.asarray(array)[places], self.inputs)
        return Examples(inputs, np.asarray(self.targets)[places])


@dataclasses.dataclass(frozen=True, eq=False)
class KerasExplanation(Explanation[Examples]):
    """Training examples behind a Keras model's output, the most influential first.

    Attributes:
        output: what the model says of the query: a number, or the query's loss if its output is none.
        systems: how FIA's system was solved; empty for TracIn.
        frame: influence, example_id.
    """

    output: float
    systems: tuple[Diagnostics, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """The explanation as a table."""
        return self._with_errors(pd.DataFrame({"influence": self.influences, "example_id": self.example_ids}))

    @classmethod
    def means(cls, explanations: Sequence["KerasExplanation"]) -> dict[str, Any]:
        """See Explanation; all of their systems."""
        return {
            "output": float(np.mean([explanation.output for explanation in explanations])),
            "systems": tuple(told for explanation in explanations for told in explanation.systems),
        }


class KerasLosses(ExampleLosses):
    """The losses of a Keras model's examples as functions of its trainable weights."""

    def __init__(self, model: Any, train: Examples, loss: Loss) -> None:
        self._model = model
        self._loss = loss
        self._structure = train.inputs
        self.train = train.arrays
        self.layers = ("none", *(variable.path for variable in model.trainable_variables))
        self.dtype = str(np.dtype(model.trainable_variables[0].dtype))
        weights = [tf.constant(np.asarray(variable)) for variable in model.trainable_variables]
        # Of two examples, because an average, and a target that is spread over all outputs, show there.
        of_two = self.losses(None, weights, [np.repeat(array[:1], 2, axis=0) for array in self.train])
        if of_two.shape != (2,):
            raise InputError(f"the loss must give a number an example, [n]; got shape {of_two.shape} for two.")

    def rows(self, batch: Sequence[Any]) -> Any:
        """See ExampleLosses; there is no table, all weights are shared."""
        return tf.zeros([tf.shape(batch[0])[0], 1], tf.int32)

    def outputs(self, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """What the model says with these weights."""
        inputs = tf.nest.pack_sequence_as(self._structure, list(batch[:-1]))
        values = [variable.value for variable in self._model.non_trainable_variables]
        outputs, _ = self._model.stateless_call(list(shared), values, inputs, training=False)
        return outputs

    def losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return self._loss(batch[-1], self.outputs(shared, batch))

    def query_losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return self.losses(rows, shared, batch)


class KerasTracIn(Explainer[Examples, KerasExplanation]):
    """Ranks all training examples by TracInCP on the loss of one example."""

    def __init__(
        self,
        model: Any,
        train: Examples,
        loss: Loss,
        checkpoints: Sequence[tuple[Sequence[np.ndarray], float]] | None = None,
        learning_rate: float = 1.0,
    ) -> None:
        """
        Args:
            model: a built tf.keras.Model.
            train: what it was trained on.
            loss: of its training, a number an example.
            checkpoints: its trainable weights at some times of its training, in the order of
                trainable_variables, each with the learning rate; None: as they are now.
            learning_rate: where there are no checkpoints.

        Raises:
            InputError: if there are no trainable weights, a checkpoint's are of other shapes, or the loss gives
                no number an example.
        """
        if not model.trainable_variables:
            raise InputError("the model has no trainable weights: build it, by calling it on some inputs.")
        now = [np.asarray(variable) for variable in model.trainable_variables]
        given = [(now, learning_rate)] if checkpoints is None else list(checkpoints)
        for weights, _ in given:
            shapes = [np.shape(array) for array in weights]
            if shapes != [array.shape for array in now]:
                raise InputError(
                    f"a checkpoint's weights have shapes {shapes}; the model's are {[a.shape for a in now]}."
                )
        none = np.zeros((1, 1), now[0].dtype)
        self._train = train
        self._losses = KerasLosses(model, train, loss)
        made = [Checkpoint(none, tuple(map(np.asarray, weights)), rate) for weights, rate in given]
        self.tracin = TracIn(self._losses, made)
        self._last = made[-1].shared

    def rank(self, query: Examples) -> KerasExplanation:
        """Every training example by its influence on the mean loss of the query; positive: it lowers it."""
        count = len(query)
        influences = self.tracin.influences(query.arrays, np.full(count, 1 / count))
        order = np.argsort(-influences, kind="stable")
        weights = [tf.constant(array) for array in self._last]
        loss = tf.reduce_mean(self._losses.losses(None, weights, query.arrays))
        return KerasExplanation(query, order, influences[order], float(loss))

    def query_of(self, example_id: int) -> Examples:
        """See Explainer."""
        return self._train.only(slice(example_id, example_id + 1))

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """TracIn of training examples on themselves [n], at least 0."""
        return self.tracin.self_influences()[example_ids]


class KerasFia(Explainer[Examples, KerasExplanation]):
    """FIA for any model with embedding lookups: influences through the embeddings that a query looks up.

    Cheng et al. (2019), Equations 15-17, with R_t the training examples that look up one of them.
    """

    def __init__(self, model: Any, train: Examples, loss: Loss, *, l2: float = 0.0, damping: float = 1e-6) -> None:
        """
        Args:
            model: a built tf.keras.Model whose output is a number an example.
            train: what it was trained on.
            loss: of its training, a number an example; the training minimized its mean over `train`.
            l2: of its training, times the squares of the embeddings.
            damping: added to the Hessian's diagonal.

        Raises:
            InputError: if the model looks nothing up, or a setting is out of range.
        """
        import keras  # here, because it is slow to import

        check_damping(damping)
        self._model, self._train, self._l2, self._damping = model, train, l2, damping
        self._losses = KerasLosses(model, train, loss)
        self._layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Embedding)]
        if not self._layers:
            raise InputError("FIA needs a model that looks up embeddings (keras.layers.Embedding), and this has none.")
        ids = [id(variable) for variable in model.trainable_variables]
        unknown = [layer.name for layer in self._layers if id(layer.embeddings) not in ids]
        if unknown:
            raise InputError(f"embedding layer {unknown[0]!r} is not trainable: nothing explains through it.")
        self._places = [ids.index(id(layer.embeddings)) for layer in self._layers]
        self._looked_up = self._lookups(train)

    def rank(self, query: Examples) -> KerasExplanation:
        """R_t by the estimated fall of the query's output without each.

        Raises:
            InputError: if the query is not one example, its output not one number, nothing of what it looks
                up is trained on, or the Hessian is singular.
        """
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
        # The penalty as strong beside R_t as it was in training (BUILD_NOTES 62).
        penalty = 2 * self._l2 * total / count * np.eye(len(hessian))
        (solution,), (told,) = solve_direct((hessian / count + penalty)[None], gradient[None], self._damping)
        if not told.converged:
            raise InputError(f"the Hessian of the query's {len(hessian)} numbers is singular: add damping.")
        influences = -(gradients @ solution) / count
        order = np.lexsort((example_ids, -influences))
        return KerasExplanation(query, example_ids[order], influences[order], output, (told,))

    def query_of(self, example_id: int) -> Examples:
        """See Explainer."""
        return self._train.only(slice(example_id, example_id + 1))

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

    def _weights(self, rows: Sequence[np.ndarray], theta: Any) -> list[Any]:
        """All weights, with theta [n] in the place of the rows."""
        weights = [tf.constant(np.asarray(variable)) for variable in self._model.trainable_variables]
        first = 0
        for place, of_layer in zip(self._places, rows, strict=True):
            size = len(of_layer) * weights[place].shape[1]
            part = tf.reshape(theta[first : first + size], [len(of_layer), -1])
            weights[place] = tf.tensor_scatter_nd_update(weights[place], of_layer[:, None], part)
            first += size
        return weights

    def _theta(self, rows: Sequence[np.ndarray]) -> Any:
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
