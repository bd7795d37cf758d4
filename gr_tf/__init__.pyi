from .asking.asker import Asker
from .asking.check import check_frame, conclusion
from .asking.opening import ask, ask_given, open_run
from .asking.top_answers import check_answers, top_answers
from .asking.transfer import transfer
from .attribution.base import Explainer, Explanation, Influences
from .attribution.complete_rollback import CompleteRollback
from .attribution.criage import Criage
from .attribution.embedding_fia import EmbeddingFia
from .attribution.ensemble import Ensemble
from .attribution.fia import Fia
from .attribution.fia_settings import FiaSettings
from .attribution.gradients import Gradients, GradientSimilarity
from .attribution.influence_analysis import InfluenceAnalysis
from .attribution.methods import METHODS, explainer, methods_of, register
from .attribution.neighborhood import Neighborhood
from .attribution.replay import Replay
from .attribution.rollback import GradientRollback
from .attribution.saved import load_explanation, save_explanation
from .attribution.suspicion import suspicion
from .attribution.tracin import TracIn, TracInExplainer
from .attribution.tracin_ideal import tracin_ideal
from .attribution.triple_influence import TripleInfluence
from .data.choice_sources import load_choices
from .data.choices import ChoiceSet, ChoiceSplit
from .data.rating_sources import load_ratings
from .data.ratings import RatingQuery, RatingSet, RatingSplit
from .data.sequence_sources import load_sequences
from .data.sequences import SequenceQuery, SequenceSet, SequenceSplit
from .data.sources import load_triples
from .data.triple_split import TripleSplit
from .data.triples import Query, TripleSet
from .errors import InputError, TrainingError
from .evaluation.atlas import Atlas
from .evaluation.atlas_scores import Scoring
from .evaluation.leave_one_out import leave_one_out
from .evaluation.many_retrainings import retrain
from .evaluation.retraining import Outcome, Retraining
from .models.parameters import Parameters
from .runs.pools.chosen import retraining_on
from .tasks.alternative import Alternative
from .tasks.choices import ChoiceTask
from .tasks.keras import Examples, KerasConfig, KerasTask
from .tasks.ratings import RatingTask
from .tasks.sequences import SequenceTask
from .tasks.task import Task
from .tasks.trained import Checkpoint, Trained, train_in_memory
from .tasks.triples import TripleTask
from .training.rating_config import RatingConfig
from .training.sequence_config import SequenceConfig
from .training.triple_config import TripleConfig

__all__ = [
    "METHODS",
    "Alternative",
    "Asker",
    "Atlas",
    "Checkpoint",
    "ChoiceSet",
    "ChoiceSplit",
    "ChoiceTask",
    "CompleteRollback",
    "Criage",
    "EmbeddingFia",
    "Ensemble",
    "Examples",
    "Explainer",
    "Explanation",
    "Fia",
    "FiaSettings",
    "GradientRollback",
    "GradientSimilarity",
    "Gradients",
    "InfluenceAnalysis",
    "Influences",
    "InputError",
    "KerasConfig",
    "KerasTask",
    "Neighborhood",
    "Outcome",
    "Parameters",
    "Query",
    "RatingConfig",
    "RatingQuery",
    "RatingSet",
    "RatingSplit",
    "RatingTask",
    "Replay",
    "Retraining",
    "Scoring",
    "SequenceConfig",
    "SequenceQuery",
    "SequenceSet",
    "SequenceSplit",
    "SequenceTask",
    "Task",
    "TracIn",
    "TracInExplainer",
    "Trained",
    "TrainingError",
    "TripleConfig",
    "TripleInfluence",
    "TripleSet",
    "TripleSplit",
    "TripleTask",
    "ask",
    "ask_given",
    "check_answers",
    "check_frame",
    "conclusion",
    "explainer",
    "leave_one_out",
    "load_choices",
    "load_explanation",
    "load_ratings",
    "load_sequences",
    "load_triples",
    "methods_of",
    "open_run",
    "register",
    "retrain",
    "retraining_on",
    "save_explanation",
    "suspicion",
    "top_answers",
    "tracin_ideal",
    "train_in_memory",
    "transfer",
]

__version__: str
