"""Removes explanations, retrains, and compares (Gradient Rollback, step 3).

python -m experiments.gr_evaluate
"""

from experiments import removal_flags
from gr_tf.commands import common, run_flags
from gr_tf.evaluation import removal
from gr_tf.report.removal_table import rows_beside_paper
from gr_tf.report.tables import as_text, removal_frame
from gr_tf.tasks import stage as training

common.adopt(removal_flags, run_flags)


def main() -> None:
    folder = run_flags.run_dir("nations-distmult")
    stage = removal.evaluate(folder, **removal_flags.removals(), overwrite=run_flags.OVERWRITE.value)
    result = stage.result()
    print(as_text(removal_frame(rows_beside_paper(result, training.load(folder).task))))
    timing = result["timing"]
    print(f"{timing['retrainings']} retrainings in {timing['seconds']:.0f} s, {timing['jobs']} at a time.")
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main)
