"""How the weight decay of a training on ratings is part of the loss."""

import dataclasses

import numpy as np

from gr_tf.data.ratings import RatingSet
from gr_tf.models.rating_model import RatingModel
from gr_tf.training.rating_config import RatingConfig
from gr_tf.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class RatingDecay:
    """The weight decay, as part of the mean loss of the training ratings: 1/2 sum of weight * square of each number.

    Adam's trainings (Cheng et al. 2019) have it once for everything. In the trainings with shares each rating has the
    decay of its own two rows, so that a row with many ratings has more of it beside the others, but as much beside its
    own ratings.

    Attributes:
        rate: wd of the configuration.
        numbers: [width], 1 where it applies in a row, else 0.
        of_rows: [num_rows], the weight of a row.
        of_network: the weight of each array of the network.
        is_own: whether each rating has the decay of its own rows.
    """

    rate: float
    numbers: np.ndarray
    of_rows: Rows
    of_network: tuple[float, ...]
    is_own: bool

    @classmethod
    def of(cls, config: RatingConfig, model: RatingModel, ratings: RatingSet) -> "RatingDecay":
        """That of a training."""
        rate = config.weight_decay
        if not config.has_shares:
            network = tuple(rate * penalty for penalty in model.network_penalty)
            return cls(rate, model.row_penalty, np.full(model.num_rows, rate), network, False)
        counts = np.bincount(model.rows_of(ratings.train.pairs).ravel(), minlength=model.num_rows)
        rows = rate * counts / ratings.num_examples
        return cls(rate, np.ones(model.width), rows, (0.0,) * len(model.network_penalty), True)
