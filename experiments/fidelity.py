"""How faithful is each method really? Compares all of them with the atlas, the truth by exhaustive retraining.

python -m experiments.loo_atlas --num_seeds=20       # first: the truth
python -m experiments.fidelity --num_seeds=20        # then: every method, from trainings of other seeds

It uses DistMult and ComplEx, unless --model names one. Finished work is found again.
"""

import pathlib

from absl import flags

from experiments import gr_table3_4, seed_flags
from gr_tf.commands import common, engine_flags, run_flags, shard_flag, triple_flags
from gr_tf.evaluation.fidelity_stage import NAME, Sizes, measure_fidelity
from gr_tf.report.fidelity_tables import blend_frame, ceiling_lines, drawn, frame, notes, own_frame
from gr_tf.report.figures import save
from gr_tf.report.tables import as_text

common.adopt(engine_flags, run_flags, seed_flags, shard_flag, triple_flags)

DEFAULTS = {"num_seeds": 20}
SIZES = Sizes()
_ATLAS_DIR = flags.DEFINE_string("atlas_dir", None, "Folder of loo_atlas. Default: runs/DATASET-atlas.")


def main() -> None:
    num_seeds = seed_flags.NUM_SEEDS.value
    for task in gr_table3_4.tasks_by_model():
        name, model = task.dataset.name, task.config.model
        folder = run_flags.run_dir(f"{name}-fidelity") / model
        result = measure_fidelity(
            task,
            pathlib.Path(_ATLAS_DIR.value or f"runs/{name}-atlas") / model,
            folder,
            num_seeds,
            sizes=SIZES,
            jobs=run_flags.JOBS.value,
            overwrite=run_flags.OVERWRITE.value,
        )
        place = folder / f"{NAME}{num_seeds}"
        save(drawn(result), place / "fidelity.png")
        print(ceiling_lines(result))
        for table in (frame(result), own_frame(result), blend_frame(result)):
            print(as_text(table))
        print("\n".join([*notes(result), f"Written to {place}."]))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
