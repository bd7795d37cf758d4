"""How faithful are the methods for ratings that are trained in batches? Of MF trained by SGD, as people's own are.

python -m experiments.fidelity_rating_batches --dataset=movielens-100k

As fidelity_rating_rollback, of trainings with --optimizer=sgd or adagrad, which can also be replayed: the model is
trained again from its initial values without each of some ratings in turn, for every seed, and the methods explain
trainings of other seeds, and also those of the truth. Finished seeds are found again.
"""

from absl import flags

from experiments import rating_points, rating_truth, seed_flags
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.commands import common, config_flags, engine_flags, rating_flags, run_flags, shard_flag
from gr_tf.errors import InputError
from gr_tf.training.rating_config import RatingConfig

common.adopt(engine_flags, rating_flags, rating_points, run_flags, seed_flags, shard_flag)
# The settings of one's own ratings, but with fewer factors and four times the rate, for shorter trainings (BUILD_NOTES,
# "Replay of ratings").
DEFAULTS = {
    "optimizer": "sgd",
    "dim": 16,
    "epochs": 10,
    "batch_size": 960,
    "learning_rate": 0.02,
    "weight_decay": 0.2,
    "initial_deviation": 0.1,
    "num_seeds": 8,
    "points": 16,
}
# All but IA, whose linear system is not positive definite (fidelity_rating_rollback), and cosine and dot, which are for
# small data.
METHODS: tuple[str, ...] = (
    "nh",
    "gr",
    "fia",
    "fia, published decay",
    "tracin",
    "tracin, every epoch",
    "replay",
    "replay with epoch 1",
)


def main() -> None:
    config_flags.refuse_flags(FiaSettings, "is not used here: a method's name says its settings.")
    for name in ("training_steps", "retraining_steps", "checkpoint_seconds", "patience"):
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is not used here: --epochs sets the length, and checkpoints are not kept.")
    if config_flags.asked(RatingConfig)["optimizer"] == "adam":
        raise InputError("--optimizer must be sgd or adagrad: trainings by adam cannot be replayed.")
    task = rating_flags.load_task()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-batches")
    rating_truth.tell(task, folder, METHODS)


if __name__ == "__main__":
    common.start(main, DEFAULTS)
