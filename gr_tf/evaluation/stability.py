"""Theory of Gradient Rollback, to be checked by numbers: stability of SGD, and rolling back's error.

Lawrence et al. (2021), Lemmas 2-5 and Theorems 1 and 2, after Hardt, Recht and Singer (2016), "Train
faster, generalize better". With embedding norms of at most C, DistMult's score is 2 C^2-Lipschitz
(Lemma 2) and 4 C-smooth (Lemma 3).

The theorems speak of a function f with values in [0, 1] that SGD minimizes. Here f(w; d) =
sigmoid(-score(w; d)), the probability by which the model denies the triple d. The sigmoid's first
two derivatives are at most 1/4 and 1/(6 sqrt(3)), so that f is C^2/2-Lipschitz and
(C + (2 C^2)^2 / (6 sqrt(3)))-smooth.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.models.distmult import DistMult
from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import tf
from gr_tf.runs.progress import progress
from gr_tf.types import Tensor

_SIGMOID_FIRST = 1 / 4
_SIGMOID_SECOND = 1 / (6 * math.sqrt(3))
# Points of a curve in the result.
_POINTS = 120


@dataclasses.dataclass(frozen=True)
class Constants:
    """Of a function of the parameters.

    Attributes:
        lipschitz: L, |f(w) - f(w')| <= L ||w - w'||.
        smoothness: beta, ||grad f(w) - grad f(w')|| <= beta ||w - w'||.
    """

    lipschitz: float
    smoothness: float


def score_constants(max_norm: float) -> Constants:
    """Of DistMult's score where every embedding's norm is at most max_norm (Lemmas 2 and 3).

    For triples of three rows: a triple whose head is its tail has the slope sqrt(5) C^2.
    """
    return Constants(2 * max_norm**2, 4 * max_norm)


def denial_constants(max_norm: float) -> Constants:
    """Of f = sigmoid(-score), by the chain rule from `score_constants`."""
    score = score_constants(max_norm)
    return Constants(
        _SIGMOID_FIRST * score.lipschitz,
        _SIGMOID_FIRST * score.smoothness + _SIGMOID_SECOND * score.lipschitz**2,
    )


def stability_bound(constants: Constants, rate: float, num_steps: int, num_examples: int) -> float:
    """Lambda_stab-nc of Theorem 1: by how much f may differ, in expectation, after SGD with and without a triple.

    (1 + 1/(beta c)) / (n - 1) * (c L^2)^(1/(beta c + 1)) * T^(beta c/(beta c + 1)), for step
    sizes of at most c/t; by Theorem 2 also by how much rolling back may be wrong.

    Args:
        constants: of f, with values in [0, 1].
        rate: c.
        num_steps: T.
        num_examples: n, with the triple.
    """
    expansion = constants.smoothness * rate
    return (
        (1 + 1 / expansion)
        / (num_examples - 1)
        * (rate * constants.lipschitz**2) ** (1 / (expansion + 1))
        * num_steps ** (expansion / (expansion + 1))
    )


@dataclasses.dataclass(frozen=True, eq=False)
class CoupledRun:
    """SGD on D and on D without one triple, with the same draws.

    Attributes:
        apart: [T], ||w - w'|| after each step.
        rolled_back_apart: [T], ||w - gamma - w'||, gamma the changes that the triple's own steps made to
            its three rows.
        max_norm: the largest norm of an embedding in either run: C.
        differences: [n], |f(w; d) - f(w'; d)| in the end, for the training triples d that share an element
            with the removed one, itself included.
        rolled_back_differences: [n], |f(w - gamma; d) - f(w'; d)|.
    """

    apart: np.ndarray
    rolled_back_apart: np.ndarray
    max_norm: float
    differences: np.ndarray
    rolled_back_differences: np.ndarray


def coupled_run(
    model: FactorModel, triples: TripleSet, initial_table: np.ndarray, order: np.ndarray, removed: int, rate: float
) -> CoupledRun:
    """Trains twice by SGD on f with step sizes c/t, with and without one triple.

    Args:
        model: DistMult, for the constants to hold; any factor model runs.
        triples: the dataset.
        initial_table: [num_rows, width], of both runs.
        order: [T], the example id that each step draws; in the second run, steps that draw the
            removed one do nothing.
        removed: the example id.
        rate: c.
    """
    rows = model.rows_of(triples.train)
    denials = _denials(model)
    whole, without, caused, apart, rolled_back_apart, max_norm = _steps(model)(
        tf.constant(initial_table),
        tf.constant(rows[order]),
        tf.constant(order == removed),
        tf.constant(rate, tf.float64),
    )
    near = (rows == rows[removed]) | (rows == rows[removed][[2, 1, 0]])
    adjacent = rows[near.any(axis=1)]
    after, rolled_back, retrained = (denials(table, adjacent).numpy() for table in (whole, whole - caused, without))
    return CoupledRun(
        apart.numpy(),
        rolled_back_apart.numpy(),
        float(max_norm),
        np.abs(after - retrained),
        np.abs(rolled_back - retrained),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class DistanceBounds:
    """What the theory allows for one order of steps.

    Attributes:
        apart: [T], for ||w - w'||.
        rolled_back_apart: [T], for ||w - gamma - w'||.
    """

    apart: np.ndarray
    rolled_back_apart: np.ndarray


def distance_bounds(order: np.ndarray, removed: int, constants: Constants, rate: float) -> DistanceBounds:
    """The recurrences in the proof of Lemma 5, along one order of steps instead of in expectation.

    A step on the removed triple adds alpha L to the first and nothing to the second; any other
    multiplies the first by 1 + alpha beta and adds alpha beta times the first to the second (Lemma 4).

    Args:
        order: [T], the example id that each step draws.
        removed: the example id.
        constants: of f.
        rate: c.
    """
    apart = rolled_back = 0.0
    bounds = np.empty((2, len(order)))
    for t, is_removed in enumerate(order == removed):
        size = rate / (t + 1)
        if is_removed:
            apart += size * constants.lipschitz
        else:
            rolled_back += size * constants.smoothness * apart
            apart *= 1 + size * constants.smoothness
        bounds[:, t] = apart, rolled_back
    return DistanceBounds(*bounds)


def measure(triples: TripleSet, *, dim: int, rate: float, epochs: int, num_removed: int, seed: int) -> dict[str, Any]:
    """Coupled runs without random triples, one at a time, and the bounds on them: the numbers of a table and a figure.

    Args:
        triples: the dataset.
        dim: number of factors.
        rate: c.
        epochs: steps over training triples.
        num_removed: coupled runs.
        seed: of everything random.

    Raises:
        InputError: if a training triple has one entity only.
    """
    loops = np.flatnonzero(triples.train[:, 0] == triples.train[:, 2])
    if len(loops):
        raise InputError(
            f"the lemmas' constants are for triples of two entities; training triple {loops[0]} has one "
            f"(as have {len(loops) - 1} others)."
        )
    model = DistMult(len(triples.entities), len(triples.relations), dim)
    n = triples.num_examples
    runs, orders = [], []
    with progress("coupled runs", num_removed) as bar:
        for i in range(num_removed):
            generator = np.random.default_rng([seed, i])
            # Norm 1: from the usual small values, SGD with such step sizes would not get away.
            table = generator.normal(size=(model.num_rows, model.width))
            table /= np.linalg.norm(table, axis=1, keepdims=True)
            order = generator.integers(n, size=epochs * n)
            removed = int(generator.integers(n))
            runs.append(coupled_run(model, triples, table, order, removed, rate))
            orders.append((order, removed))
            bar.advance()
    max_norm = max(run.max_norm for run in runs)
    constants = denial_constants(max_norm)
    bounds = [distance_bounds(order, removed, constants, rate) for order, removed in orders]
    curves = {
        "apart": [run.apart for run in runs],
        "rolled_back_apart": [run.rolled_back_apart for run in runs],
        "bound_apart": [bound.apart for bound in bounds],
        "bound_rolled_back_apart": [bound.rolled_back_apart for bound in bounds],
    }
    steps = np.unique(np.geomspace(1, epochs * n, _POINTS).astype(int))
    return {
        "dataset": triples.name,
        "max_norm": max_norm,
        "lipschitz": constants.lipschitz,
        "smoothness": constants.smoothness,
        "num_examples": n,
        "num_steps": epochs * n,
        "num_removed": num_removed,
        "theorem_bound": stability_bound(constants, rate, epochs * n, n),
        "mean_difference": float(np.mean([run.differences.mean() for run in runs])),
        "max_difference": float(max(run.differences.max() for run in runs)),
        "mean_rolled_back_difference": float(np.mean([run.rolled_back_differences.mean() for run in runs])),
        "max_rolled_back_difference": float(max(run.rolled_back_differences.max() for run in runs)),
        "share_of_distance_left": float(
            np.mean([run.rolled_back_apart[-1] for run in runs]) / np.mean([run.apart[-1] for run in runs])
        ),
        "rolled_back_is_nearer": float(np.mean([run.rolled_back_apart[-1] < run.apart[-1] for run in runs])),
        "share_of_steps_within_bounds": {
            name: _share_held(curves[name], curves[f"bound_{name}"]) for name in ("apart", "rolled_back_apart")
        },
        "steps": steps.tolist(),
        "curves": {name: np.mean(values, axis=0)[steps - 1].tolist() for name, values in curves.items()},
    }


def _share_held(distances: list[np.ndarray], bounds: list[np.ndarray]) -> float:
    """The share of all steps at which a distance is within its bound, up to rounding."""
    return float(np.mean([np.mean(d <= b + 1e-12) for d, b in zip(distances, bounds, strict=True)]))


@functools.cache
def _denials(model: FactorModel) -> Callable[[Tensor, np.ndarray], Tensor]:
    """The function (table, rows [n, 3]) -> f [n]."""

    def run(table: Tensor, rows: Tensor) -> Tensor:
        parts = tf.gather(table, rows)
        return tf.sigmoid(-model.score(parts[:, 0], parts[:, 1], parts[:, 2]))

    compiled: Callable[..., Tensor] = tf.function(run, reduce_retracing=True)
    return compiled


@functools.cache
def _steps(model: FactorModel) -> Callable[..., tuple[Tensor, ...]]:
    """The compiled function that does all steps of a coupled run."""

    def gradient(table: Tensor, rows: Tensor) -> Tensor:
        parts = tf.gather(table, rows)
        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = tf.sigmoid(-model.score(parts[0], parts[1], parts[2]))
        return tf.tensor_scatter_nd_add(tf.zeros_like(table), rows[:, None], tape.gradient(value, parts))

    def largest_norm(table: Tensor) -> Tensor:
        return tf.reduce_max(tf.norm(table, axis=-1))

    def run(initial: Tensor, rows: Tensor, is_removed: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        num_steps = tf.shape(rows)[0]
        distances = tf.zeros([num_steps, 2], initial.dtype)

        def body(
            t: Tensor, whole: Tensor, without: Tensor, caused: Tensor, distances: Tensor, norm: Tensor
        ) -> tuple[Tensor, ...]:
            now, skipped = tf.gather(rows, t), tf.cast(tf.gather(is_removed, t), initial.dtype)
            size = rate / tf.cast(t + 1, initial.dtype)
            change = -size * gradient(whole, now)
            whole += change
            without -= (1 - skipped) * size * gradient(without, now)
            caused += skipped * change
            pair = tf.stack([tf.norm(whole - without), tf.norm(whole - caused - without)])
            distances = tf.tensor_scatter_nd_update(distances, [[t]], pair[None])
            norm = tf.reduce_max(tf.stack([norm, largest_norm(whole), largest_norm(without)]))
            return t + 1, whole, without, caused, distances, norm

        _, whole, without, caused, distances, norm = tf.while_loop(
            lambda t, *_: t < num_steps,
            body,
            (tf.constant(0), initial, initial, tf.zeros_like(initial), distances, largest_norm(initial)),
        )
        return whole, without, caused, distances[:, 0], distances[:, 1], norm

    compiled: Callable[..., tuple[Tensor, ...]] = tf.function(run, jit_compile=True)
    return compiled
