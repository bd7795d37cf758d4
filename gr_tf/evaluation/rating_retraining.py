"""The true effect of a rating: training on from the trained model with it and without it.

Cheng et al. (2019), Section 5.2. Both runs of a pair see the same batches in the same order, so that
most of the noise of the batches cancels in their difference.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.retraining import in_threads
from gr_tf.models.rating_model import RatingParameters
from gr_tf.training.rating_trainer import BLOCK_STEPS, BlockMetrics, RatingState, RatingTrainer


@dataclasses.dataclass(frozen=True)
class Removal:
    """One rating to remove, or none, and whose predictions to look at.

    Attributes:
        example_id: of the rating; None: nothing is removed.
        queries: places in the list of pairs.
    """

    example_id: int | None
    queries: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Retrained:
    """The predictions of one retraining.

    Attributes:
        example_id, queries: see Removal.
        seed: of the batches.
        predictions: one list for each of the steps looked at, a prediction for each query.
    """

    example_id: int | None
    queries: list[int]
    seed: int
    predictions: list[list[float]]


def looked_at(steps: int, times: int) -> list[int]:
    """After how many steps a retraining is looked at: `times` equal parts, in whole blocks, and the end."""
    parts = {steps * (i + 1) // times // BLOCK_STEPS * BLOCK_STEPS for i in range(times - 1)}
    return [*sorted(parts - {0}), steps]


def removals_of(examples: Sequence[int]) -> list[Removal]:
    """The retrainings for the example to remove of each query: one without any, one for each distinct example."""
    queries: dict[int, list[int]] = {}
    for place, example in enumerate(examples):
        queries.setdefault(int(example), []).append(place)
    whole = Removal(None, tuple(range(len(examples))))
    return [whole, *(Removal(example, tuple(places)) for example, places in queries.items())]


def retrain_ratings(
    trainer: RatingTrainer,
    start: RatingState,
    steps: Sequence[int],
    pairs: np.ndarray,
    removals: Sequence[Removal],
    seeds: Sequence[int],
    journal: Journal,
    jobs: int,
) -> Iterator[Retrained]:
    """Trains on from a state, for each seed without each removal; what the journal has is not done again.

    Args:
        trainer: of the model.
        start: the trained state.
        steps: after how many to look; the last is the end.
        pairs: [n, 2], (user, item) of the queries.
        removals: what to remove.
        seeds: of the batches.
        journal: of Retrained records.
        jobs: retrainings at a time; they change no result.

    Yields:
        What was done anew, in the order of completion; it is in the journal by then.

    Raises:
        InputError: if jobs is below 1.
    """
    done = {(record["example_id"], record["seed"]) for record in journal.records}
    todo = [(removal, seed) for removal in removals for seed in seeds if (removal.example_id, seed) not in done]

    def retrain(asked_for: tuple[Removal, int]) -> Retrained:
        removal, seed = asked_for
        asked = pairs[list(removal.queries)]
        seen = {}
        removed = [] if removal.example_id is None else [removal.example_id]

        def look(metrics: BlockMetrics, parameters: Callable[[], RatingParameters]) -> None:
            if metrics.step in steps:
                seen[metrics.step] = trainer.model.predict_pairs(parameters(), asked).astype(float).tolist()

        trainer.run(start, steps[-1], seed=seed, removed=removed, on_block=look)
        return Retrained(removal.example_id, list(removal.queries), seed, [seen[step] for step in steps])

    for retrained in in_threads(retrain, todo, jobs):
        journal.add(dataclasses.asdict(retrained))
        yield retrained


def observed_influences(records: Sequence[Retrained], num_queries: int) -> np.ndarray:
    """[num_queries, seeds, looks]: prediction with everything, less prediction without the query's example.

    The seeds are in ascending order.

    Raises:
        KeyError: if a retraining is missing.
    """
    seeds = sorted({record.seed for record in records})
    whole = {record.seed: np.array(record.predictions) for record in records if record.example_id is None}
    effects = np.full((num_queries, len(seeds), len(records[0].predictions)), np.nan)
    for record in records:
        if record.example_id is not None:
            for column, query in enumerate(record.queries):
                without = np.array(record.predictions)[:, column]
                effects[query, seeds.index(record.seed)] = whole[record.seed][:, query] - without
    if not np.isfinite(effects).all():
        raise KeyError("a query has no retraining without its example.")
    return effects
