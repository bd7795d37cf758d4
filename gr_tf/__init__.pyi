from .asking.check import check_frame, conclusion
from .asking.opening import ask
from .attribution.base import Explainer, Explanation
from .attribution.complete_rollback import CompleteRollback
from .attribution.criage import Criage
from .attribution.ensemble import Ensemble
from .attribution.example_losses import Checkpoint, RatingLosses, SequenceLosses, TripleLosses
from .attribution.fia import Fia
from .attribution.fia_settings import FiaSettings
from .attribution.influence_analysis import InfluenceAnalysis
from .attribution.keras_models import Examples, KerasFia, KerasTracIn
from .attribution.neighborhood import Neighborhood
from .attribution.queries import named_query
from .attribution.rating_explanation import RatingExplanation
from .attribution.rating_neighborhood import RatingNeighborhood
from .attribution.rating_rollback import RatingRollback
from .attribution.replay import Replay
from .attribution.rollback import GradientRollback
from .attribution.rollback_store import RollbackStore
from .attribution.saved import load_explanation, save_explanation
from .attribution.sequence_explanation import SequenceExplanation
from .attribution.tracin import TracIn
from .attribution.tracin_explainers import RatingTracIn, SequenceTracIn, TripleTracIn
from .attribution.tracin_ideal import tracin_ideal
from .attribution.triple_explanation import TripleExplanation
from .attribution.triple_gradients import GradientSimilarity, TripleGradients, TripleInfluence
from .data.rating_sources import load_ratings
from .data.ratings import RatingQuery, RatingSet, RatingSplit
from .data.sequence_sources import load_sequences
from .data.sequences import SequenceQuery, SequenceSet, SequenceSplit
from .data.sources import load_triples
from .data.triples import Query, TripleSet
from .errors import InputError, TrainingError
from .evaluation.atlas import Atlas
from .models.prediction import tail_probability
from .models.ranking import validation_mrr
from .models.sequence_prediction import next_item_probability
from .training.config import TrainConfig
from .training.rating_config import RatingTrainConfig
from .training.rating_trainer import RatingTrainer
from .training.sequence_config import SequenceTrainConfig
from .training.sequence_trainer import SequenceTrainer
from .training.single_rating_trainer import SingleRatingTrainer
from .training.trainer import Trainer, TrainingResult

__all__ = [
    "Atlas",
    "Checkpoint",
    "CompleteRollback",
    "Criage",
    "Ensemble",
    "Examples",
    "Explainer",
    "Explanation",
    "Fia",
    "FiaSettings",
    "GradientRollback",
    "GradientSimilarity",
    "InfluenceAnalysis",
    "InputError",
    "KerasFia",
    "KerasTracIn",
    "Neighborhood",
    "Query",
    "RatingExplanation",
    "RatingLosses",
    "RatingNeighborhood",
    "RatingQuery",
    "RatingRollback",
    "RatingSet",
    "RatingSplit",
    "RatingTracIn",
    "RatingTrainConfig",
    "RatingTrainer",
    "Replay",
    "RollbackStore",
    "SequenceExplanation",
    "SequenceLosses",
    "SequenceQuery",
    "SequenceSet",
    "SequenceSplit",
    "SequenceTracIn",
    "SequenceTrainConfig",
    "SequenceTrainer",
    "SingleRatingTrainer",
    "TracIn",
    "TrainConfig",
    "Trainer",
    "TrainingError",
    "TrainingResult",
    "TripleExplanation",
    "TripleGradients",
    "TripleInfluence",
    "TripleLosses",
    "TripleSet",
    "TripleTracIn",
    "ask",
    "check_frame",
    "conclusion",
    "load_explanation",
    "load_ratings",
    "load_sequences",
    "load_triples",
    "named_query",
    "next_item_probability",
    "save_explanation",
    "tail_probability",
    "tracin_ideal",
    "validation_mrr",
]
