"""How faithful are the methods at real size? Your own data too: graphs, ratings, and sequences.

python -m experiments.large_fidelity --data_dir=DATA/wn18rr --dim=50 --num_negatives=100 --epochs=6 --batch_size=1024
python -m experiments.large_fidelity --dataset=movielens-100k --model=ncf

Some test predictions are explained by all methods. The truth is measured twice, by trainings of other seeds: without
each of some examples (those that the methods rank first, and random related ones), and on random halves of all
examples. The settings of the training are those of `gr_tf train`. Finished trainings are found again; --methods says
which methods to compare.
"""

import dataclasses

from absl import flags

from experiments import large_flags
from gr_tf.commands import common, engine_flags, open_flags, run_flags, shard_flag
from gr_tf.evaluation.large_fidelity import NAME, Sizes, measure
from gr_tf.report.large_fidelity_tables import frame, truth_line
from gr_tf.report.tables import as_text

common.adopt(engine_flags, large_flags, open_flags, run_flags, shard_flag)
_SIZES = {
    name: flags.DEFINE_integer(name, default, help, lower_bound=1)
    for name, default, help in (
        ("first", 20, "How many examples of each are left out that the methods together rank first."),
        ("drawn", 20, "How many random related examples of each are left out."),
        ("halves", 100, "How many random halves of the training examples the model is trained on."),
        ("half_seeds", 5, "By how many seeds, on each half."),
    )
}


def main() -> None:
    kind = open_flags.kind()
    task = open_flags.load_task(kind)
    sizes = {name: flag.value for name, flag in _SIZES.items()}
    sizes |= large_flags.sizes()
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-large")
    result = measure(
        task,
        folder,
        dataclasses.replace(Sizes(), **sizes),
        names=large_flags.METHODS.value,
        jobs=run_flags.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    print(truth_line(result))
    print(as_text(frame(result)))
    for name, why in result["refused"].items():
        print(f"{name} is not compared: {why}")
    for row in result["rows"]:
        for truth, why in row["why"].items():
            print(f"{row['method']}, {row['trainings']} trainings, {truth}: {why}")
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
