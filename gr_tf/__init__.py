"""Training-data attribution for embedding models in TensorFlow 2."""

from gr_tf.attribution.base import Explainer, Explanation
from gr_tf.attribution.criage import Criage
from gr_tf.attribution.example_losses import Checkpoint, RatingLosses, SequenceLosses, TripleLosses
from gr_tf.attribution.fia import Fia, FiaSettings
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.queries import named_query
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.sequence_explanation import SequenceExplanation
from gr_tf.attribution.tracin import TracIn
from gr_tf.attribution.tracin_explainers import RatingTracIn, SequenceTracIn, TripleTracIn
from gr_tf.attribution.tracin_ideal import tracin_ideal
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceQuery, SequenceSet, SequenceSplit
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.prediction import tail_probability
from gr_tf.models.ranking import validation_mrr
from gr_tf.models.sequence_prediction import next_item_probability
from gr_tf.training.config import TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.rating_trainer import RatingTrainer
from gr_tf.training.sequence_config import SequenceTrainConfig
from gr_tf.training.sequence_trainer import SequenceTrainer
from gr_tf.training.trainer import Trainer, TrainingResult

__all__ = [
    "Checkpoint",
    "Criage",
    "Explainer",
    "Explanation",
    "Fia",
    "FiaSettings",
    "GradientRollback",
    "InfluenceAnalysis",
    "InputError",
    "Neighborhood",
    "Query",
    "RatingExplanation",
    "RatingLosses",
    "RatingQuery",
    "RatingSet",
    "RatingSplit",
    "RatingTracIn",
    "RatingTrainConfig",
    "RatingTrainer",
    "RollbackStore",
    "SequenceExplanation",
    "SequenceLosses",
    "SequenceQuery",
    "SequenceSet",
    "SequenceSplit",
    "SequenceTracIn",
    "SequenceTrainConfig",
    "SequenceTrainer",
    "TracIn",
    "TrainConfig",
    "Trainer",
    "TrainingError",
    "TrainingResult",
    "TripleExplanation",
    "TripleLosses",
    "TripleSet",
    "TripleTracIn",
    "load_ratings",
    "load_sequences",
    "load_triples",
    "named_query",
    "next_item_probability",
    "tail_probability",
    "tracin_ideal",
    "validation_mrr",
]
