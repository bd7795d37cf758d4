"""What finds mistakes made on purpose? Ranks the training examples in every way that `gr_tf suspects` has.

python -m experiments.find_suspects --dataset=nations --flip=0.1 --num_seeds=10
python -m experiments.find_suspects --dataset=movielens-100k --flip=0.1
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import seed_flags
from gr_tf.commands import common, open_flags, run_flags
from gr_tf.evaluation.detection import STAGE, find_mistakes
from gr_tf.report.tables import as_text, mean_and_sd

common.adopt(open_flags, run_flags, seed_flags)

_FLIP = flags.DEFINE_float("flip", 0.1, "Make this share of the training examples wrong first.")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Makes a table for reading, from result.json."""
    found = f"found in the first {result['settings']['share']:.0%}"
    return pd.DataFrame(
        {
            "dataset": result["settings"]["dataset"],
            "ranked by": row["way"],
            "AUROC": mean_and_sd(row["auroc"], 3),
            found: mean_and_sd([100 * value for value in row["recall"]], 1) + "%",
            "seeds": len(result["seeds"]),
        }
        for row in result["rows"]
    )


def main() -> None:
    task = open_flags.load_task(open_flags.kind())
    folder = run_flags.run_dir(f"{task.dataset.name}-{task.config.model}-flipped")
    result = find_mistakes(task, folder, _FLIP.value, seed_flags.NUM_SEEDS.value, overwrite=run_flags.OVERWRITE.value)
    print(as_text(frame(result)))
    print(f"Written to {folder / STAGE / 'result.json'}.")


if __name__ == "__main__":
    common.start(main)
