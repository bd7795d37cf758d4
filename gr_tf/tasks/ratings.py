"""The task of ratings: (user, item), and the stars that are predicted."""

import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.data.frames import FrameData
from gr_tf.data.rating_sources import RATING_DATASETS, load_ratings, ratings_of_frames
from gr_tf.data.ratings import RatingQuery, Ratings, RatingSet, RatingSplit
from gr_tf.errors import InputError, argument, short
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_gradients import rating_gradients
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.tasks.drawing import Drawing
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.tasks.rating_rollback import RatingRollback, pairs_of
from gr_tf.tasks.rolled_back import RolledBack
from gr_tf.tasks.subjects import RatingSubjects
from gr_tf.tasks.task import OPEN, Task, name_in
from gr_tf.tasks.test_predictions import ExplainedPrediction
from gr_tf.training.driver import Selection
from gr_tf.training.rating_config import RETRAINING_STEPS, RatingConfig, own_settings, rating_preset, variants
from gr_tf.training.rating_share_steps import RatingShareSteps
from gr_tf.training.rating_steps import RatingSteps
from gr_tf.training.single_rating_steps import SingleRatingSteps
from gr_tf.training.steps import Steps
from gr_tf.types import Ids, Rows, Tensor

# Batches of an epoch of one's own ratings: as many as MovieLens-1M's.
_OWN_BATCHES = 321


