"""Removes explanations, retrains, and compares (Gradient Rollback, step 3).

python -m experiments.gr_evaluate
"""

from typing import Any

from absl import flags

from gr_tf.commands import common, engine_flags, removal_flags, run_flags, shard_flag
from gr_tf.evaluation import removal
from gr_tf.evaluation.released import DEFECTS
from gr_tf.report.removal_table import rows_beside_paper
from gr_tf.report.tables import as_text, removal_frame
from gr_tf.tasks import stage as training

common.adopt(engine_flags, removal_flags, run_flags, shard_flag)

_RELEASED_DEFECTS = flags.DEFINE_list(
    "released_defects",
    [],
    "Known defects of the authors' released evaluation to repeat: "
    + "; ".join(f"{name}: {what}" for name, what in DEFECTS.items())
    + ".",
)


def removals() -> dict[str, Any]:
    """The arguments of evaluation.removal.evaluate that say what to remove."""
    return {
        "methods": removal_flags.METHODS.value or ("NH", "GR"),
        "ks": removal_flags.K_LIST.value,
        **removal_flags.of_nh(),
        "released_defects": _RELEASED_DEFECTS.value,
        "jobs": run_flags.JOBS.value,
    }


def main() -> None:
    folder = run_flags.run_dir("nations-distmult")
    stage = removal.evaluate(folder, **removals(), overwrite=run_flags.OVERWRITE.value)
    result = stage.result()
    print(as_text(removal_frame(rows_beside_paper(result, training.load(folder).task))))
    timing = result["timing"]
    print(f"{timing['retrainings']} retrainings in {timing['seconds']:.0f} s, {timing['jobs']} at a time.")
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main)
