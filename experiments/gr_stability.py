"""The theory of Lawrence et al. (2021) by numbers: SGD with and without a triple, and rolled back.

python -m experiments.gr_stability

For random training triples, SGD runs twice with the same draws, on all triples and without that one. Drawn
over the steps: how far the two models are apart, how far apart they are once the triple's own changes are
rolled back, and what the proofs of Lemmas 4 and 5 allow for either.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, run_flags, train_flags
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.stability import coupled_run, denial_constants, distance_bounds, stability_bound
from gr_tf.models.distmult import DistMult
from gr_tf.report import figures
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text

for module in (run_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "stability"
_RATE = flags.DEFINE_float("rate", 0.5, "c: step t has size c/t.", lower_bound=1e-6)
_NUM_REMOVED = flags.DEFINE_integer("num_removed", 100, "Random triples to do without, one at a time.", lower_bound=2)
# Points of a curve in result.json.
_POINTS = 120


def run(
    triples: TripleSet,
    run_dir: pathlib.Path,
    *,
    dim: int,
    rate: float,
    epochs: int,
    num_removed: int,
    seed: int,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes stability/stability.png and stability/result.json.

    Args:
        triples: the dataset.
        run_dir: where the folder goes.
        dim: number of factors.
        rate: c.
        epochs: steps over training triples.
        num_removed: coupled runs.
        seed: of everything random.
        overwrite: drop what is there.

    Returns:
        What result.json holds.
    """
    settings = {
        "checksums": dict(triples.checksums),
        "dim": dim,
        "rate": rate,
        "epochs": epochs,
        "num_removed": num_removed,
        "seed": seed,
    }
    model = DistMult(len(triples.entities), len(triples.relations), dim)
    n = triples.num_examples
    loops = np.flatnonzero(triples.train[:, 0] == triples.train[:, 2])
    if len(loops):
        raise InputError(
            f"the lemmas' constants are for triples of two entities; training triple {loops[0]} has one "
            f"(as have {len(loops) - 1} others)."
        )
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        runs, orders = [], []
        with progress("coupled runs", num_removed) as bar:
            for i in range(num_removed):
                generator = np.random.default_rng([seed, i])
                # Norm 1: from the usual small values, SGD with such step sizes would not get away.
                table = generator.normal(size=(model.num_rows, model.width))
                table /= np.linalg.norm(table, axis=1, keepdims=True)
                order = generator.integers(n, size=epochs * n)
                removed = int(generator.integers(n))
                runs.append(coupled_run(model, triples, table, order, removed, rate))
                orders.append((order, removed))
                bar.advance()
        max_norm = max(run.max_norm for run in runs)
        constants = denial_constants(max_norm)
        bounds = [distance_bounds(order, removed, constants, rate) for order, removed in orders]
        held = {
            "apart": _share_held([run.apart for run in runs], [bound.apart for bound in bounds]),
            "rolled_back_apart": _share_held(
                [run.rolled_back_apart for run in runs], [bound.rolled_back_apart for bound in bounds]
            ),
        }
        steps = np.unique(np.geomspace(1, epochs * n, _POINTS).astype(int))
        curves = {
            "apart": [run.apart for run in runs],
            "rolled_back_apart": [run.rolled_back_apart for run in runs],
            "bound_apart": [bound.apart for bound in bounds],
            "bound_rolled_back_apart": [bound.rolled_back_apart for bound in bounds],
        }
        result = {
            "dataset": triples.name,
            "max_norm": max_norm,
            "lipschitz": constants.lipschitz,
            "smoothness": constants.smoothness,
            "num_examples": n,
            "num_steps": epochs * n,
            "num_removed": num_removed,
            "theorem_bound": stability_bound(constants, rate, epochs * n, n),
            "mean_difference": float(np.mean([run.differences.mean() for run in runs])),
            "max_difference": float(max(run.differences.max() for run in runs)),
            "mean_rolled_back_difference": float(np.mean([run.rolled_back_differences.mean() for run in runs])),
            "max_rolled_back_difference": float(max(run.rolled_back_differences.max() for run in runs)),
            "share_of_distance_left": float(
                np.mean([run.rolled_back_apart[-1] for run in runs]) / np.mean([run.apart[-1] for run in runs])
            ),
            "rolled_back_is_nearer": float(np.mean([run.rolled_back_apart[-1] < run.apart[-1] for run in runs])),
            "share_of_steps_within_bounds": held,
            "steps": steps.tolist(),
            "curves": {name: np.mean(values, axis=0)[steps - 1].tolist() for name, values in curves.items()},
        }
        figures.save(draw(result), stage.path / f"{NAME}.png")
        stage.finish(result)
        return dict(stage.result())


def _share_held(distances: list[np.ndarray], bounds: list[np.ndarray]) -> float:
    """The share of all steps at which a distance is within its bound, up to rounding."""
    return float(np.mean([np.mean(d <= b + 1e-12) for d, b in zip(distances, bounds, strict=True)]))


def draw(result: Mapping[str, Any]) -> Any:
    """The figure, from result.json."""
    curves = result["curves"]
    return figures.curves(
        f"{result['dataset']}: SGD on {result['num_examples']:,} triples and on one less, "
        f"mean of {result['num_removed']} pairs",
        result["steps"],
        [
            figures.Curve("bound on ||w - w'||", curves["bound_apart"], figures.OPPOSING, dashed=True),
            figures.Curve("||w - w'||", curves["apart"], figures.OPPOSING),
            figures.Curve(
                "bound on ||w - gamma - w'||", curves["bound_rolled_back_apart"], figures.SUPPORTING, dashed=True
            ),
            figures.Curve("||w - gamma - w'|| (rolled back)", curves["rolled_back_apart"], figures.SUPPORTING),
        ],
        "step",
        "distance",
    )


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
    triples = train_flags.load_dataset()
    config = train_flags.config_of_flags(triples.name)
    used: dict[str, Any] = {"dim": config.dim, "epochs": config.epochs, "seed": config.seed}
    if config != dataclasses.replace(train_flags.default_config(triples.name), **used):
        raise InputError("of the training's flags, --dim, --epochs and --seed are used here; leave the others out.")
    folder = run_flags.run_dir(f"{triples.name}-stability")
    result = run(
        triples,
        folder,
        **used,
        rate=_RATE.value,
        num_removed=_NUM_REMOVED.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main)