class RatingTask(Task[RatingQuery]):
    """Ratings and a rating model; a query is a user and an item."""

    kind = "ratings"
    unit = "stars"
    parts = ("user", "item or ?")
    has_alternatives = True
    open_title = "the most stars among the items that the user has not rated"
    answer_field = "item"
    exact_dtype = "float64"
    has_subjects = True
    config_class = RatingConfig
    split_class = RatingSplit
    query_class = RatingQuery
    columns = ("user", "item")
    validated = ("rmse",)
    deciding = "rmse"
    baseline_name = "the user's mean and the item's, less that of all ratings"
    may_continue = True
    measured = ("train", "valid", "test")
    dataset: RatingSet
    config: RatingConfig
    model: RatingModel

    @classmethod
    def read(cls, dataset: str | None, data_dir: str | pathlib.Path | None, split: RatingSplit) -> RatingSet:
        """See Task."""
        return load_ratings(dataset, data_dir, split)

    @classmethod
    def of_frames(cls, given: FrameData, name: str | None, split: RatingSplit) -> RatingSet:
        """See Task."""
        return ratings_of_frames(given, name, split)

    @classmethod
    def own_settings(cls, dataset: RatingSet, asked: Mapping[str, Any]) -> dict[str, Any]:
        """See Task; who asks for adam or a number of steps gets the papers' settings.

        Their batches of one's own ratings are as many an epoch as MovieLens-1M's.

        Raises:
            InputError: if steps are asked for with another optimizer.
        """
        model, optimizer = asked.get("model", RatingConfig.model), asked.get("optimizer")
        if optimizer not in (None, "adam") and "steps" in asked:
            raise InputError(
                f"{argument('steps', flag='training_steps')} is for optimizer 'adam'; {optimizer} trains for a number "
                "of epochs."
            )
        if optimizer != "adam" and "steps" not in asked:
            return own_settings(dataset, model)
        preset = rating_preset(dataset.name, model)
        if dataset.name in RATING_DATASETS:
            return preset
        return preset | {"batch_size": max(2, dataset.num_examples // _OWN_BATCHES)}

    def variants(self, asked: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """See Trainable."""
        return variants(self.config, asked)

    def _initial_parameters(self) -> Parameters:
        """See Trainable; trainings with shares start at the mean of all training ratings, also of removed ones."""
        drawn = super()._initial_parameters()
        if not self.config.has_shares:
            return drawn
        mean = float(self.dataset.train.values.mean())
        return self.model.starting_at(drawn, mean, self.config.initial_deviation)

    @property
    def continues(self) -> bool:  # type: ignore[override]
        """Batches train for long: a check goes on from the trained model (Cheng et al. 2019, Section 5.2)."""
        return self.config.batch_size > 1 and not self.config.has_shares

    def _make_steps(self) -> Steps:
        if self.config.patience is not None and not len(self.dataset.valid):
            raise InputError(
                f"{argument('patience')} needs validation ratings: users with at least three ratings have one held out."
            )
        if self.config.has_shares:
            return RatingShareSteps(self.dataset, self.model, self.config)
        if self.config.batch_size == 1:
            return SingleRatingSteps(self.dataset, self.model, self.config)
        return RatingSteps(self.dataset, self.model, self.config)

    @property
    def length(self) -> int:
        """The number of epochs, if the training has shares, else of steps."""
        return self.config.length

    @property
    def selection(self) -> Selection:
        """The lowest validation RMSE, if the configuration has a patience."""
        metric = None if self.config.patience is None else "rmse"
        return Selection(metric=metric, patience=self.config.patience, lower=True)

    def length_of(self, epoch: int) -> int:
        """See Trainable; of Adam all steps: the last epoch's parameters are the result."""
        return epoch if self.config.has_shares else self.config.steps

    def check_length(self, epoch: int) -> int:
        """See Task; a check that goes on from the trained model needs fewer steps than the training."""
        return RETRAINING_STEPS[self.config.model] if self.continues else self.length_of(epoch)

    def quality(self, parameters: Parameters) -> dict[str, Any]:
        """See Task; each metric of an empty split is None."""
        told = super().quality(parameters)
        return {name: metrics or {"rmse": None, "mae": None} for name, metrics in told.items()}

    def accuracy(self, parameters: Parameters, examples: Ratings) -> dict[str, float]:
        """Root mean squared error and mean absolute error, in stars; predictions are not clipped to the scale."""
        return _error_metrics(self.model.predict_pairs(parameters, examples.pairs), examples.values)

    def baseline(self, examples: Ratings) -> dict[str, float]:
        """See Task; the mean of all ratings stands in for the mean of a user or an item without any."""
        train = self.dataset.train
        mean, predicted = train.values.mean(dtype=np.float64), np.zeros(len(examples))
        for side in (0, 1):
            size = 1 + max(train.pairs[:, side].max(), examples.pairs[:, side].max())
            counts = np.bincount(train.pairs[:, side], minlength=size)
            sums = np.bincount(train.pairs[:, side], train.values, minlength=size)
            means = np.divide(sums, counts, out=np.full(size, mean), where=counts > 0)
            predicted += means[examples.pairs[:, side]]
        return _error_metrics(predicted - mean, examples.values)

    def value(self, parameters: Parameters, queries: Sequence[RatingQuery]) -> np.ndarray:
        """The predicted ratings, in float64 whatever the model's precision."""
        return self.model.predict_pairs(parameters, pairs_of(queries)).astype(np.float64)

    def value_gradients(self, parameters: Parameters, queries: Sequence[RatingQuery]) -> list[Tensor]:
        """See Task."""
        return rating_gradients(self.model, parameters, pairs_of(queries))

    def large_change(self, predictions: np.ndarray) -> np.ndarray:
        """See Task: by the standard deviation of the training ratings."""
        return np.full(len(predictions), self.dataset.train.values.std(dtype=np.float64))

    def best(self, parameters: Parameters, query: RatingQuery, count: int) -> list[tuple[int, float]]:
        """See Task: the items of the most stars, of those that the user rated neither in training nor in validation.

        An item that nobody rated in training is out: of it the model knows nothing. There are none if the question
        names its item.
        """
        if not query.item_asked:
            return []
        data = self.dataset
        rated = [part.pairs[part.pairs[:, 0] == query.user, 1] for part in (data.train, data.valid)]
        items = np.setdiff1d(data.train.pairs[:, 1], np.concatenate(rated))
        if not len(items):
            return []
        values = self.value(parameters, [RatingQuery(query.user, item) for item in items.tolist()])
        order = np.argsort(-values, kind="stable")[:count]
        return list(zip(items[order].tolist(), values[order].tolist(), strict=True))

    def answer_of(self, query: RatingQuery) -> int | None:
        """See Task; None if the question names its item."""
        return query.item if query.item_asked else None

    def own_examples(self, query: RatingQuery) -> Ids:
        """See Task."""
        return self.dataset.of_user(query.user)

    def have_answer(self, query: RatingQuery, example_ids: Ids) -> np.ndarray:
        """See Task: whether they are of the query's item."""
        same: np.ndarray = self.dataset.train.pairs[example_ids, 1] == query.item
        return same

    def answer_name(self, query: RatingQuery, answer: int) -> str:
        """The item's title."""
        return self.dataset.title(answer)

    def answer_key(self, query: RatingQuery, answer: int) -> str:
        """The item's name."""
        return self.dataset.items.names[answer]

    def all_known(self, query: RatingQuery) -> str:
        """See Task."""
        return "the user has rated every item"

    def answer_may_be_open(self, query: RatingQuery) -> bool:
        """See Task."""
        return OPEN in self.dataset.items.ids

    def test_predictions(self, parameters: Parameters) -> list[ExplainedPrediction]:
        """Of the test ratings, in their order; right if within half a star."""
        test = self.dataset.test
        values = self.model.predict_pairs(parameters, test.pairs).astype(np.float64)
        return [
            ExplainedPrediction(RatingQuery(int(user), int(item)), float(value), (line,), (bool(right),))
            for line, ((user, item), value, right) in enumerate(
                zip(test.pairs, values, np.abs(values - test.values) <= 0.5, strict=True)
            )
        ]

    def read_question(self, parts: Sequence[str]) -> tuple[RatingQuery, bool]:
        """See Task: user, and name or title of an item, or OPEN."""
        self.check_parts(parts)
        user, item = parts
        if user == OPEN:
            raise InputError(f"only the item can be asked for: user,item or user,?; got {short(','.join(parts))}.")
        if item == OPEN:
            return RatingQuery(self.dataset.users.id_of(name_in(user)), 0, item_asked=True), True
        return self.dataset.query(name_in(user), name_in(item)), False

    @classmethod
    def leaves_open(cls, parts: Sequence[str]) -> bool:
        """See Task; a question that names its item asks for its stars only."""
        return parts[-1] == OPEN

    def asked_by(self, split: str) -> Iterator[tuple[RatingQuery, tuple[Collection[str], ...]]]:
        """See Task; names and titles."""
        data = self.dataset
        for user, item in getattr(data, split).pairs.tolist():
            yield RatingQuery(user, item), ((data.users.names[user],), (data.items.names[item], data.title(item)))

    def subjects(self, query: RatingQuery) -> RatingSubjects:
        """See Task."""
        return RatingSubjects(self.dataset, query)

    def losses(self, dtype: str | None = None) -> "RatingLosses":
        """See Task."""
        return RatingLosses(self.model_in(dtype), self.dataset, self.config.weight_decay * self.config.has_shares)

    def own_losses(self, values: np.ndarray) -> np.ndarray:
        """The squared errors [num_examples]."""
        return (values - self.dataset.train.values) ** 2

    def rolled_back(self, parameters: Parameters, deltas: np.ndarray) -> RolledBack:
        """See Task; in float64, so that small influences keep their digits."""
        if not self.steps.rows_per_example:
            how = f"{argument('optimizer', 'sgd', 'adagrad')}, or {argument('batch_size', 1)}"
            raise InputError(f"Gradient Rollback of ratings needs {how}.")
        self.check_deltas(parameters, deltas)
        return RatingRollback(self.model_in("float64"), parameters, deltas, self.dataset)

    def names_of(self, query: RatingQuery) -> tuple[str, str]:
        """The user's name and the item's title."""
        return self.dataset.users.names[query.user], self.dataset.title(query.item)

    def row_of(self, query: RatingQuery) -> dict[str, str]:
        """The names by the columns user, item."""
        return {"user": self.dataset.users.names[query.user], "item": self.dataset.items.names[query.item]}

    def examples(self, example_ids: Ids, query: RatingQuery) -> pd.DataFrame:
        """See Task; columns user, title, rating, connection."""
        frame = self.dataset.names(self.dataset.train.only(example_ids))[["user", "title", "rating"]]
        users, items = self.dataset.train.pairs[example_ids].T
        same = np.where(users == query.user, "same user", np.where(items == query.item, "same item", "none"))
        return frame.assign(connection=same)

    def drawing(self, query: RatingQuery, value: float, example_ids: Ids, influences: np.ndarray) -> Drawing:
        """See Task; an edge goes from a user to an item."""
        ratings, chosen = self.dataset, self.dataset.train.only(example_ids)
        pairs = [(query.user, query.item), *chosen.pairs.tolist()]
        labels = [f"{value:.2f}", *(f"{rating:g}" for rating in chosen.values)]
        nodes: dict[str, str] = {}
        for user, item in pairs:
            nodes |= {f"user {user}": ratings.users.names[user], f"item {item}": ratings.title(item)}
        asked, *edges = [(f"user {u}", f"item {i}", label) for (u, i), label in zip(pairs, labels, strict=True)]
        return Drawing.of(asked, edges, example_ids, influences, nodes)

    def embeddings(self, parameters: Parameters) -> Mapping[str, tuple[np.ndarray, Sequence[str], Sequence[str]]]:
        """See Task; the rows of users, and of items."""
        ratings, count = self.dataset, len(self.dataset.users)
        titles = [ratings.title(item) for item in range(len(ratings.items))]
        return {
            "users": (parameters.table[:count], ratings.users.names, ratings.users.names),
            "items": (parameters.table[count:], ratings.items.names, titles),
        }


class RatingLosses(ExampleLosses):
    """Squared errors of ratings; an example is ((user, item), rating).

    With the weight decay that is a rating's own, wd/2 of the squares of its two rows, where it has any.
    """

    def __init__(self, model: RatingModel, ratings: RatingSet, own_decay: float = 0.0) -> None:
        super().__init__(ratings)
        self._model, self._own_decay = model, own_decay
        self.layers = ("table", *(f"network_{i}" for i in range(len(model.network_penalty))))
        self.lookups = 2
        self.dtype = model.dtype

    def batch(self, examples: Ratings) -> tuple[np.ndarray, ...]:
        """See ExampleLosses."""
        return examples.pairs, examples.values.astype(self._model.dtype)

    def query(self, query: RatingQuery) -> tuple[np.ndarray, ...]:
        """See ExampleLosses; its rating is no part of the question."""
        return pairs_of([query]), np.zeros(1, self.dtype)

    def rows(self, batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return batch[0] + np.array([0, self._model.num_users], np.int32)

    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        errors = tf.square(self._model.predict(rows[:, 0], rows[:, 1], shared) - batch[1])
        if not self._own_decay:
            return errors
        return errors + self._own_decay / 2 * tf.reduce_sum(tf.square(rows), axis=(1, 2))

    def query_losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """The predictions, negated: a proponent of a prediction raises it, whatever its true rating."""
        return -self._model.predict(rows[:, 0], rows[:, 1], shared)


def _error_metrics(predicted: np.ndarray, values: np.ndarray) -> dict[str, float]:
    errors = predicted.astype(np.float64) - values
    return {"rmse": float(np.sqrt(np.mean(errors**2))), "mae": float(np.mean(np.abs(errors)))}
