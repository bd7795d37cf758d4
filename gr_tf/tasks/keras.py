"""The task of a tf.keras.Model that somebody else trained.

The model is called as a function of its weights; it may be functional, sequential or subclassed, with any layers
that can be differentiated twice, and is used as in inference.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from gr_tf.data.dataset import Dataset
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError, argument
from gr_tf.models.keras_files import call
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.settings import Settings
from gr_tf.tasks.drawing import Drawing
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.tasks.task import Task
from gr_tf.tasks.test_predictions import ExplainedPrediction
from gr_tf.training.steps import Steps
from gr_tf.types import Ids, Rows, Tensor

# Targets and outputs [n, ...] to losses [n], such as keras.losses.mean_squared_error.
Loss = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Examples(Dataset):
    """Inputs of a Keras model and their targets; as a query, one or several examples.

    Attributes:
        inputs: what the model takes: an array [n, ...], or a list, tuple or dict of them.
        targets: [n, ...].
    """

    inputs: Any
    targets: np.ndarray
    name = "keras"
    source = None
    notes = ()
    split = None

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

    def only(self, places: Ids | slice) -> "Examples":
        """Some of the examples."""
        inputs = tf.nest.map_structure(lambda array: np.asarray(array)[places], self.inputs)
        return Examples(inputs, np.asarray(self.targets)[places])

    @property
    def num_examples(self) -> int:
        """Number of examples."""
        return len(self)

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of the arrays."""
        return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in self.arrays)).hexdigest()

    @property
    def train_frame(self) -> pd.DataFrame:
        """The targets, where they are numbers; the index is the example_id."""
        targets = np.asarray(self.targets)
        return pd.DataFrame({"target": targets} if targets.ndim == 1 else {}, index=range(len(self)))

    def query_of(self, example_id: int) -> "Examples":
        """See Dataset."""
        return self.only(slice(example_id, example_id + 1))

    def related(self, query: "Examples") -> Ids:
        """All examples: only the model knows what two of them share."""
        return np.arange(len(self))

    def _contents(self) -> tuple[Vocabulary, Vocabulary, Sequence[bytes]]:
        raise NotImplementedError("Examples have no vocabularies.")


Examples.query_class = Examples


@dataclasses.dataclass(frozen=True, kw_only=True)
class KerasConfig(Settings):
    """What is known of the training of a Keras model.

    Attributes:
        learning_rate: at the given weights.
        l2: of its loss, times the squares of the embeddings.
    """

    learning_rate: float = 1.0
    l2: float = 0.0


def refuse_other_processes() -> NoReturn:
    """Refuses to send a Keras model to another process.

    Raises:
        InputError: always.
    """
    raise InputError(
        f"a Keras model is in the memory of this process only: its retrainings are for {argument('engine', 'threads')}."
    )


