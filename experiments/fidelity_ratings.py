"""How faithful are the methods for ratings? Leaves out several ratings of each prediction, one at a time.

python -m experiments.fidelity_ratings --dataset=movielens-100k

For some test points, it removes random training ratings of the user and the item in turn, and trains the model on
without them and with them, on the same batches; all methods rank them. (RQ1 removes only the rating that FIA names
first, and compares different predictions; this compares ratings of one prediction.) Stop and continue it as you like.
"""

from absl import flags

from experiments import rating_points
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.commands import common, config_flags, engine_flags, rating_flags, run_flags, shard_flag
from gr_tf.evaluation.sampled_fidelity import NAME, Points, of_one_model
from gr_tf.report.fidelity_tables import notes, one_model_frame
from gr_tf.report.tables import as_text
from gr_tf.training.rating_config import RETRAINING_STEPS

common.adopt(engine_flags, rating_flags, rating_points, run_flags, shard_flag)

# With the published 0.001 MF's factors vanish, and the question becomes an easy one (BUILD_NOTES, "Weight decay
# empties MF's factors").
DEFAULTS = {"weight_decay": 1e-5}

_NUM_RETRAININGS = flags.DEFINE_integer("batch_seeds", 4, "Retrainings per rating, on other batches.", lower_bound=2)


def main() -> None:
    config_flags.refuse_flags(FiaSettings, "is not used here: a method's name says its settings.")
    task = rating_flags.load_task()
    model = task.config.model
    steps = rating_flags.RETRAINING_STEPS.value or RETRAINING_STEPS[model]
    folder = run_flags.run_dir(f"{task.dataset.name}-{model}-fidelity")
    points, jobs, overwrite = Points(**rating_points.of_flags()), run_flags.JOBS.value, run_flags.OVERWRITE.value
    result = of_one_model(task, folder, points, _NUM_RETRAININGS.value, steps, jobs=jobs, overwrite=overwrite)
    print(as_text(one_model_frame(result)))
    print("\n".join([*notes(result), f"Written to {folder / NAME}."]))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
