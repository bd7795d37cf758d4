"""The ground truth: what every training triple really does to every prediction, by exhaustive retraining.

python -m experiments.loo_atlas --num_seeds=20
python -m experiments.loo_atlas --num_seeds=10 --varied=initial

It trains without each training triple in turn, for every seed; on Nations these are 1,592 trainings a seed, a minute on
two cores. It uses DistMult and ComplEx, unless --model names one. Finished seeds are found again.
"""

import pandas as pd
from absl import flags

from experiments import gr_table3_4, seed_flags
from gr_tf.commands import common, engine_flags, run_flags, shard_flag, triple_flags
from gr_tf.evaluation.atlas import ALL_SEEDS, make_atlas
from gr_tf.report.fidelity_tables import atlas_frame
from gr_tf.report.tables import as_text
from gr_tf.tasks.triples import TripleTask

common.adopt(engine_flags, run_flags, seed_flags, shard_flag, triple_flags)

DEFAULTS = {"num_seeds": 20}
# The settings of the training that a seed of the atlas decides.
_VARIED = {ALL_SEEDS: TripleTask.seeds, "initial": ("seed",), "negatives": ("negatives_seed",)}
_VARIED_FLAG = flags.DEFINE_enum(
    "varied", ALL_SEEDS, list(_VARIED), "What the seeds decide: the initial values, the negatives, or both."
)


def main() -> None:
    varied, num_seeds, frames = _VARIED_FLAG.value, seed_flags.NUM_SEEDS.value, []
    for task in gr_table3_4.tasks_by_model():
        folder = run_flags.run_dir(f"{task.dataset.name}-atlas") / task.config.model
        result = make_atlas(
            task,
            folder,
            num_seeds,
            varied=varied,
            seed_names=_VARIED[varied],
            jobs=run_flags.JOBS.value,
            overwrite=run_flags.OVERWRITE.value,
        )
        frames.append(atlas_frame(result))
        print(f"Written to {folder / f'{varied}{num_seeds}'}.")
    print(as_text(pd.concat(frames)))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
