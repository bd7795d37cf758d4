"""The true effect of training examples on some predictions: train again without each in turn."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gr_tf.data.triples import Query
from gr_tf.evaluation.retraining import in_threads, retrain_without
from gr_tf.models.prediction import tail_probabilities
from gr_tf.training.single_rating_trainer import SingleRatingTrainer
from gr_tf.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class LeaveOneOut:
    """The predictions of one training with everything and of one without each example.

    Attributes:
        whole: [num_queries], with all examples: p(tail | head, relation), or the predicted rating.
        without: [num_queries, num_examples], without each.
    """

    whole: np.ndarray
    without: np.ndarray

    @property
    def effects(self) -> np.ndarray:
        """[num_queries, num_examples]: how much higher the example makes the prediction."""
        effects: np.ndarray = self.whole[:, None] - self.without
        return effects


def leave_one_out(
    trainer: Trainer,
    queries: Sequence[Query],
    jobs: int,
    on_retrained: Callable[[], object] | None = None,
) -> LeaveOneOut:
    """Trains num_examples + 1 times from the same initial values, each for all epochs of the configuration.

    Args:
        trainer: of the model.
        queries: whose probabilities are measured.
        jobs: trainings at a time; they change no result.
        on_retrained: called after each training.

    Raises:
        InputError: if jobs is below 1.
    """
    removals = [np.array([example_id]) for example_id in range(trainer.triples.num_examples)]
    removals.append(np.array([], np.int64))

    def measure(place: int, table: np.ndarray) -> tuple[int, np.ndarray]:
        return place, tail_probabilities(trainer.model, table, queries)

    measured = np.empty((len(queries), len(removals)))
    for place, probabilities in retrain_without(trainer, trainer.config.epochs, removals, measure, jobs):
        measured[:, place] = probabilities
        if on_retrained is not None:
            on_retrained()
    return LeaveOneOut(measured[:, -1], measured[:, :-1])


def leave_one_rating_out(
    trainer: SingleRatingTrainer,
    pairs: np.ndarray,
    example_ids: np.ndarray,
    jobs: int,
    on_retrained: Callable[[], object] | None = None,
) -> LeaveOneOut:
    """Trains len(example_ids) + 1 times from the same initial values, in the same order of ratings.

    Args:
        trainer: of the model.
        pairs: [num_queries, 2], (user, item), whose predictions are measured.
        example_ids: [num_examples], of the ratings to leave out.
        jobs, on_retrained: see leave_one_out.

    Raises:
        InputError: if jobs is below 1, or an example id is out of range.
    """
    removals = [example_ids[:0], *(example_ids[place : place + 1] for place in range(len(example_ids)))]

    exact = trainer.config.make_model(trainer.ratings, "float64")

    def train(place: int) -> tuple[int, np.ndarray]:
        return place, exact.predict_pairs(trainer.run(removed=removals[place]), pairs)

    measured = np.empty((len(pairs), len(removals)))
    for place, predictions in in_threads(train, range(len(removals)), jobs):
        measured[:, place] = predictions
        if on_retrained is not None:
            on_retrained()
    return LeaveOneOut(measured[:, 0], measured[:, 1:])
