"""Keras models of users and items, or of histories: how their inputs are made of ids, and what their outputs mean."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.models.keras_files import call
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Tensor

_AT_ONCE = 4096
_LEAST = 1e-7  # keras.config.epsilon(), that Keras's losses of probabilities are clipped by


@dataclasses.dataclass(frozen=True)
class GivenLoss:
    """What a model's outputs mean, and what its training minimized.

    Attributes:
        unit: of a prediction.
        predicted: from outputs to predictions, the same shape.
        losses: from targets [n] and outputs to losses [n].
        bounded: whether outputs and targets are from 0 to 1.
    """

    unit: str
    predicted: Callable[[Tensor], Tensor]
    losses: Callable[[Tensor, Tensor], Tensor]
    bounded: bool = False


def _squares(targets: Tensor, outputs: Tensor) -> Tensor:
    return tf.square(targets - outputs)


def _binary(targets: Tensor, outputs: Tensor) -> Tensor:
    clipped = tf.clip_by_value(outputs, _LEAST, 1 - _LEAST)
    return -targets * tf.math.log(clipped) - (1 - targets) * tf.math.log(1 - clipped)


def _binary_of_logits(targets: Tensor, outputs: Tensor) -> Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs)


def _sigmoid(outputs: Tensor) -> Tensor:
    return tf.sigmoid(outputs)


# Of models of a user and an item.
PAIR_LOSSES: Mapping[str, GivenLoss] = {
    "mse": GivenLoss("stars", lambda outputs: outputs, _squares),
    "bce": GivenLoss("probability", lambda outputs: outputs, _binary, bounded=True),
    "bce_logits": GivenLoss("probability", _sigmoid, _binary_of_logits, bounded=True),
}


class KerasItems(abc.ABC):
    """A Keras model, and how its inputs are made of this package's ids.

    Attributes:
        keras_model: the model.
        dtype: of its weights.
    """

    def __init__(self, keras_model: Any) -> None:
        self.keras_model = keras_model
        self.dtype = str(np.dtype(keras_model.trainable_variables[0].dtype))

    @property
    def weights(self) -> list[np.ndarray]:
        """The model's own trainable weights."""
        return [np.asarray(variable) for variable in self.keras_model.trainable_variables]

    @abc.abstractmethod
    def inputs(self, records: np.ndarray) -> Any:
        """What the model takes, of pairs [n, 2] or histories [n, length]."""

    def outputs_of(self, parameters: Parameters, records: np.ndarray) -> np.ndarray:
        """The model's outputs of records, in parts."""
        weights = [tf.constant(array) for array in parameters.shared]
        parts = []
        for first in range(0, len(records), _AT_ONCE):
            inputs = tf.nest.map_structure(tf.constant, self.inputs(records[first : first + _AT_ONCE]))
            parts.append(np.asarray(call(self.keras_model, weights, inputs)))
        return np.concatenate(parts)


class KerasPairs(KerasItems):
    """A Keras model of a user and an item.

    Attributes:
        loss: see GivenLoss.
    """

    def __init__(
        self, keras_model: Any, values: Sequence[np.ndarray], pack: Callable[..., Any], loss: GivenLoss
    ) -> None:
        """
        Args:
            keras_model: the model.
            values: what the model takes for each user, and for each item.
            pack: from users' and items' values [n] to what the model takes.
            loss: see GivenLoss.
        """
        super().__init__(keras_model)
        self._values, self._pack, self.loss = values, pack, loss

    def inputs(self, records: np.ndarray) -> Any:
        """See KerasItems; of pairs [n, 2]."""
        users, items = (values[ids] for values, ids in zip(self._values, records.T, strict=True))
        return self._pack(users, items)

    def predict_pairs(self, parameters: Parameters, pairs: np.ndarray) -> np.ndarray:
        """Predictions [n] of (user, item) pairs [n, 2]."""
        if not len(pairs):
            return np.zeros(0)
        return np.asarray(self.loss.predicted(self.outputs_of(parameters, pairs).reshape(len(pairs))))


class KerasHistories(KerasItems):
    """A Keras model of histories, whose outputs are numbers of all items.

    Attributes:
        length: of a history that it takes.
        columns: the outputs' column of each item (id + 1, less one), [num_items].
        padding: the column of the padding; None: there is none.
        are_probabilities: whether the outputs are; else they are logits.
    """

    def __init__(
        self,
        keras_model: Any,
        values: np.ndarray,
        pack: Callable[[np.ndarray], Any],
        length: int,
        columns: np.ndarray,
        padding: int | None,
        are_probabilities: bool,
    ) -> None:
        """
        Args:
            keras_model, length, columns, padding, are_probabilities: as named.
            values: what the model takes for the padding, and for each item.
            pack: from histories of values [n, length] to what the model takes.
        """
        super().__init__(keras_model)
        self._values, self._pack, self.length = values, pack, length
        self.columns, self.padding, self.are_probabilities = columns, padding, are_probabilities

    def inputs(self, records: np.ndarray) -> Any:
        """See KerasItems; of histories, the latest last, 0 in front where there is nothing."""
        missing = max(0, self.length - records.shape[1])
        fitting = np.pad(records, ((0, 0), (missing, 0)))[:, -self.length :]
        return self._pack(self._values[fitting])

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """Of outputs [n, m], over all m; probabilities are clipped as Keras's own loss clips them."""
        if self.are_probabilities:
            return tf.math.log(tf.clip_by_value(outputs, _LEAST, 1.0))
        return tf.nn.log_softmax(outputs)

    def probabilities(self, parameters: Parameters, histories: np.ndarray) -> np.ndarray:
        """The probabilities [n, num_items] of all items, among all outputs but the padding's; float64."""
        outputs = self.outputs_of(parameters, histories)
        found = (outputs if self.are_probabilities else np.asarray(tf.nn.softmax(outputs))).astype(np.float64)
        if self.padding is not None:
            found[:, self.padding] = 0
        found /= found.sum(axis=1, keepdims=True)
        chosen: np.ndarray = found[:, self.columns]
        return chosen
