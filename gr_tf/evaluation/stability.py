"""Checks the theory of Gradient Rollback by numbers: the stability of SGD, and the error of rolling back.

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
# How many points a curve has in the result.
_POINTS = 120


@dataclasses.dataclass(frozen=True)
class Constants:
    """Constants of a function of the parameters.

    Attributes:
        lipschitz: L, |f(w) - f(w')| <= L ||w - w'||.
        smoothness: beta, ||grad f(w) - grad f(w')|| <= beta ||w - w'||.
    """

    lipschitz: float
    smoothness: float


def score_constants(max_norm: float) -> Constants:
    """The constants of DistMult's score where every embedding's norm is at most max_norm (Lemmas 2 and 3).

    They hold for triples of three rows: a triple whose head is its tail has the slope sqrt(5) C^2.
    """
    return Constants(2 * max_norm**2, 4 * max_norm)


def denial_constants(max_norm: float) -> Constants:
    """The constants of f = sigmoid(-score), by the chain rule from `score_constants`."""
    score = score_constants(max_norm)
    return Constants(
        _SIGMOID_FIRST * score.lipschitz, _SIGMOID_FIRST * score.smoothness + _SIGMOID_SECOND * score.lipschitz**2
    )


def stability_bound(constants: Constants, rate: float, num_steps: int, num_examples: int) -> float:
    """Lambda_stab-nc of Theorem 1: how much f may differ, in expectation, after SGD with and without a triple.

    It is (1 + 1/(beta c)) / (n - 1) * (c L^2)^(1/(beta c + 1)) * T^(beta c/(beta c + 1)), for step sizes of at most
    c/t. By Theorem 2 it also bounds the error of rolling back.

    Args:
        constants: the constants of f, whose values are in [0, 1].
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
        distances: [T, 2], after each step: ||w - w'||, and ||w - gamma - w'||, where gamma is what the triple's own
            steps changed in its three rows.
        max_norm: C, the largest norm of an embedding in either run.
        differences: [n, 2], at the end: |f(w; d) - f(w'; d)|, and |f(w - gamma; d) - f(w'; d)|, for the training
            triples d that share an element with the removed one, which is one of them.
    """

    distances: np.ndarray
    max_norm: float
    differences: np.ndarray


def coupled_run(
    model: FactorModel, triples: TripleSet, initial_table: np.ndarray, order: np.ndarray, removed: int, rate: float
) -> CoupledRun:
    """Trains twice by SGD on f with step sizes c/t, with and without one triple.

    Args:
        model: a factor model; the constants hold for DistMult only.
        triples: the dataset.
        initial_table: [num_rows, width], the initial values of both runs.
        order: [T], the example id that each step draws; in the second run, steps that draw the
            removed one do nothing.
        removed: the example id.
        rate: c.
    """
    rows = model.rows_of(triples.train)
    whole, without, caused, distances, max_norm = _steps(model)(
        tf.constant(initial_table),
        tf.constant(rows[order]),
        tf.constant(order == removed),
        tf.constant(rate, tf.float64),
    )
    near = (rows == rows[removed]) | (rows == rows[removed][[2, 1, 0]])
    adjacent = rows[near.any(axis=1)]
    after, rolled_back, retrained = (
        _denial(model, tf.gather(table, adjacent)).numpy() for table in (whole, whole - caused, without)
    )
    differences = np.abs(np.stack([after, rolled_back], axis=1) - retrained[:, None])
    return CoupledRun(distances.numpy(), float(max_norm), differences)


def distance_bounds(order: np.ndarray, removed: int, constants: Constants, rate: float) -> np.ndarray:
    """The bounds of the theory on the distances [T, 2] of a CoupledRun.

    They follow the recurrences in the proof of Lemma 5, along one order of steps instead of in expectation: a step on
    the removed triple adds alpha L to the first and nothing to the second; any other step multiplies the first by
    1 + alpha beta and adds alpha beta times the first to the second (Lemma 4).

    Args:
        order: [T], the example id that each step draws.
        removed: the example id.
        constants: the constants of f.
        rate: c.
    """
    apart = rolled_back = 0.0
    bounds = np.empty((len(order), 2))
    for t, is_removed in enumerate(order == removed):
        size = rate / (t + 1)
        if is_removed:
            apart += size * constants.lipschitz
        else:
            rolled_back += size * constants.smoothness * apart
            apart *= 1 + size * constants.smoothness
        bounds[t] = apart, rolled_back
    return bounds


def measure(triples: TripleSet, *, dim: int, rate: float, epochs: int, num_removed: int, seed: int) -> dict[str, Any]:
    """Does coupled runs without random triples, one at a time: the numbers of a table and a figure, with their bounds.

    Args:
        triples: the dataset.
        dim: number of factors.
        rate: c.
        epochs: the number of steps divided by the number of training triples.
        num_removed: how many coupled runs to do.
        seed: the seed of everything random.

    Raises:
        InputError: if the head of a training triple is also its tail.
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
            # Rows start with norm 1: SGD with such step sizes would never leave the usual small values.
            table = generator.normal(size=(model.num_rows, model.width))
            table /= np.linalg.norm(table, axis=1, keepdims=True)
            order = generator.integers(n, size=epochs * n)
            orders.append((order, int(generator.integers(n))))
            runs.append(coupled_run(model, triples, table, *orders[-1], rate))
            bar.advance()
    max_norm = max(run.max_norm for run in runs)
    constants = denial_constants(max_norm)
    # [num_removed, T, 2] each.
    distances = np.stack([run.distances for run in runs])
    bounds = np.stack([distance_bounds(*drawn, constants, rate) for drawn in orders])
    steps = np.unique(np.geomspace(1, epochs * n, _POINTS).astype(int))
    held = (distances <= bounds + 1e-12).mean(axis=1)  # up to rounding
    apart, rolled_back_apart = distances[:, -1].T
    curves = np.concatenate([distances.mean(axis=0), bounds.mean(axis=0)], axis=1)[steps - 1]
    names = ("apart", "rolled_back_apart", "bound_apart", "bound_rolled_back_apart")
    return {
        "dataset": triples.name,
        "max_norm": max_norm,
        "lipschitz": constants.lipschitz,
        "smoothness": constants.smoothness,
        "num_examples": n,
        "num_steps": epochs * n,
        "num_removed": num_removed,
        "theorem_bound": stability_bound(constants, rate, epochs * n, n),
        "mean_difference": float(np.mean([run.differences[:, 0].mean() for run in runs])),
        "max_difference": float(max(run.differences[:, 0].max() for run in runs)),
        "mean_rolled_back_difference": float(np.mean([run.differences[:, 1].mean() for run in runs])),
        "max_rolled_back_difference": float(max(run.differences[:, 1].max() for run in runs)),
        "share_of_distance_left": float(rolled_back_apart.mean() / apart.mean()),
        "rolled_back_is_nearer": float((rolled_back_apart < apart).mean()),
        "share_of_steps_within_bounds": {name: float(of.mean()) for name, of in zip(names[:2], held.T, strict=True)},
        "steps": steps.tolist(),
        "curves": dict(zip(names, curves.T.tolist(), strict=True)),
    }


def _denial(model: FactorModel, parts: Tensor) -> Tensor:
    """f [...] of the rows [..., 3, width] of triples."""
    return tf.sigmoid(-model.score(*tf.unstack(parts, axis=-2)))


@functools.cache
def _steps(model: FactorModel) -> Callable[..., tuple[Tensor, ...]]:
    """The compiled function that does all steps of a coupled run."""

    def gradient(table: Tensor, rows: Tensor) -> Tensor:
        parts = tf.gather(table, rows)
        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = _denial(model, parts)
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
        return whole, without, caused, distances, norm

    compiled: Callable[..., tuple[Tensor, ...]] = tf.function(run, jit_compile=True)
    return compiled
