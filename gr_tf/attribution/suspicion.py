"""Which training examples look like mistakes: scores [num_examples], high for the suspicious.

By self-influence (Koh and Liang 2017; Pruthi et al. 2020, Section 4: a mislabeled example is what mostly
lowers its own loss), by harm to the validation examples, or by loss, what one would do without attribution.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.example_losses import Checkpoint, RatingLosses, TripleLosses
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.tracin import TracIn
from gr_tf.errors import InputError
from gr_tf.models.rating_model import RatingModel, RatingParameters
from gr_tf.training.rating_trainer import RatingTrainer
from gr_tf.training.trainer import Trainer

GRAPH_SCORES: Mapping[str, str] = types.MappingProxyType(
    {
        "gr": "self-influence by Gradient Rollback: the fall of its own log-probability",
        "tracin": "self-influence by TracIn: the squared norm of its gradient",
        "harm": "how much it raises the mean loss of the validation triples, by TracIn",
        "loss": "its loss, without attribution",
    }
)
RATING_SCORES: Mapping[str, str] = types.MappingProxyType(
    {
        "fia": "self-influence by FIA: how much larger its own squared error would be without it",
        "tracin": "self-influence by TracIn: the squared norm of its gradient",
        "harm": "how much it raises the mean squared error of the validation ratings, by TracIn",
        "loss": "its squared error, without attribution",
    }
)


def graph_suspicion(trainer: Trainer, table: np.ndarray, deltas: np.ndarray) -> Callable[[str], np.ndarray]:
    """Scores of training triples by a key of GRAPH_SCORES.

    Args:
        trainer: of the model.
        table: [num_rows, width], its parameters.
        deltas: [num_examples, 3, width], the rollback store of the same epoch.
    """
    triples, config = trainer.triples, trainer.config
    losses = TripleLosses(trainer.model, triples, config, table.dtype.name)
    tracin = TracIn(losses, [Checkpoint.of(table, config.learning_rate)])

    def scores(name: str) -> np.ndarray:
        if name == "gr":
            explainer = GradientRollback(trainer.model, table, deltas, triples)
            before, after = explainer.own_probabilities(np.arange(triples.num_examples))
            # Not the fall of the probability: that of a wrong tail is small to begin with (BUILD_NOTES 76).
            return np.log(before) - np.log(after)
        return _by_tracin(tracin, name, losses.with_candidates(triples.valid))

    return scores


def rating_suspicion(trainer: RatingTrainer, parameters: RatingParameters) -> Callable[[str], np.ndarray]:
    """Scores of training ratings by a key of RATING_SCORES.

    Args:
        trainer: of the model.
        parameters: the trained ones.
    """
    ratings, config = trainer.ratings, trainer.config
    model: RatingModel = config.make_model(ratings, "float64")
    losses = _SquaredErrors(model, ratings)
    tracin = TracIn(losses, [Checkpoint.of(parameters.astype("float64"), config.learning_rate)])

    def scores(name: str) -> np.ndarray:
        if name == "fia":
            fia = Fia(model, parameters, ratings, config.weight_decay, FiaSettings(decay="trained"))
            own = fia.self_influence(np.arange(ratings.num_examples))
            errors = model.predict_pairs(parameters.astype("float64"), ratings.train.pairs) - ratings.train.values
            return (errors - own) ** 2 - errors**2
        return _by_tracin(tracin, name, (ratings.valid.pairs, ratings.valid.values))

    return scores


def _by_tracin(tracin: TracIn, name: str, validation: tuple[np.ndarray, ...]) -> np.ndarray:
    if name == "tracin":
        return tracin.self_influences()
    if name == "loss":
        return tracin.training_losses()
    count = len(validation[0])
    if not count:
        raise InputError("harm is to the validation examples, and there are none.")
    return -tracin.influences(validation, np.full(count, 1 / count))


class _SquaredErrors(RatingLosses):
    """RatingLosses whose queries are ratings, not predictions."""

    def query_losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return self.losses(rows, shared, batch)
