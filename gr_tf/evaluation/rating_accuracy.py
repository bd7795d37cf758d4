"""How well ratings are predicted."""

import numpy as np

from gr_tf.data.ratings import Ratings
from gr_tf.models.rating_model import RatingModel, RatingParameters


def rating_accuracy(model: RatingModel, parameters: RatingParameters, ratings: Ratings) -> dict[str, float | None]:
    """Root mean squared error and mean absolute error, in stars; predictions are not clipped to the scale.

    None where there are no ratings.
    """
    if not len(ratings):
        return {"rmse": None, "mae": None}
    errors = model.predict_pairs(parameters, ratings.pairs).astype(np.float64) - ratings.values
    return {"rmse": float(np.sqrt(np.mean(errors**2))), "mae": float(np.mean(np.abs(errors)))}
