"""What several trainings teach the method `best`, kept in a run's folder: learning it takes nearly all of its time."""

import hashlib
import os
import pathlib
from typing import NamedTuple

import numpy as np

from gr_tf.attribution.blending import Blend
from gr_tf.runs import files
from gr_tf.runs.made_with import decisive
from gr_tf.tasks.trained import Trained

# Its folder in the run's.
LEARNT = "learnt"


class Learnt(NamedTuple):
    """What several trainings' influences on many queries teach.

    Attributes:
        blend: how much they count beside the data's likeness.
        variances: [STRATA], how far the blend is off, see blending.variance and certainty; NaN of too few trainings.
    """

    blend: Blend
    variances: np.ndarray


def place_of(trained: Trained, **settings: float) -> pathlib.Path | None:
    """Where it is kept; never the same for another model, other settings, or what makes other last digits.

    Returns:
        A folder, which need not exist; None of a training in memory, with which nothing is kept.
    """
    if trained.path is None:
        return None
    told = repr([trained.fingerprint, *sorted(settings.items()), *sorted(decisive().items())])
    return trained.path.parent / LEARNT / f"best-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def read(place: pathlib.Path) -> Learnt | None:
    """What is kept there; None if nothing is.

    Raises:
        DamagedError: if it was truncated or edited.
    """
    if not place.exists():
        return None
    kept, _ = files.read_arrays(place)
    own, prior = map(float, kept["weights"])
    return Learnt(Blend(own, prior, kept["coefficients"]), kept["variances"])


def keep(place: pathlib.Path, learnt: Learnt) -> None:
    """Keeps it, if the run's folder can be written to."""
    if os.access(place.parents[1], os.W_OK):
        blend = learnt.blend
        weights = np.array([blend.own, blend.prior], np.float64)
        arrays = {"weights": weights, "coefficients": blend.coefficients, "variances": learnt.variances}
        files.write_arrays(place, arrays)


def delete(run_dir: pathlib.Path) -> None:
    """Deletes all that a run's folder keeps of it, and nothing else."""
    for place in (run_dir / LEARNT).glob("best-*"):
        files.delete(place)
