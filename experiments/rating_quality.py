"""How good are the models of ratings that are explained? RMSE over five random folds.

python -m experiments.rating_quality --dataset=movielens-100k --data_dir=DATA/ml-100k

Trains with the settings of one's own ratings on four fifths of the ratings, of which a twentieth selects the epoch, and
measures on the last fifth; every rating is tested once. A kill loses a few seconds.
"""

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from gr_tf.commands import common, config_flags, data_flags, run_flags
from gr_tf.data.rating_folds import load_folds
from gr_tf.report import published
from gr_tf.report.tables import as_text, or_dash
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.runs.journal import Journal
from gr_tf.runs.run_dir import CHECKPOINTS, RunDir
from gr_tf.tasks import kinds
from gr_tf.tasks.ratings import RatingTask
from gr_tf.training.rating_config import RatingConfig

config_flags.define({"": RatingConfig}, defaults=False)
common.adopt(config_flags, data_flags, run_flags)

NAME = "quality"
_NUM_FOLDS = flags.DEFINE_integer("folds", 5, "How many folds.", lower_bound=2)
_SEED = flags.DEFINE_integer("folds_seed", 0, "Seed of the folds.", lower_bound=0)
_FIELDS = ("fold", "epoch", "quality", "baseline", "seconds")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row of the model's mean RMSE over the folds, its baseline, and what others report."""
    folds, config = result["folds"], result["config"]
    rmse = [fold["quality"]["test"]["rmse"] for fold in folds]
    surprise = published.SURPRISE.get(result["dataset"], {})
    row = {
        "dataset": result["dataset"],
        "model": f"{config['model']}, {config['dim']} factors, {config['optimizer']}",
        "RMSE": f"{np.mean(rmse):.4f} ({min(rmse):.4f}-{max(rmse):.4f})",
        result["baseline_name"]: f"{np.mean([fold['baseline']['test']['rmse'] for fold in folds]):.4f}",
        **{f"Surprise's {name}": or_dash(surprise.get(name), "{:.3f}") for name in ("baseline", "SVD", "SVD++")},
        "epochs": f"{min(fold['epoch'] for fold in folds)}-{max(fold['epoch'] for fold in folds)}",
        "CPU seconds a fold": f"{np.mean([fold['seconds'] for fold in folds]):.0f}",
    }
    return pd.DataFrame([row])


def main() -> None:
    folds = load_folds(
        data_flags.DATASET.value, data_flags.DATA_DIR.value, num_folds=_NUM_FOLDS.value, seed=_SEED.value
    )
    first = folds.fold(0)
    config = kinds.own_config("ratings", first, config_flags.asked(RatingConfig))
    folder = run_flags.run_dir(f"{first.name}-{config.model}-{NAME}") / NAME
    settings = {
        "checksum": folds.ratings.checksum,
        "config": config.to_dict(),
        **{flag.name: flag.value for flag in (_NUM_FOLDS, _SEED)},
    }
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value, reuse=True) as stage:
        with contextlib.closing(Journal(stage.place("folds.jsonl"), _FIELDS)) as journal:
            for number in range(len(journal.records), 0 if stage.is_finished else _NUM_FOLDS.value):
                task = RatingTask(folds.fold(number), config)
                place = stage.place(CHECKPOINTS) / f"fold-{number}"
                checkpoints = CheckpointFolder(place, run_flags.CHECKPOINT_SECONDS.value)
                start = time.process_time()
                training = task.train(validating=config.patience is not None, checkpoints=checkpoints)
                told = {"quality": task.quality(training.parameters), "baseline": task.baselines()}
                seconds = time.process_time() - start
                journal.add({"fold": number, "epoch": training.epoch, **told, "seconds": seconds})
                checkpoints.clear()
            if not stage.is_finished:
                about = {"dataset": first.name, "config": config.to_dict(), "baseline_name": RatingTask.baseline_name}
                stage.finish({**about, "folds": journal.records})
        result = stage.result()
    print(as_text(frame(result)))
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
