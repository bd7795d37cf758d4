"""Compares methods for ratings with trainings from the initial values without some ratings, and prints the table."""

import pathlib
from collections.abc import Sequence
from typing import Any

from experiments import rating_points, seed_flags
from gr_tf.commands import run_flags
from gr_tf.evaluation.sampled_fidelity import NAME, Points, over_seeds
from gr_tf.report.fidelity_tables import notes, seeds_frame, truth_line
from gr_tf.report.tables import as_text
from gr_tf.tasks.task import Task


def tell(task: Task[Any], folder: pathlib.Path, methods: Sequence[str] | None) -> None:
    """Measures what is missing, by the flags, and prints the table.

    Args:
        task: the trainings' task; its seed is the first of the truth.
        folder: the run's folder.
        methods: the methods to compare; None: all.
    """
    num_seeds = seed_flags.NUM_SEEDS.value
    result = over_seeds(
        task,
        folder,
        Points(**rating_points.of_flags()),
        num_seeds,
        methods=methods,
        jobs=run_flags.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    print(truth_line(result))
    print(as_text(seeds_frame(result)))
    print("\n".join([*notes(result), f"Written to {folder / f'{NAME}{num_seeds}'}."]))
