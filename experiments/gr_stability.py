"""Checks the theory of Lawrence et al. (2021) by numbers: SGD with a triple, without it, and rolled back.

python -m experiments.gr_stability

For random training triples, SGD runs twice with the same draws, on all triples and without that one. The figure
shows over the steps how far the two models are apart, how far apart they are once the triple's own changes are
rolled back, and the bounds in the proofs of Lemmas 4 and 5 on both.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.errors import InputError
from gr_tf.evaluation import stability
from gr_tf.report import figures
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir

common.adopt(run_flags, triple_flags)

NAME = "stability"
_RATE = flags.DEFINE_float("rate", 0.5, "c: step t has size c/t.", lower_bound=1e-6)
_NUM_REMOVED = flags.DEFINE_integer("num_removed", 100, "How many random triples to leave out in turn.", lower_bound=2)


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The numbers for reading, from result.json."""
    rows = [
        ("C: largest embedding norm", f"{result['max_norm']:.3f}"),
        ("L and beta of f by Lemmas 2 and 3", f"{result['lipschitz']:.3f}, {result['smoothness']:.3f}"),
        ("bound of Theorems 1 and 2 on the mean", f"{result['theorem_bound']:.3g}"),
        ("|f(w) - f(w')|: mean, largest", f"{result['mean_difference']:.3g}, {result['max_difference']:.3g}"),
        (
            "|f(w - gamma) - f(w')|: mean, largest",
            f"{result['mean_rolled_back_difference']:.3g}, {result['max_rolled_back_difference']:.3g}",
        ),
        ("of the distance, rolling back leaves", f"{100 * result['share_of_distance_left']:.2g}%"),
        ("rolled back is nearer in the end", f"{100 * result['rolled_back_is_nearer']:.0f}% of runs"),
        (
            "steps within the bounds on the distances",
            ", ".join(f"{100 * share:.0f}%" for share in result["share_of_steps_within_bounds"].values()),
        ),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])


def main() -> None:
    triples = triple_flags.load_dataset()
    config = triple_flags.config_of_flags(triples.name)
    asked: dict[str, Any] = {"dim": config.dim, "epochs": config.epochs, "seed": config.seed}
    if config != dataclasses.replace(triple_flags.default_config(triples.name), **asked):
        raise InputError("only --dim, --epochs and --seed of the training's flags are used here; leave the others out.")
    asked |= {"rate": _RATE.value, "num_removed": _NUM_REMOVED.value}
    folder = run_flags.run_dir(f"{triples.name}-stability") / NAME
    settings = {"checksums": dict(triples.checksums), **asked}
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        result = stability.measure(triples, **asked)
        figures.save(figures.stability_curves(result), stage.place(f"{NAME}.png"))
        stage.finish(result)
    print(as_text(frame(result)))
    print(f"Written to {folder}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main)
