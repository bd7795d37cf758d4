"""Does training get better without the strongest opponents? (Kim, "Recommender System Attribution with TracIn").

python -m experiments.tracin_removal --data_dir=ml-100k --protocol=proper

For each seed it trains with everything, and without k sequences: the strongest opponents by TracInCP, and
as controls k random ones and the k with the highest loss. Every training is kept as soon as it is done.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from experiments import seed_flags
from gr_tf.commands import common, engine_flags, run_flags, sequence_flags, shard_flag
from gr_tf.commands.config_flags import whole_numbers
from gr_tf.errors import InputError
from gr_tf.evaluation import opponents
from gr_tf.report import figures, published
from gr_tf.report.tables import as_text
from gr_tf.report.tracin_tables import METRICS, removal_figure, removal_frame
from gr_tf.runs import shards
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.sequences import SequenceLosses, SequenceTask

common.adopt(engine_flags, run_flags, seed_flags, sequence_flags, shard_flag)

NAME = "removal"
# The sequences by which the removed ones are chosen; the published code reports on the same sequences.
CHOSEN_ON = {"published": "test", "proper": "valid"}

_REMOVED = flags.DEFINE_list("removed", ["500"], "How many sequences to remove; one number or several.")


def train_seed(task: SequenceTask, ks: Sequence[int], chosen_on: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The trainings of one seed, and how many of each removed set are opponents."""
    folder = _folder(task) / f"seed-{task.config.seed}"
    trained = run_flags.trained(task, folder)
    settings = {"chosen_on": chosen_on, "train_fingerprint": trained.fingerprint}
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        chosen = SequenceLosses.batch(getattr(task.dataset, chosen_on))
        removals = opponents.choices(*opponents.scores(trained, chosen, stage.place("scores")), ks, task.config.seed)
        trainings = opponents.train_without(
            trained, removals, stage, run_flags.JOBS.value, run_flags.CHECKPOINT_SECONDS.value
        )
    return trainings, opponents.shared_with_opponents(removals)


def _folder(task: SequenceTask) -> pathlib.Path:
    return run_flags.run_dir(f"{task.dataset.name}-lstm-{sequence_flags.PROTOCOL.value}")


def main() -> None:
    task, chosen_on = sequence_flags.load_task(), CHOSEN_ON[sequence_flags.PROTOCOL.value]
    data, config, ks = task.dataset, task.config, whole_numbers("removed", _REMOVED.value)
    for part in dict.fromkeys(("test", chosen_on)):
        if not len(getattr(data, part)):
            raise InputError(f"there are no {part} sequences: users have too few choices.")
    opponents.check_sizes(data.num_examples, ks)
    found, parts = {}, shards.Parts()
    for each in seed_flags.tasks(task):
        with parts:
            found[each.config.seed] = train_seed(each, ks, chosen_on)
    parts.stop()
    trainings = {seed: of_seed for seed, (of_seed, _) in found.items()}
    asked = {"chosen_on": chosen_on, "ks": list(ks), "seeds": list(found)}
    settings = {"checksum": data.checksum, "config": config.to_dict(), **asked}
    with RunDir.begin(_folder(task) / NAME, settings, overwrite=True) as stage:
        result = {
            "dataset": data.name,
            "config": config.to_dict(),
            "split": data.split.to_dict(),
            "num_train": data.num_examples,
            "num_test": len(data.test),
            "rows": opponents.changes(trainings, METRICS),
            "trainings": {str(seed): of_seed for seed, of_seed in trainings.items()},
            "shared_with_opponents": {str(seed): shared for seed, (_, shared) in found.items()},
            "paper": published.TRACIN_REMOVAL,
        }
        figures.save(removal_figure(result), stage.place("removal.png"))
        stage.finish(result)
    print(as_text(removal_frame(stage.result())))
    print(f"Written to {stage.path}: result.json, removal.png.")


if __name__ == "__main__":
    common.start(main)
