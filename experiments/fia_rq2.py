"""RQ2 of Cheng et al. (2019): seconds to explain one test point, FIA and IA, by the number of factors.

python -m experiments.fia_rq2 --dataset=movielens-1m --model=mf

A model is trained for each K, with fewer steps than for RQ1: FIA's times do not depend on them; IA's do
through the number of its products. Each K is kept as soon as it is measured. Leave the machine alone
meanwhile.
"""

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, model_flags, rating_flags, run_flags
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.errors import InputError
from gr_tf.report import published
from gr_tf.report.machine import cpu_name
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.stages import train_ratings
from gr_tf.training.rating_config import RatingTrainConfig

for module in (model_flags, rating_flags, run_flags):
    flags.adopt_module_key_flags(module)

NAME = "rq2"
DEFAULTS = {"dataset": "movielens-1m", "training_steps": 5_000}
_TIMED_FOR_IA = (8, 16, 64)
_IA_TOLERANCE, _IA_ITERATIONS = 1e-3, 100

_DIMS = flags.DEFINE_list("dims", ["8", "16", "32", "64", "128", "256"], "Numbers of factors.")
_IA_DIMS = flags.DEFINE_list("ia_dims", None, "Those of them that IA is timed for. Default: 8, 16 and 64.")
_NUM_TIMED = flags.DEFINE_integer("num_timed", 300, "Test points for FIA, in one batch.", lower_bound=2)
_NUM_SINGLE = flags.DEFINE_integer("num_single", 20, "Of them, explained one at a time too.", lower_bound=1)
_IA_POINTS = flags.DEFINE_integer("ia_points", 1, "Test points for IA.", lower_bound=1)


