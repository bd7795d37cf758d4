"""The tasks of ratings and sequences with a saved Keras model, which gr_tf did not train."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gr_tf.data.ratings import RatingQuery, Ratings, RatingSet
from gr_tf.data.sequences import SequenceQuery, Sequences, SequenceSet
from gr_tf.models.keras_items import KerasHistories, KerasPairs
from gr_tf.models.parameters import Parameters
from gr_tf.models.sequence_ranking import next_item_metrics
from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import Batch
from gr_tf.tasks.keras import Examples, KerasConfig, KerasLosses, KerasTask, Loss, refuse_other_processes
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.training.driver import Selection
from gr_tf.training.steps import Steps
from gr_tf.training.weight_steps import WeightConfig, WeightSteps
from gr_tf.types import Rows, Tensor

T = TypeVar("T", bound="GivenKeras")


class GivenLosses(KerasLosses):
    """The losses of a given Keras model's examples, which are ratings or sequences."""

    def __init__(
        self,
        task: "GivenKeras",
        train: Examples,
        loss: Loss,
        predicted: Callable[[Tensor], Tensor],
        query_losses: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        """
        Args:
            task: whose.
            train: the training examples.
            loss: from targets and the model's outputs to losses [n].
            predicted: from the model's outputs to predictions.
                query_losses: the same of what a query's proponents lower.
        """
        self.model = task.model.keras_model
        self._task, self._predicted, self._query_loss = task, predicted, query_losses
        super().__init__(self.model, train, loss)

    def validation(self) -> tuple[np.ndarray, ...]:
        """See ExampleLosses."""
        return self.batch(self._task.dataset.valid)

    def batch(self, examples: Any) -> tuple[np.ndarray, ...]:
        """See ExampleLosses; of ratings, sequences, or Examples."""
        return (examples if isinstance(examples, Examples) else self._task.examples_of(examples)).arrays

    def query(self, query: Any) -> tuple[np.ndarray, ...]:
        """See ExampleLosses."""
        return (query if isinstance(query, Examples) else self._task.example_of(query)).arrays

    def outputs(self, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """The predictions."""
        return self._predicted(super().outputs(shared, batch))

    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return self._loss(batch[-1], super().outputs(shared, batch))

    def query_losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return self._query_loss(batch[-1], super().outputs(shared, batch))


class UnderlyingKeras(KerasTask):
    """The same model as methods for Keras models see it: queries are Examples."""

    def __init__(self, losses: GivenLosses) -> None:
        self.model, self._losses, self.dataset = losses.model, losses, losses.dataset
        self.config, self.initial = KerasConfig(), None


class GivenKeras(Task[Any]):
    """What both tasks have in common: the parameters are the model's weights, and training goes on from them.

    Attributes:
        keras: the same model as methods for Keras models see it.
    """

    config_class = WeightConfig
    seeds = ("seed",)
    exact_dtype = None
    keras: KerasTask
    config: WeightConfig

    def __init__(self, dataset: Any, model: Any, config: WeightConfig) -> None:
        """
        Args:
            dataset: of the kind.
            model: KerasPairs or KerasHistories.
            config: how training goes on.
        """
        self.dataset, self.config, self.model = dataset, config, model
        self._losses = self._make_losses(self.examples_of(dataset.train))
        self.keras = UnderlyingKeras(self._losses)
        self.initial = KerasTask.parameters_of(model.weights)

    def examples_of(self, records: Any) -> Examples:
        """Some of a split's examples as inputs and targets of the model."""
        raise NotImplementedError

    def example_of(self, query: Any) -> Examples:
        """A query as an example."""
        raise NotImplementedError

    def _make_losses(self, train: Examples) -> GivenLosses:
        raise NotImplementedError

    def with_config(self: T, **changes: Any) -> T:
        """See Trainable."""
        return type(self)(self.dataset, self.model, self.config.of_dict({**self.config.to_dict(), **changes}))

    def movable(self) -> tuple[Any, None]:
        """See Trainable; a Keras model stays where it is."""
        refuse_other_processes()

    @property
    def initial_parameters(self) -> Parameters:
        """The given ones."""
        assert self.initial is not None
        return self.initial

    @property
    def selection(self) -> Selection:
        """The last epoch."""
        return Selection()

    @property
    def kept_epochs(self) -> tuple[int, ...]:
        """None."""
        return ()

    @property
    def length(self) -> int:
        """The number of epochs."""
        return self.config.epochs

    def length_of(self, epoch: int) -> int:
        """See Trainable; the parameters are of no epoch."""
        return self.config.epochs

    def check_length(self, epoch: int) -> int:
        """See Trainable."""
        return self.config.epochs

    def losses(self, dtype: str | None = None) -> GivenLosses:
        """See Task; in the model's own precision."""
        return self._losses

    def _make_steps(self) -> Steps:
        losses, count = self._losses, len(self.initial_parameters.shared)
        return WeightSteps(
            lambda weights, batch: losses.losses(tf.zeros([]), weights, batch),
            count,
            losses.train,
            self.config,
            losses.dtype,
        )


class KerasRatingTask(GivenKeras, RatingTask):  # type: ignore[misc]
    """Ratings and a given Keras model of users and items."""

    continues = False
    dataset: RatingSet
    model: KerasPairs  # type: ignore[assignment]

    def __init__(self, dataset: RatingSet, model: KerasPairs, config: WeightConfig) -> None:
        super().__init__(dataset, model, config)
        self.unit = model.loss.unit  # type: ignore[misc]

    def examples_of(self, records: Ratings) -> Examples:
        """See GivenKeras."""
        return Examples(self.model.inputs(records.pairs), records.values.astype(self.model.dtype))

    def example_of(self, query: RatingQuery) -> Examples:
        """See GivenKeras; its rating is no part of the question."""
        return self.examples_of(Ratings(np.array([[query.user, query.item]], np.int32), np.zeros(1)))

    def _make_losses(self, train: Examples) -> GivenLosses:
        loss = self.model.loss

        def flat(outputs: Tensor) -> Tensor:
            return tf.reshape(outputs, [-1])

        return GivenLosses(
            self,
            train,
            lambda targets, outputs: loss.losses(targets, flat(outputs)),
            loss.predicted,
            # A proponent of a prediction raises it, whatever its true rating.
            lambda targets, outputs: -loss.predicted(flat(outputs)),
        )


class KerasSequenceTask(GivenKeras, SequenceTask):  # type: ignore[misc]
    """Sequences and a given Keras model of histories."""

    dataset: SequenceSet
    model: KerasHistories  # type: ignore[assignment]

    @property
    def history_length(self) -> int:
        """The given model's."""
        return self.model.length

    def examples_of(self, records: Sequences) -> Examples:
        """See GivenKeras; targets are columns of the outputs."""
        return Examples(self.model.inputs(records.histories), self.model.columns[records.targets - 1])

    def example_of(self, query: SequenceQuery) -> Examples:
        """See GivenKeras."""
        return Examples(self.model.inputs(_histories([query])), self.model.columns[[query.target - 1]])

    def _make_losses(self, train: Examples) -> GivenLosses:
        def cross_entropies(targets: Tensor, outputs: Tensor) -> Tensor:
            return -tf.gather(self.model.log_probabilities(outputs), targets, batch_dims=1)

        return GivenLosses(self, train, cross_entropies, lambda outputs: outputs, cross_entropies)

    def accuracy(self, parameters: Parameters, examples: Sequences) -> dict[str, float]:
        """MRR, Recall@10 and cross-entropy."""
        probabilities = self.model.probabilities(parameters, examples.histories)
        own = probabilities[np.arange(len(examples)), examples.targets - 1][:, None]
        ranks = 1 + (probabilities > own).sum(axis=1) + ((probabilities == own).sum(axis=1) - 1) / 2
        return next_item_metrics(ranks, -np.log(np.maximum(own[:, 0], np.finfo(np.float64).tiny)))

    def _probabilities(self, parameters: Parameters, queries: Sequence[SequenceQuery]) -> np.ndarray:
        return np.concatenate([self.model.probabilities(parameters, _histories([query])) for query in queries])


def _histories(queries: Sequence[SequenceQuery]) -> np.ndarray:
    """[1, length] of one query."""
    return np.array([query.history for query in queries], np.int32).reshape(len(queries), -1)
