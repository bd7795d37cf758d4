"""Removes explanations, retrains, and compares (Gradient Rollback, step 3).

python -m experiments.gr_evaluate
"""

from absl import flags

from experiments import common, evaluate_flags, jobs_flag, run_flags
from gr_tf.report.tables import as_text, removal_frame
from gr_tf.stages import evaluate

for module in (evaluate_flags, run_flags):
    flags.adopt_module_key_flags(module)


def main() -> None:
    stage = evaluate.run(
        run_flags.run_dir(),
        methods=evaluate_flags.METHODS_LIST.value,
        ks=evaluate_flags.K_LIST.value,
        nh_seed=evaluate_flags.NH_SEED.value,
        released_defects=evaluate_flags.RELEASED_DEFECTS.value,
        jobs=jobs_flag.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    result = stage.result()
    print(as_text(removal_frame(result["table"])))
    timing = result["timing"]
    print(f"{timing['retrainings']} retrainings in {timing['seconds']:.0f} s, {timing['jobs']} at a time.")
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main)
