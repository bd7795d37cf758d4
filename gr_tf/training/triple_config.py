"""The settings of one training on triples."""

import dataclasses
import itertools
import types
from typing import Any

import numpy as np

from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError, argument
from gr_tf.models.factor_model import BilinearModel, FactorModel
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.settings import LONG_SEED, RATE, Range, Settings
from gr_tf.training.batch_kernel import Objective
from gr_tf.training.constraints import CONSTRAINTS
from gr_tf.training.dtypes import DTYPES
from gr_tf.training.losses import LOSSES
from gr_tf.training.optimizers import Adam, Optimizer, Sgd
from gr_tf.training.row_optimizers import RowAdagrad, RowAdamShares, RowOptimizer, RowSgd

OPTIMIZERS = ("adam", "sgd", "adagrad")
# What an answer competes with in a batch: candidates that the batch draws, or all entities, where each triple counts
# once (1vsAll), or each question (head, relation, ?) does (KvsAll with cross-entropy).
CANDIDATES = ("drawn", "1vsall", "kvsall")
# How steps are computed: the whole table, or the rows they touch (BUILD_NOTES, "Row Adam").
STEPS = ("auto", "dense", "rows")
RELEASED_DECAY_RATE = 0.96
# Settings that only the paper's steps have, and those that came with batches.
PAPERS_ONLY = ("learning_rate_rule", "float32_hyperparameters", "constraint", "steps")
BATCHES_ONLY = ("reciprocal", "candidates", "dropout", "penalty", "label_smoothing")
_NEW = (*BATCHES_ONLY, "batch_size", "penalty_power", "patience")