def run(
    ratings: RatingSet,
    split: RatingSplit,
    configs: Sequence[RatingTrainConfig],
    run_dir: pathlib.Path,
    fia_settings: FiaSettings,
    *,
    ia_dims: Sequence[int],
    num_points: int,
    num_single: int,
    ia_points: int,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Trains and times what is missing; writes rq2/result.json.

    Args:
        ratings, split: the dataset.
        configs: one for each number of factors.
        run_dir: the folder; each K has a subfolder.
        fia_settings: see FiaSettings; damping and penalty_in_gradient are IA's too.
        ia_dims: the K that IA is timed for.
        num_points: test points for FIA, in one batch.
        num_single: of them, explained one at a time.
        ia_points: test points for IA.
        overwrite: measure again what is measured, and drop trainings with other settings.
        checkpoint_seconds: see stages.train_ratings.run.

    Returns:
        What result.json holds.
    """
    for name, count, what, most in (
        ("num_timed", num_points, "test ratings", len(ratings.test)),
        ("num_single", num_single, "timed", num_points),
        ("ia_points", ia_points, "timed", num_points),
    ):
        if count > most:
            raise InputError(f"{name} must be at most the {most} {what}; got {count}.")
    for dim in ia_dims:
        if dim not in [config.dim for config in configs]:
            raise InputError(f"ia_dims must be among dims; got {dim}.")
    settings = {
        "checksum": ratings.checksum,
        **dataclasses.asdict(fia_settings),
        "num_points": num_points,
        "num_single": num_single,
        "ia_points": ia_points,
    }
    rows = []
    for config in configs:
        folder = run_dir / f"k{config.dim}"
        training = train_ratings.run(
            ratings, split, config, folder, overwrite=overwrite, checkpoint_seconds=checkpoint_seconds
        ).result()["timing"]
        with_ia = config.dim in ia_dims
        of_dim = {**settings, "config": config.to_dict(), "ia": with_ia}
        with RunDir.begin(folder / NAME, of_dim, overwrite=overwrite, reuse=True) as stage:
            if not stage.is_finished:
                measured = _measure(ratings, folder, fia_settings, num_points, num_single, ia_points if with_ia else 0)
                stage.finish(measured)
            rows.append({"training": training, **{name: stage.result()[name] for name in ("dim", "fia", "ia")}})
    whole = {**settings, "configs": [config.to_dict() for config in configs], "ia_dims": list(ia_dims)}
    # A table of the above: made anew, also for another choice of them.
    with RunDir.begin(run_dir / NAME, whole, overwrite=True) as stage:
        stage.finish(
            {
                "dataset": ratings.name,
                "model": configs[0].model,
                "machine": {"cpu": cpu_name(), "cores": os.cpu_count()},
                "rows": rows,
                "paper_seconds": published.FIA_RQ2.get((ratings.name, configs[0].model)),
            }
        )
        return dict(stage.result())


def _measure(
    ratings: RatingSet,
    folder: pathlib.Path,
    fia_settings: FiaSettings,
    num_points: int,
    num_single: int,
    ia_points: int,
) -> dict[str, Any]:
    """The times of one trained model."""
    trained = train_ratings.load(folder, ratings)
    config = trained.trainer.config
    drawn = np.random.default_rng(0).permutation(len(ratings.test))[:num_points]
    queries = [RatingQuery(int(user), int(item)) for user, item in ratings.test.pairs[drawn]]
    start = time.perf_counter()
    fia = Fia(trained.exact_model(), trained.parameters, ratings, config.weight_decay, fia_settings)
    fia.rank(queries[0])
    first = time.perf_counter() - start
    single = [_timed(fia.rank, query)[0] for query in queries[:num_single]]
    batch, explained = _timed(fia.rank_many, queries)
    result: dict[str, Any] = {
        "dim": config.dim,
        "fia": {
            "first": first,
            "single": {"mean": float(np.mean(single)), "sd": float(np.std(single)), "max": max(single)},
            "batch": batch,
            "num_points": len(queries),
            "num_scored": sum(len(explanation.example_ids) for explanation in explained),
            "negative_curvature": sum(explanation.diagnostics.negative_curvature for explanation in explained),
        },
        "ia": None,
    }
    if ia_points:
        # float32, as the authors' program; a point's time is its products.
        analysis = InfluenceAnalysis(
            trained.trainer.model,
            trained.parameters,
            ratings,
            config.weight_decay,
            damping=fia_settings.damping,
            tolerance=_IA_TOLERANCE,
            max_iterations=_IA_ITERATIONS,
            penalty_in_gradient=fia_settings.penalty_in_gradient,
        )
        # Compiles.
        first = _timed(analysis.rank, queries[0])[0]
        timed = [_timed(analysis.rank, query) for query in queries[:ia_points]]
        told = [explanation.diagnostics for _, explanation in timed]
        result["ia"] = {
            "first": first,
            "seconds": [seconds for seconds, _ in timed],
            "iterations": [diagnostics.iterations for diagnostics in told],
            "residual": [diagnostics.residual for diagnostics in told],
            "converged": [diagnostics.converged for diagnostics in told],
            "negative_curvature": sum(diagnostics.negative_curvature for diagnostics in told),
        }
    return result


def _timed(call: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call(argument)
    return time.perf_counter() - start, result


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """RQ2 for reading, from result.json."""
    paper = {row["dim"]: row for row in result["paper_seconds"] or ()}
    rows = []
    for row in result["rows"]:
        fia, ia = row["fia"], row["ia"]
        beside = paper.get(row["dim"], {"fia": "-", "ia": "-"})
        rows.append(
            {
                "model": result["model"],
                "K": row["dim"],
                "training": "{:.2f} ms a step".format(1e3 * row["training"]["seconds"] / row["training"]["steps"]),
                "FIA, one": "{mean:.4f} +- {sd:.4f} s".format(**fia["single"]),
                "FIA, batch": f"{fia['num_points'] / fia['batch']:.0f} points/s",
                "paper's FIA": f"{beside['fia']} s",
                "IA": _ia_told(ia) if ia else "-",
                "paper's IA": f"{beside['ia']} s",
                # One that gave up would have taken longer.
                "IA / FIA": ("" if all(ia["converged"]) else "over ")
                + f"{np.mean(ia['seconds']) / fia['single']['mean']:,.0f}"
                if ia
                else "-",
                "negative curvature": f"{fia['negative_curvature']} of {fia['num_points']}"
                + (f"; IA {ia['negative_curvature']} of {len(ia['seconds'])}" if ia else ""),
            }
        )
    return pd.DataFrame(rows)


def _ia_told(ia: Mapping[str, Any]) -> str:
    products = ", ".join(
        f"{iterations} products, " + ("solved" if converged else f"given up at residual {residual:.1g}")
        for iterations, converged, residual in zip(ia["iterations"], ia["converged"], ia["residual"], strict=True)
    )
    return f"{np.mean(ia['seconds']):.1f} s ({products})"


def main() -> None:
    if model_flags.DIM.value is not None:
        raise InputError("dims names the numbers of factors; dim is not used here.")
    configs = [rating_flags.config_of_flags(dim=dim) for dim in model_flags.whole_numbers(_DIMS)]
    if not configs:
        raise InputError("dims must name at least one number of factors.")
    ia_dims = model_flags.whole_numbers(_IA_DIMS)
    if _IA_DIMS.value is None:
        ia_dims = tuple(config.dim for config in configs if config.dim in _TIMED_FOR_IA)
    ratings = rating_flags.load_dataset()
    folder = run_flags.run_dir(f"{ratings.name}-{configs[0].model}-times")
    result = run(
        ratings,
        rating_flags.split_of_flags(),
        configs,
        folder,
        FiaSettings(**rating_flags.fia_settings()),
        ia_dims=ia_dims,
        num_points=_NUM_TIMED.value,
        num_single=_NUM_SINGLE.value,
        ia_points=_IA_POINTS.value,
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    print(as_text(frame(result)))
    print(f"{result['machine']['cpu']}; the paper: two Tesla K80. Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
