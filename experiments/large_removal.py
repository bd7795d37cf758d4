"""Do predictions fall without the examples that explain them? By trainings of seeds that were not explained.

python -m experiments.large_removal --kind=sequences --dataset=movielens-100k --methods=tracin --window=10
python -m experiments.large_removal --data_dir=my/folder --removed_of_each=10

As many right predictions as wrong ones are explained. The strongest examples by each method are removed, all at once,
as are, for comparison, random ones and those most like the question. The settings of the training are those of
`gr_tf train`. Finished trainings are found again; --methods says which methods to compare.
"""

from absl import flags

from experiments import large_flags
from gr_tf.commands import common, engine_flags, open_flags, run_flags, shard_flag
from gr_tf.evaluation.large_removal import NAME, Sizes, measure
from gr_tf.report.large_removal_tables import removal_frame, removal_line
from gr_tf.report.tables import as_text

common.adopt(engine_flags, large_flags, open_flags, run_flags, shard_flag)
_REMOVED = flags.DEFINE_integer(
    "removed_of_each", 500, "How many training examples are removed for each prediction.", lower_bound=1
)


def main() -> None:
    task = open_flags.load_task(open_flags.kind())
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-large")
    result = measure(
        task,
        folder,
        Sizes(**large_flags.sizes(), removed=_REMOVED.value),
        names=large_flags.METHODS.value,
        jobs=run_flags.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    print(removal_line(result))
    print(as_text(removal_frame(result)))
    for name, why in result["refused"].items():
        print(f"{name} is not compared: {why}")
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
