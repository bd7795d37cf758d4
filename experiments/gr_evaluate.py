"""Removes explanations, retrains, and compares (Gradient Rollback, step 3).

python -m experiments.gr_evaluate
"""

from absl import flags

from experiments import evaluate_flags
from gr_tf.commands import common, run_flags
from gr_tf.evaluation import removal
from gr_tf.report.removal_table import rows_beside_paper
from gr_tf.report.tables import as_text, removal_frame
from gr_tf.tasks import stage as training

for module in (evaluate_flags, run_flags):
    flags.adopt_module_key_flags(module)


def main() -> None:
    folder = run_flags.run_dir("nations-distmult")
    stage = removal.evaluate(
        folder,
        methods=evaluate_flags.methods(),
        ks=evaluate_flags.K_LIST.value,
        nh_seed=evaluate_flags.NH_SEED.value,
        released_defects=evaluate_flags.RELEASED_DEFECTS.value,
        jobs=run_flags.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    result = stage.result()
    print(as_text(removal_frame(rows_beside_paper(result, training.load(folder).task))))
    timing = result["timing"]
    print(f"{timing['retrainings']} retrainings in {timing['seconds']:.0f} s, {timing['jobs']} at a time.")
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main)
