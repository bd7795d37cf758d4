"""Bounds of what is predicted without what a training triple did, for a hundredth of the price of the exact value."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gr_tf.models.factor_model import TrilinearModel
from gr_tf.runs.engine import tf
from gr_tf.tasks.rolled_back import Bounds
from gr_tf.types import Ids

_RELATION, _TAIL = 1, 2
# What is kept of what triples changed.
_KEPT_BYTES = 1 << 28
# Triples that are bounded together.
_AT_ONCE = 4096
# So many triples are not told apart by what they changed.
_FEW = 1024
# A change of an answer's row that changes the sum of probabilities by less is bounded by its norm.
_LITTLE = 1e-5
# A sum of n rounded numbers is wrong by more than this many times sqrt(n) roundings hardly ever: once in 100,000 times
# (Higham and Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis").
_ROUNDINGS = 5
# exp of more overflows; a bound that needs it says nothing.
_LARGEST = 700.0


class _Asked(NamedTuple):
    """A question with its answer.

    Attributes:
        places: [3], table rows.
        rows: [3, width].
        vector: q [width], with score_j = <q, e_j>.
        chances: p [num_answers] of all answers.
        column: of the answer among them.
        mean: m [width], of the answers' rows under p.
        spread: the mean of |e_j - m|^2 under p.
        radius: at least the largest |e_j - m|.
        norm: the largest |e_j|.
        size: of scores and of the logarithm of their sum.
    """

    places: np.ndarray
    rows: np.ndarray
    vector: np.ndarray
    chances: np.ndarray
    column: int
    mean: np.ndarray
    spread: float
    radius: float
    norm: float
    size: float


class _Changes(NamedTuple):
    """What n triples changed.

    Attributes:
        moves: v [n, width]: by how much q changes.
        columns: [n, k], of the changed rows among the answers; -1: it is none.
        norms: [n, k], of the changes of these rows.
        deltas: from some of the triples, ids below n, and a part of k to these changes, [m, width].
    """

    moves: np.ndarray
    columns: np.ndarray
    norms: np.ndarray
    deltas: Callable[[Ids, int], np.ndarray]


class RollbackBounds:
    """Bounds of how much p(answer | the two other parts) falls if what single training triples did is rolled back.

    The model's score is linear in each row: score_j = <q, e_j>. A triple changes q by v, and the rows of a few answers,
    which are looked at one by one. For all answers together x_j = <v, e_j - m>, with m = sum p e, has the mean 0 under
    p, and |x_j| <= r = |v| max |e_j - m|, so that

        1 <= sum p exp(x) <= 1 + (sum p x^2) (exp(r) - 1 - r) / r^2,

    the first by Jensen's inequality, the second because (exp(x) - 1 - x) / x^2 grows with x; and sum p x^2 <= |v|^2
    sum p |e - m|^2. No triple is compared with all answers. The bounds have room for the rounding of exact values.
    """

    def __init__(self, model: TrilinearModel, table: np.ndarray, at: int, answers: Ids, deltas: np.ndarray) -> None:
        """
        Args:
            model, table: the trained ones; [num_rows, width].
            at: the place of the answer among the three rows of a triple.
            answers: the table rows of all answers.
            deltas: what the training triples changed, [num_examples, k, width], in memory or mapped from disk.
        """
        self._model, self._table, self._at, self._deltas = model, table, at, deltas
        self._norms = norms_of(deltas)
        self._kept: dict[tuple[int, int], tuple[Ids, np.ndarray]] = {}
        self._answers = table[answers]
        self._squares = np.einsum("nw,nw->n", self._answers, self._answers)
        self._column_of = np.full(model.num_rows, -1, np.int64)
        self._column_of[answers] = np.arange(len(answers))
        rounding = float(np.finfo(table.dtype).eps) / 2
        # Relative errors of a score, per norm of its two vectors; and of the sum over all answers.
        self._of_score = _ROUNDINGS * np.sqrt(model.width) * rounding
        self._of_sum = (_ROUNDINGS * np.sqrt(len(answers)) + 8) * rounding

    def of(self, places: np.ndarray, example_ids: Ids, changed: np.ndarray) -> Bounds:
        """The bounds of the fall of a probability without each of n training triples.

        At first from the norms of what they changed alone.

        Args:
            places: the table rows [3] of the question with its answer.
            example_ids: of the triples, [n].
            changed: the table rows [n, k] that they changed.
        """
        asked = self._asked(places)

        def refine(some: Ids) -> tuple[np.ndarray, np.ndarray]:
            lower, upper = np.empty(len(some)), np.empty(len(some))
            for which, changes in self._changes(asked, example_ids[some], changed[some]):
                lower[which], upper[which] = self._bounds(asked, changes)
            return lower, upper

        return Bounds(*self._from_norms(asked, example_ids, changed), refine)

    def _from_norms(self, asked: _Asked, example_ids: Ids, changed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds [n] from the norms of changes; infinite if two rows of the question changed.

        What most triples changed, the relation's row, is known more exactly.
        """
        norms = self._norms[example_ids].astype(np.float64)
        columns = self._column_of[changed]
        norms_of_answers = np.where(columns >= 0, norms, 0)
        chances = np.where(columns >= 0, asked.chances[columns], 0)
        fixed = [place for place in range(3) if place != self._at]
        hits = [changed == asked.places[place] for place in fixed]
        sizes, own, own_error = np.zeros(len(changed)), np.zeros(len(changed)), np.zeros(len(changed))
        for place, hit in zip(fixed, hits, strict=True):
            # v is the row's change times a matrix, whose spectral norm is at most this.
            rows = list(asked.rows[:, None])
            rows[place] = np.identity(len(asked.mean), self._table.dtype)
            matrix = self._vectors(rows)
            most = np.sqrt(np.linalg.norm(matrix, 1) * np.linalg.norm(matrix, np.inf))
            of_hit = np.where(hit, norms, 0).sum(axis=1)
            sizes += most * of_hit
            gradient = matrix @ (self._answers[asked.column] - asked.mean)
            if place == _RELATION:
                for part in range(changed.shape[1]):
                    which = np.flatnonzero(hit[:, part])
                    own[which] -= self._of_relation(asked.places[place], part, example_ids[which]) @ gradient
            else:
                own_error += np.linalg.norm(gradient) * of_hit
        lengths = np.linalg.norm(asked.vector) + sizes
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            reach, changes = sizes * asked.radius, lengths * norms_of_answers.sum(axis=1)
            few = chances.sum(axis=1) * np.exp(reach) * np.expm1(changes)
            own_error += np.where((columns == asked.column).any(axis=1), changes, 0)
            most = 1 + asked.spread * np.square(sizes) * _second(reach) + few
            lower, upper = self._falls(
                asked, (own - own_error, own + own_error), (1 - few, most), lengths, norms_of_answers
            )
        clear = np.sum(hits, axis=(0, 2)) <= 1
        return np.where(clear, lower, -np.inf), np.where(clear, upper, np.inf)

    def _of_relation(self, row: int, part: int, example_ids: Ids) -> np.ndarray:
        """How triples changed a relation's row, [n, width]; kept for the next question of the relation."""
        ids, deltas = self._kept.get((row, part), (np.zeros(0, np.int64), self._deltas[:0, part]))
        if not np.array_equal(ids, example_ids):
            deltas = self._deltas[example_ids, part]
            if sum(kept.nbytes for _, kept in self._kept.values()) + deltas.nbytes > _KEPT_BYTES:
                self._kept.clear()
            self._kept[row, part] = example_ids, deltas
        return deltas

    def _asked(self, places: np.ndarray) -> _Asked:
        answers, rows = self._answers, self._table[places]
        vector = self._vectors(list(rows[:, None]))[0]
        scores = (answers @ vector).astype(np.float64)
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        mean = chances.astype(answers.dtype) @ answers
        norm, size = float(np.sqrt(self._squares.max())), float(np.linalg.norm(mean))
        return _Asked(
            places=places,
            rows=rows,
            vector=vector,
            chances=chances,
            column=int(self._column_of[places[self._at]]),
            mean=mean,
            spread=max(0.0, float(chances @ self._squares) - size**2) + 1e-5 * norm**2,
            radius=norm + size,
            norm=norm,
            size=float(np.abs(scores).max() + np.log(len(scores))),
        )

    def _vectors(self, rows: list[np.ndarray]) -> np.ndarray:
        """q [n, width], from the rows [1 or n, width] of each place; that of the answer counts for nothing."""
        if self._at == _TAIL:
            return np.asarray(self._model.query_vector(*(tf.constant(part) for part in rows[:_TAIL])))
        return np.asarray(self._model.vector_at(self._at, list(map(tf.constant, np.broadcast_arrays(*rows)))))

    def _changes(self, asked: _Asked, example_ids: Ids, changed: np.ndarray) -> Iterator[tuple[Ids, _Changes]]:
        """Yields what triples changed, in parts that fit into memory: their numbers below n, and the changes."""
        columns, repeated = self._column_of[changed], _is_repeated(changed)
        fixed = [place for place in range(3) if place != self._at]
        hits = [changed == asked.places[place] for place in fixed]
        # Most triples changed one row of the question, and q is linear in it; of few it does not matter.
        single = (np.sum(hits, axis=(0, 2)) == 1) & ~repeated.any(axis=1) & (len(changed) > _FEW)
        for place, hit in zip(fixed, hits, strict=True):
            for part in range(changed.shape[1]):
                for which in _parts(single & hit[:, part]):
                    ids = example_ids[which]
                    rows = list(asked.rows[:, None])
                    rows[place] = -self._deltas[ids, part]
                    stored = functools.partial(self._stored, ids)
                    yield which, _Changes(self._vectors(rows), columns[which], self._norms[ids], stored)
        for which in _parts(~single):
            deltas = np.asarray(self._deltas[example_ids[which]], np.float64)
            # A row that was changed twice is changed once, by the sum.
            for part in range(1, changed.shape[1]):
                for earlier in range(part):
                    same = np.flatnonzero(changed[which, part] == changed[which, earlier])
                    deltas[same, earlier] += deltas[same, part]
                    deltas[same, part] = 0
            before = asked.rows.astype(np.float64)
            rows = list(before[:, None])
            for place, hit in zip(fixed, hits, strict=True):
                rows[place] = before[place] - (hit[which, :, None] * deltas).sum(axis=1)
            moves = self._vectors(rows) - self._vectors(list(before[:, None]))
            own = np.where(repeated[which], -1, columns[which])
            norms = np.linalg.norm(deltas, axis=2)
            yield which, _Changes(moves, own, norms, functools.partial(_taken, deltas))

    def _stored(self, example_ids: Ids, some: Ids, part: int) -> np.ndarray:
        return self._deltas[example_ids[some], part]

    def _bounds(self, asked: _Asked, changes: _Changes) -> tuple[np.ndarray, np.ndarray]:
        """The lower and upper bounds [n] for some triples."""
        moves, columns, norms, deltas = changes
        sizes = np.sqrt(np.einsum("nw,nw->n", moves, moves)).astype(np.float64)
        own = (moves @ (self._answers[asked.column] - asked.mean)).astype(np.float64)
        chances = np.where(columns >= 0, asked.chances[columns], 0)
        norms = np.where(columns >= 0, norms, 0).astype(np.float64)
        lengths = np.linalg.norm(asked.vector) + sizes
        # Of sum p exp(x), with the changes of answers' own rows.
        least, most = np.ones(len(moves)), np.ones(len(moves))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            reach = sizes * asked.radius
            most += asked.spread * np.square(sizes) * _second(reach)
            for part in range(columns.shape[1]):
                little = chances[:, part] * np.exp(reach) * np.expm1(lengths * norms[:, part])
                is_own = columns[:, part] == asked.column
                which = np.flatnonzero(is_own | ~(little <= _LITTLE))
                little[which] = 0
                lost = deltas(which, part)
                falls = lost @ asked.vector + np.einsum("nw,nw->n", moves[which], lost)
                along = np.einsum("nw,nw->n", moves[which], self._answers[columns[which, part]] - asked.mean)
                few = np.zeros(len(moves))
                few[which] = chances[which, part] * (np.exp(along - falls) - np.exp(along))
                least, most = least + few - little, most + few + little
                own[which] -= np.where(is_own[which], falls, 0)
            return self._falls(asked, (own, own), (least, most), lengths, norms)

    def _falls(
        self,
        asked: _Asked,
        own: tuple[np.ndarray, np.ndarray],
        sums: tuple[np.ndarray, np.ndarray],
        lengths: np.ndarray,
        norms: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The lower and upper bounds [n].

        Args:
            asked: the question.
            own: by how much the answer's score changes, less <v, m>: at least, and at most.
            sums: sum p exp(x), with the changes of answers' own rows: at least, and at most.
            lengths: |q| + |v| at least.
            norms: [n, k], of changes of answers' rows.
        """
        before = asked.chances[asked.column]
        low, high = before * np.exp(own[0]) / sums[1], before * np.exp(own[1])
        # A probability is at most 1.
        high = np.where(sums[0] > high, high / sums[0], 1.0)
        products = lengths * (asked.norm + norms.max(axis=1))
        error = self._of_score * products + self._of_sum + 16 * np.finfo(self._table.dtype).eps * asked.size
        low, high = low * (1 - error), high * (1 + error)
        known = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(known, low, 0.0), np.where(known, high, 1.0)
        return before * (1 - error) - high, before * (1 + error) - low


def norms_of(deltas: np.ndarray) -> np.ndarray:
    """The norms [num_examples, k] of changes [num_examples, k, width]."""
    parts = (deltas[first : first + _AT_ONCE] for first in range(0, len(deltas), _AT_ONCE))
    return np.concatenate([np.sqrt(np.einsum("nkw,nkw->nk", part, part)) for part in parts])


def _taken(deltas: np.ndarray, some: Ids, part: int) -> np.ndarray:
    taken: np.ndarray = deltas[some, part]
    return taken


def _is_repeated(changed: np.ndarray) -> np.ndarray:
    """[n, k]: whether a row stands further left among the same [n, k] rows."""
    repeated = np.zeros(changed.shape, bool)
    for part in range(1, changed.shape[1]):
        repeated[:, part] = (changed[:, :part] == changed[:, part : part + 1]).any(axis=1)
    return repeated


def _parts(mask: np.ndarray) -> Iterator[Ids]:
    """Where a mask holds, in parts that fit into memory."""
    which = np.flatnonzero(mask)
    for first in range(0, len(which), _AT_ONCE):
        yield which[first : first + _AT_ONCE]


def _second(reach: np.ndarray) -> np.ndarray:
    """(exp(r) - 1 - r) / r^2, which is 1/2 at 0; of small r a little more."""
    small = reach < 1e-3
    safe = np.where(small, 1.0, np.minimum(reach, _LARGEST))
    # The next terms of the series are r / 6 and less.
    return np.where(small, 0.5 + reach, np.where(reach > _LARGEST, np.inf, (np.expm1(safe) - safe) / np.square(safe)))
