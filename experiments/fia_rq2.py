"""RQ2 of Cheng et al. (2019): how many seconds do FIA and IA take for one test point, by the number of factors?

python -m experiments.fia_rq2 --dataset=movielens-1m --model=mf

It trains a model for each number of factors K, with fewer steps than RQ1. FIA's times do not depend on the steps;
IA's do, because they change the number of its products. The result for each K is kept as soon as it is measured. Run
nothing else meanwhile.
"""

import dataclasses
import os

import numpy as np
from absl import flags

from gr_tf.commands import common, rating_flags, run_flags
from gr_tf.commands.config_flags import whole_numbers
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.evaluation.times import fia_times, ia_times
from gr_tf.report import published
from gr_tf.report.fia_tables import rq2_frame
from gr_tf.report.tables import as_text
from gr_tf.runs.machine import cpu_name
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.ratings import RatingTask

common.adopt(rating_flags, run_flags)

NAME = "rq2"
DEFAULTS = {"dataset": "movielens-1m", "training_steps": 5_000, "decay": "published"}
_TIMED_FOR_IA = (8, 16, 64)

_DIMS = flags.DEFINE_list("dims", ["8", "16", "32", "64", "128", "256"], "Numbers of factors.")
_IA_DIMS = flags.DEFINE_list("ia_dims", None, "Numbers of factors, from --dims, to time IA for. Default: 8, 16, 64.")
_NUM_TIMED = flags.DEFINE_integer("num_timed", 300, "How many test points FIA explains in one batch.", lower_bound=2)
_NUM_SINGLE = flags.DEFINE_integer("num_single", 20, "How many of them FIA also explains one by one.", lower_bound=1)
_IA_POINTS = flags.DEFINE_integer("ia_points", 1, "How many of them IA explains.", lower_bound=1)


def asked_dims(ratings: RatingSet) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of factors that the flags give, and those for which IA is timed.

    Raises:
        InputError: if they, or the numbers of test points, do not fit together.
    """
    if flags.FLAGS["dim"].present:
        raise InputError("dims names the numbers of factors; dim is not used here.")
    dims = whole_numbers("dims", _DIMS.value)
    if not dims:
        raise InputError("dims must name at least one number of factors.")
    for name, count, what, most in (
        ("num_timed", _NUM_TIMED.value, "test ratings", len(ratings.test)),
        ("num_single", _NUM_SINGLE.value, "timed", _NUM_TIMED.value),
        ("ia_points", _IA_POINTS.value, "timed", _NUM_TIMED.value),
    ):
        if count > most:
            raise InputError(f"{name} must be at most the {most} {what}; got {count}.")
    if _IA_DIMS.value is None:
        return dims, tuple(dim for dim in dims if dim in _TIMED_FOR_IA)
    ia_dims = whole_numbers("ia_dims", _IA_DIMS.value)
    for dim in ia_dims:
        if dim not in dims:
            raise InputError(f"ia_dims must be among dims; got {dim}.")
    return dims, ia_dims


def main() -> None:
    ratings = rating_flags.load_dataset()
    dims, ia_dims = asked_dims(ratings)
    fia_settings = rating_flags.fia_settings()
    settings = {
        "checksum": ratings.checksum,
        **dataclasses.asdict(fia_settings),
        "num_points": _NUM_TIMED.value,
        "num_single": _NUM_SINGLE.value,
        "ia_points": _IA_POINTS.value,
    }
    tasks = [RatingTask(ratings, rating_flags.config_of_flags(dim=dim)) for dim in dims]
    model, configs = tasks[0].config.model, [task.config.to_dict() for task in tasks]
    run_dir, overwrite = run_flags.run_dir(f"{ratings.name}-{model}-times"), run_flags.OVERWRITE.value
    drawn = ratings.test.pairs[np.random.default_rng(0).permutation(len(ratings.test))[: _NUM_TIMED.value]]
    queries, rows = [RatingQuery(int(user), int(item)) for user, item in drawn], []
    for task, config in zip(tasks, configs, strict=True):
        folder, with_ia = run_dir / f"k{task.config.dim}", task.config.dim in ia_dims
        trained = run_flags.trained(task, folder)
        of_dim = {**settings, "config": config, "ia": with_ia}
        with RunDir.begin(folder / NAME, of_dim, overwrite=overwrite, reuse=True) as stage:
            if not stage.is_finished:
                fia = fia_times(trained, fia_settings, queries, _NUM_SINGLE.value)
                ia = ia_times(trained, fia_settings, queries[: _IA_POINTS.value]) if with_ia else None
                timing = RunDir.finished(folder / training.STAGE, "training").result()["timing"]
                stage.finish({"training": timing, "dim": task.config.dim, "fia": fia, "ia": ia})
        rows.append({name: stage.result()[name] for name in ("training", "dim", "fia", "ia")})
    # The table of these results is always made anew, because the choice of them may have changed.
    whole = {**settings, "configs": configs, "ia_dims": list(ia_dims)}
    with RunDir.begin(run_dir / NAME, whole, overwrite=True) as stage:
        told = {"dataset": ratings.name, "model": model, "paper_seconds": published.FIA_RQ2.get((ratings.name, model))}
        stage.finish({**told, "machine": {"cpu": cpu_name(), "cores": os.cpu_count()}, "rows": rows})
    print(as_text(rq2_frame(stage.result())))
    print(f"{cpu_name()}; the paper: two Tesla K80. Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
