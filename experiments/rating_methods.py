"""The methods for ratings whose faithfulness is measured, on one trained model."""

from collections.abc import Sequence

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.attribution.rating_neighborhood import RatingNeighborhood
from gr_tf.attribution.tracin_explainers import RatingTracIn
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.models.rating_model import RatingParameters
from gr_tf.training.rating_config import RatingTrainConfig

RatingExplainer = Explainer[RatingQuery, RatingExplanation]


def explainers(
    ratings: RatingSet,
    config: RatingTrainConfig,
    parameters: RatingParameters,
    checkpoints: Sequence[RatingParameters] = (),
) -> dict[str, RatingExplainer]:
    """The methods, by name, all in float64.

    Args:
        ratings: the dataset.
        config: of the training; its seed is also that of NH's random order.
        parameters: the trained ones.
        checkpoints: of the training, the last after its last step; of TracInCP, if there are some.
    """
    exact, decay = config.make_model(ratings, "float64"), config.weight_decay
    parameters = parameters.astype("float64")

    def tracin(at: Sequence[RatingParameters]) -> RatingTracIn:
        return RatingTracIn(
            exact, [Checkpoint.of(part.astype("float64"), config.learning_rate) for part in at], ratings
        )

    return {
        "NH": RatingNeighborhood(exact, parameters, ratings, config.seed),
        "FIA, published decay": Fia(exact, parameters, ratings, decay),
        "FIA, decay as trained": Fia(exact, parameters, ratings, decay, FiaSettings(decay="trained")),
        "IA": InfluenceAnalysis(exact, parameters, ratings, decay),
        "TracIn": tracin([parameters]),
        **({"TracInCP": tracin(checkpoints)} if checkpoints else {}),
    }