# How the learning rate develops (BUILD_NOTES, "Learning rate of the authors' run").
LEARNING_RATE_RULES = ("constant", "decay", "released")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TripleConfig(Settings):
    """One training run; the defaults are those of Nations (Lawrence et al. 2021).

    Attributes:
        model: how a triple is scored.
        loss: over the candidates of a step.
        dim: number of factors of a row.
        num_negatives: random candidates of a step beside the true tail; in batches all triples of a batch share them.
        epochs: passes over the training triples.
        batch_size: triples of a step; 1 with adam or sgd: the paper's steps, in file order. Batches are random.
        optimizer: adam, sgd as in the paper's theory, or adagrad.
        learning_rate: of the optimizer.
        learning_rate_rule: constant: the same in every step, as the authors' runs; decay: times
            0.96^(step/1000), as the paper's text; released: constant, but 0.96^(k/1000) lower when the first k
            training triples are removed.
        float32_hyperparameters: round Adam's betas and learning rate to float32, as in the authors' run.
        dtype: precision.
        constraint: on the norms of the rows, after every step; needs dense steps.
        steps: compute the whole table (dense), the rows that a step touches (rows), or whichever is faster (auto).
        reciprocal: give each relation a second row that predicts heads, and train in both directions; in batches.
        candidates: of a batch: num_negatives drawn ones (drawn), or all entities, where each triple counts once
            (1vsall), or each question does (kvsall).
        dropout: share of the query vector's numbers that is left out at random; in batches.
        penalty: times the sum of |x|^penalty_power over the rows of head, relation, and tail is added to the loss of
            a triple, in each direction; in batches.
        penalty_power: 2 is L2, 3 is N3 (Lacroix et al. 2018).
        label_smoothing: share of the label that all candidates have together; in batches.
        patience: end after so many epochs without a better validation MRR; default: do all epochs.
        seed: of the initial values, and of the batches' order.
        negatives_seed: of the random candidates; 0 is the authors' own draw in the paper's steps.
    """

    model: str = "distmult"
    loss: str = "softmax"
    dim: int = 10
    num_negatives: int = 13
    epochs: int = 10
    batch_size: int = 1
    optimizer: str = "adam"
    learning_rate: float = 0.003
    learning_rate_rule: str = "constant"
    float32_hyperparameters: bool = False
    dtype: str = "float64"
    constraint: str = "none"
    steps: str = "auto"
    reciprocal: bool = False
    candidates: str = "drawn"
    dropout: float = 0.0
    penalty: float = 0.0
    penalty_power: int = 3
    label_smoothing: float = 0.0
    patience: int | None = None
    seed: int = 0
    negatives_seed: int = 0

    choices = types.MappingProxyType(
        {
            "model": MODELS,
            "loss": LOSSES,
            "optimizer": OPTIMIZERS,
            "constraint": CONSTRAINTS,
            "steps": STEPS,
            "learning_rate_rule": LEARNING_RATE_RULES,
            "dtype": DTYPES,
            "candidates": CANDIDATES,
        }
    )
    ranges = types.MappingProxyType(
        {
            "dim": Range(1, 1 << 14),
            "num_negatives": Range(1, 1 << 16),
            "epochs": Range(1, 1 << 20),
            "batch_size": Range(1, 1 << 20),
            "dropout": Range(0, 0.99),
            "penalty": Range(0),
            "penalty_power": Range(2, 3),
            "label_smoothing": Range(0, 0.99),
            "patience": Range(1),
            "seed": LONG_SEED,
            "negatives_seed": LONG_SEED,
            "learning_rate": RATE,
        }
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.constraint != "none" and self.steps == "rows":
            told = argument("constraint", self.constraint)
            raise InputError(f"{told} moves every row at every step: it needs {argument('steps', 'dense')}.")
        if self.optimizer == "sgd" and self.steps == "rows":
            raise InputError(f"{argument('steps', 'rows')} is for optimizer 'adam'.")
        if self.optimizer == "sgd" and self.learning_rate_rule == "decay":
            raise InputError(f"{argument('learning_rate_rule', 'decay')} is for optimizer 'adam'.")
        self._check_batches()

    def to_dict(self) -> dict[str, Any]:
        """See Settings; settings of batches that have their default are left out, as before there were any."""
        return {name: value for name, value in super().to_dict().items() if self._is_told(name)}

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.names() if self._is_told(name))
        return f"{type(self).__name__}({told})"

    def _is_told(self, name: str) -> bool:
        return name not in _NEW or getattr(self, name) != getattr(type(self), name)

    @property
    def in_batches(self) -> bool:
        """Whether training is in random batches; else by the paper's steps, in file order."""
        return self.batch_size > 1 or self.optimizer == "adagrad" or self.reciprocal

    def _check_batches(self) -> None:
        """
        Raises:
            InputError: if a setting is for the paper's steps, or for batches only.
        """
        for name in PAPERS_ONLY if self.in_batches else BATCHES_ONLY[1:]:
            value = getattr(self, name)
            if value != getattr(type(self), name):
                of_paper = "the paper's steps: batch_size 1, optimizer adam or sgd, and no reciprocal relations"
                of_batches = "training in batches: name a batch_size above 1, or optimizer adagrad"
                raise InputError(f"{argument(name, value)} is for {of_paper if self.in_batches else of_batches}.")
        if self.dropout and not issubclass(MODELS[self.model], BilinearModel):
            raise InputError(f"{argument('dropout')} is of the query vector, which {self.model} does not have.")
        if self.label_smoothing and self.loss != "softmax":
            raise InputError(f"{argument('label_smoothing')} is for loss 'softmax'; got {self.loss!r}.")
        if self.candidates == "kvsall" and self.loss != "softmax":
            raise InputError(f"{argument('candidates', 'kvsall')} is for loss 'softmax'; got {self.loss!r}.")

    def make_model(self, triples: TripleSet) -> FactorModel:
        """The model of this configuration for the vocabulary of a dataset."""
        sizes = len(triples.entities), len(triples.relations), self.dim
        return MODELS[self.model](*sizes, triples.candidates, self.reciprocal)

    def make_objective(self, model: FactorModel) -> Objective:
        """What a batch minimises."""
        return Objective(
            model, self.loss, self.dtype, self.dropout, self.penalty, self.penalty_power, self.label_smoothing
        )

    def make_row_optimizer(self, num_steps: int) -> RowOptimizer:
        """The optimizer of a training of so many batches."""
        if self.optimizer == "adam":
            return RowAdamShares(self.dtype, num_steps)
        return RowSgd() if self.optimizer == "sgd" else RowAdagrad()

    def make_optimizer(self) -> Optimizer:
        """The optimizer of this configuration."""
        if self.optimizer == "sgd":
            return Sgd()
        adam = Adam(decay_rate=RELEASED_DECAY_RATE if self.learning_rate_rule == "decay" else 1.0)
        return adam.with_float32_hyperparameters() if self.float32_hyperparameters else adam

    def initial_learning_rate(self, removed: np.ndarray) -> float:
        """The rate of the first step of a run that skips the example ids `removed`.

        The authors' program evaluated its decaying rate once, at the first step it did.
        """
        number = np.float32 if self.float32_hyperparameters else np.float64
        rate = number(self.learning_rate)
        if self.learning_rate_rule == "released":
            rate *= number(RELEASED_DECAY_RATE) ** (number(first_kept(removed)) / number(1000))
        return float(rate)


# What differs from Nations' settings, by dataset (spec of Lawrence et al. 2021; precision is ours).
PRESETS: dict[str, dict[str, Any]] = {
    "nations": {},
    "fb15k237": {"dim": 100, "num_negatives": 500, "epochs": 1, "dtype": "float32"},
    "movielens": {
        "dim": 200,
        "num_negatives": 500,
        "epochs": 1,
        "dtype": "float32",
        "loss": "sigmoid",
        "learning_rate": 0.001,  # BUILD_NOTES, "MovieLens' learning rate"
    },
}


def first_kept(removed: np.ndarray) -> int:
    """The smallest example id that is not removed."""
    gone = set(removed.tolist())
    return next(example_id for example_id in itertools.count() if example_id not in gone)
