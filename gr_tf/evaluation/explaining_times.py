"""How long FIA and IA take to explain a prediction (RQ2 of Cheng et al. 2019)."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.tasks.trained import Trained

Returned = TypeVar("Returned")


def timed(call: Callable[..., Returned], *arguments: Any) -> tuple[float, Returned]:
    """Seconds of a call, and what it returned."""
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def fia_times(trained: Trained, settings: FiaSettings, queries: Sequence[Any], num_single: int) -> dict[str, Any]:
    """Seconds of FIA: the first prediction with the compilation, some one at a time, and all in a batch."""
    making, fia = timed(Fia, trained, settings)
    first, _ = timed(fia.rank, queries[0])
    single = [timed(fia.rank, query)[0] for query in queries[:num_single]]
    batch, explained = timed(fia.rank_many, queries)
    return {
        "first": making + first,
        "single": {"mean": float(np.mean(single)), "sd": float(np.std(single)), "max": max(single)},
        "batch": batch,
        "num_points": len(queries),
        "num_scored": sum(len(explanation.example_ids) for explanation in explained),
        "negative_curvature": sum(explanation.systems[0].negative_curvature for explanation in explained),
    }


def ia_times(trained: Trained, settings: FiaSettings, queries: Sequence[Any]) -> dict[str, Any]:
    """Seconds of IA in float32, as the authors' program; a prediction's time is its Hessian-vector products."""
    penalty = settings.penalty_in_gradient
    ia = InfluenceAnalysis(trained, damping=settings.damping, penalty_in_gradient=penalty)
    first, _ = timed(ia.rank, queries[0])
    each = [timed(ia.rank, query) for query in queries]
    systems = [explanation.systems[0] for _, explanation in each]
    return {
        "first": first,
        "seconds": [seconds for seconds, _ in each],
        **{name: [getattr(system, name) for system in systems] for name in ("iterations", "residual", "converged")},
        "negative_curvature": sum(system.negative_curvature for system in systems),
    }