class KerasTask(Task[Examples]):
    """A Keras model and its training examples; a query is one or several examples."""

    kind = "keras"
    unit = "output"
    parts = ()
    config_class = KerasConfig
    query_class = Examples
    seeds = ()
    dataset: Examples
    config: KerasConfig

    def __init__(self, keras_model: Any, train: Examples, loss: Loss, config: KerasConfig | None = None) -> None:
        """
        Args:
            keras_model: a built tf.keras.Model.
            train: what it was trained on.
            loss: of its training, a number an example; the training minimized its mean over `train`.
            config: what else is known.

        Raises:
            InputError: if there are no trainable weights, or the loss gives no number an example.
        """
        if not keras_model.trainable_variables:
            raise InputError("the model has no trainable weights: build it, by calling it on some inputs.")
        self.model, self._losses = keras_model, KerasLosses(keras_model, train, loss)
        self.dataset, self.config, self.initial = train, config or KerasConfig(), None

    def movable(self) -> tuple[Any, None]:
        """See Trainable; a Keras model stays where it is."""
        refuse_other_processes()

    def _initial_parameters(self) -> Parameters:
        return self.parameters_of([np.asarray(variable) for variable in self.model.trainable_variables])

    @staticmethod
    def parameters_of(weights: Sequence[np.ndarray]) -> Parameters:
        """Trainable weights, in the order of trainable_variables; there is no table, all are shared."""
        return Parameters(np.zeros((1, 1), np.asarray(weights[0]).dtype), tuple(map(np.asarray, weights)))

    def checked(self, weights: Sequence[np.ndarray]) -> Parameters:
        """`parameters_of` weights.

        Raises:
            InputError: if they are of other shapes than the model's.
        """
        shapes = [np.shape(array) for array in weights]
        own = [tuple(variable.shape) for variable in self.model.trainable_variables]
        if shapes != own:
            raise InputError(f"a checkpoint's weights have shapes {shapes}; the model's are {own}.")
        return self.parameters_of(weights)

    def _make_steps(self) -> Steps:
        raise InputError("a Keras model is trained by Keras, not by gr_tf.")

    @property
    def length(self) -> int:
        """0: gr_tf does not train the model."""
        return 0

    def accuracy(self, parameters: Parameters, examples: Examples) -> dict[str, float]:
        """The mean loss."""
        losses = self._losses.losses(None, list(map(tf.constant, parameters.shared)), examples.arrays)
        return {"loss": float(tf.reduce_mean(losses))}

    def quality(self, parameters: Parameters) -> dict[str, Any]:
        """Of the training examples; gr_tf knows no others."""
        return {"train": self.accuracy(parameters, self.dataset)}

    def value(self, parameters: Parameters, queries: Sequence[Examples]) -> np.ndarray:
        """The output, of a query of one example whose output is a number; else the query's mean loss."""
        weights = list(map(tf.constant, parameters.shared))
        values = []
        for query in queries:
            told = self._losses.outputs(weights, query.arrays) if len(query) == 1 else None
            if told is None or int(tf.size(told)) != 1:
                told = tf.reduce_mean(self._losses.losses(None, weights, query.arrays))
            values.append(float(tf.reshape(told, [])))
        return np.array(values)

    def test_predictions(self, parameters: Parameters) -> list[ExplainedPrediction]:
        """None: gr_tf knows no test examples of a Keras model."""
        return []

    def read_question(self, parts: Sequence[str]) -> tuple[Examples, bool]:
        """See Task."""
        raise InputError("a Keras model is asked about Examples, from Python.")

    def losses(self, dtype: str | None = None) -> "KerasLosses":
        """See Task; in the model's own precision."""
        return self._losses

    def names_of(self, query: Examples) -> tuple[str, ...]:
        """How many examples it is."""
        return (f"{len(query)} examples",)

    def row_of(self, query: Examples) -> dict[str, str]:
        """How many examples it is."""
        return {"examples": str(len(query))}

    def examples(self, example_ids: Ids, query: Examples) -> pd.DataFrame:
        """The targets, where they are numbers."""
        return self.dataset.train_frame.iloc[example_ids].reset_index(drop=True)

    def drawing(self, query: Examples, value: float, example_ids: Ids, influences: np.ndarray) -> Drawing:
        """See Task."""
        raise InputError("examples of a Keras model cannot be drawn: gr_tf does not know what they are.")


class KerasLosses(ExampleLosses):
    """The losses of a Keras model's examples as functions of its trainable weights."""

    def __init__(self, model: Any, train: Examples, loss: Loss) -> None:
        super().__init__(train)
        self._model, self._loss, self.train = model, loss, train.arrays
        self.lookups = 1
        self.layers = ("none", *(variable.path for variable in model.trainable_variables))
        self.dtype = str(np.dtype(model.trainable_variables[0].dtype))
        weights = [tf.constant(np.asarray(variable)) for variable in model.trainable_variables]
        # Of two examples, because an average, and a target that is spread over all outputs, show there.
        of_two = self.losses(None, weights, [np.repeat(array[:1], 2, axis=0) for array in self.train])
        if of_two.shape != (2,):
            raise InputError(f"the loss must give a number an example, [n]; got shape {of_two.shape} for two.")

    def validation(self) -> tuple[np.ndarray, ...]:
        """None: gr_tf knows no others."""
        return self.batch(self.dataset.only(slice(0)))

    def batch(self, examples: Examples) -> tuple[np.ndarray, ...]:
        """See ExampleLosses."""
        return examples.arrays

    def query(self, query: Examples) -> tuple[np.ndarray, ...]:
        """See ExampleLosses; several examples if the query has several."""
        return query.arrays

    def rows(self, batch: Batch) -> Tensor:
        """See ExampleLosses; there is no table, all weights are shared."""
        return tf.zeros([tf.shape(batch[0])[0], 1], tf.int32)

    def outputs(self, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """The model's outputs with these weights."""
        return call(self._model, shared, tf.nest.pack_sequence_as(self.dataset.inputs, list(batch[:-1])))

    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return self._loss(batch[-1], self.outputs(shared, batch))
