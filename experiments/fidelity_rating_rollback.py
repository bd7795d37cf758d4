"""How faithful is Gradient Rollback for ratings? Compares it and the other methods on trainings at batch size 1.

python -m experiments.fidelity_rating_rollback --dataset=movielens-100k

The truth is measured as by loo_atlas: the model is trained again from its initial values without each of some ratings
in turn, for every seed (of the initial values and of the order). The methods explain trainings of other seeds, and also
those of the truth. Finished seeds are found again; on MovieLens-100k a seed takes five minutes on two cores, and a kill
may lose that much.
"""

import dataclasses

from absl import flags

from experiments import rating_points, rating_truth, seed_flags
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.commands import common, config_flags, engine_flags, rating_flags, run_flags, shard_flag
from gr_tf.errors import InputError
from gr_tf.settings import Settings
from gr_tf.tasks.ratings import RatingTask

# MF's learning rate, weight decay and epochs were chosen by the validation RMSE (BUILD_NOTES, "Setting of
# the ratings' truth").
DEFAULTS = {"batch_size": 1, "epochs": 10, "learning_rate": 0.0003, "num_seeds": 8, "points": 16, "weight_decay": 1e-4}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Length(Settings):
    """How long a training is.

    Attributes:
        epochs: how many passes over the training ratings.
    """

    epochs: int | None = None


config_flags.define({"": Length})
common.adopt(config_flags, engine_flags, rating_flags, rating_points, run_flags, seed_flags, shard_flag)
# The methods that are compared; None: all.
METHODS: tuple[str, ...] | None = None


def main() -> None:
    config_flags.refuse_flags(FiaSettings, "is not used here: a method's name says its settings.")
    for name in ("training_steps", "retraining_steps", "checkpoint_seconds"):
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is not used here: --epochs sets the length, and checkpoints are not kept.")
    ratings = rating_flags.load_dataset()
    steps = config_flags.asked(Length)["epochs"] * ratings.num_examples
    task = RatingTask(ratings, rating_flags.config_of_flags(steps=steps, epochs=None))
    if task.config.batch_size != 1:
        raise InputError(f"training rating by rating needs batch_size 1; got {task.config.batch_size}.")
    folder = run_flags.run_dir(f"{ratings.name}-{task.config.model}-rollback")
    rating_truth.tell(task, folder, METHODS)


if __name__ == "__main__":
    common.start(main, DEFAULTS)
