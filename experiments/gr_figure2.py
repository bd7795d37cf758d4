"""Figure 2 of Lawrence et al. (2021): what rolling back predicts, against what retraining gives.

python -m experiments.gr_figure2 --num_seeds=5                                 # Nations, constraint by constraint
python -m experiments.gr_figure2 --tables=runs/fb15k237-distmult/table1/result.json,...  # finished tables

For each retraining of GR-1: the probability that Gradient Rollback predicts after the removal, and the one
after retraining.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from absl import flags

from experiments import (
    common,
    evaluate_flags,
    explain_flags,
    gr_table1,
    run_flags,
    seed_flags,
    table_files,
    train_flags,
)
from experiments.removal_table import Asked
from gr_tf.constraints import CONSTRAINTS
from gr_tf.data.sources import published_name
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.correlation import pearson
from gr_tf.report import figures, published
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, mean_and_sd
from gr_tf.training.config import TrainConfig

for module in (evaluate_flags, explain_flags, run_flags, seed_flags, table_files, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "figure2"
DEFAULTS = {"methods": ["GR"], "ks": ["1"]}
_CONSTRAINTS = flags.DEFINE_list(
    "constraints",
    list(CONSTRAINTS),
    f"Constraints to compare: {', '.join(CONSTRAINTS)}; all but none need dense steps.",
)


def compare_constraints(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    asked: Asked,
    constraints: Sequence[str],
    num_seeds: int,
) -> dict[str, Any]:
    """Makes what is missing of the tables, a folder each, and the figure; see `run`.

    Args:
        triples: the dataset.
        config: the training; its constraint is set to each of `constraints`.
        run_dir: the folder.
        asked: see gr_table1; must have the method GR and k = 1.
        constraints: some of CONSTRAINTS.
        num_seeds: trainings of each, from config.seed on.
    """
    if "GR" not in asked.methods or "1" not in asked.ks:
        raise InputError("Figure 2 is about GR-1: it needs GR in --methods and 1 in --ks.")
    if asked.num_queries == 1:
        raise InputError("Figure 2 is a correlation: it needs --num_queries of 2 or more.")
    if config.constraint != "none":
        raise InputError("name the constraints to compare with --constraints, not with --constraint.")
    configs = [
        dataclasses.replace(config, constraint=constraint, seed=seed)
        for constraint in constraints
        for seed in range(config.seed, config.seed + num_seeds)
    ]
    tables = [
        gr_table1.run(
            triples, each, run_dir / f"{each.constraint}-seed{each.seed}", dataclasses.replace(asked, reuse=True)
        )
        for each in configs
    ]
    return run(tables, run_dir, asked.overwrite)


def run(tables: Sequence[Mapping[str, Any]], run_dir: pathlib.Path, overwrite: bool = False) -> dict[str, Any]:
    """Writes figure2/figure2.png and figure2/result.json.

    Args:
        tables: results of gr_table1; those that differ by their seed only share a panel.
        run_dir: where the figure's folder goes.
        overwrite: drop a figure that is there.

    Returns:
        What result.json holds.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for table in tables:
        group = groups.setdefault(_all_but_seed(table["settings"]), [])
        if any(other["settings"]["config"] == table["settings"]["config"] for other in group):
            raise InputError(f"the table of {table['dataset']}, {table['model']} with the same seed is there twice.")
        group.append(table)
    panels = [_panel(group) for group in groups.values()]
    with RunDir.begin(run_dir / NAME, {"made_from": [t["settings"] for t in tables]}, overwrite=overwrite) as stage:
        result = {"panels": panels}
        figures.save(draw(result), stage.path / f"{NAME}.png")
        stage.finish(result)
        return dict(stage.result())


def _all_but_seed(settings: Mapping[str, Any]) -> str:
    """The settings that tables of one panel share, as a key."""
    shared = {name: value for name, value in settings.items() if not name.endswith("_fingerprint") and name != "k"}
    return json.dumps(shared | {"config": settings["config"] | {"seed": None}}, sort_keys=True)


def _panel(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One panel, of tables that differ by their seed."""
    table = tables[0]
    config = table["settings"]["config"]
    is_papers = (published_name(table["settings"]["checksums"]), config["model"], config["loss"]) == (
        "nations",
        "distmult",
        "softmax",
    )
    return {
        "dataset": table["dataset"],
        "model": table["model"],
        "constraint": config["constraint"],
        "paper": published.FIGURE_2.get(config["constraint"]) if is_papers else None,
        "seeds": [_retrainings(table) for table in tables],
    }


def _retrainings(table: Mapping[str, Any]) -> dict[str, Any]:
    """GR-1's retrainings of one table."""
    rows = pd.DataFrame(table["retrainings"])
    rows = rows[(rows["method"] == "GR") & (rows["k"] == "1") & rows["p_predicted"].notna()]
    if len(rows) < 2:
        raise InputError(f"Figure 2 needs two retrainings of GR-1 or more; {table['dataset']}'s table has {len(rows)}.")
    before, predicted, retrained = rows["p_before"], rows["p_predicted"], rows["p_after"]
    return {
        "seed": table["settings"]["config"]["seed"],
        "lipschitz": table["lipschitz"],
        "tc": 100 * float(rows["tc"].mean()),
        "pearson": dataclasses.asdict(pearson(predicted.tolist(), retrained.tolist())),
        # The probabilities share what they were before; their changes do not.
        "pearson_of_change": dataclasses.asdict(pearson((before - predicted).tolist(), (before - retrained).tolist())),
        "mean_error": float((predicted - retrained).abs().mean()),
        "mean_change": float((before - retrained).abs().mean()),
        "p_before": before.tolist(),
        "p_predicted": predicted.tolist(),
        "p_retrained": retrained.tolist(),
    }


def draw(result: Mapping[str, Any]) -> Any:
    """The figure, from result.json: the first seed of each panel."""
    return figures.prediction_scatter(
        [
            figures.Scatter(
                f"{panel['dataset']}, {panel['model']}, {panel['constraint'].replace('_', ' ')}\n"
                f"{_r(seed)}, Lipschitz {seed['lipschitz']:.2f}, n = {seed['pearson']['n']}",
                seed["p_predicted"],
                seed["p_retrained"],
            )
            for panel in result["panels"]
            for seed in panel["seeds"][:1]
        ]
    )


def _r(seed: Mapping[str, Any]) -> str:
    r = seed["pearson"]["r"]
    return "r undefined" if r is None else f"r = {r:.2f}"


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The figure's numbers for reading, from result.json."""

    def correlation(panel: Mapping[str, Any], name: str) -> str:
        seeds = [seed[name] for seed in panel["seeds"] if seed[name]["r"] is not None]
        if not seeds:
            return "undefined"
        if len(seeds) == 1:
            return "{r:.2f} [{low:.2f}, {high:.2f}]".format(**seeds[0])
        return mean_and_sd([seed["r"] for seed in seeds], 2)

    def paper(panel: Mapping[str, Any], place: int) -> str:
        return "-" if panel["paper"] is None else str(panel["paper"][place])

    panels = result["panels"]
    return pd.DataFrame(
        {
            "dataset": [panel["dataset"] for panel in panels],
            "model": [panel["model"] for panel in panels],
            "constraint": [panel["constraint"] for panel in panels],
            "Lipschitz": [mean_and_sd([seed["lipschitz"] for seed in panel["seeds"]], 2) for panel in panels],
            "paper's": [paper(panel, 0) for panel in panels],
            "GR-1 TC%": [mean_and_sd([seed["tc"] for seed in panel["seeds"]], 1) for panel in panels],
            "paper's TC%": [paper(panel, 1) for panel in panels],
            "mean error of p": [mean_and_sd([seed["mean_error"] for seed in panel["seeds"]], 3) for panel in panels],
            "mean change of p": [mean_and_sd([seed["mean_change"] for seed in panel["seeds"]], 3) for panel in panels],
            "r": [correlation(panel, "pearson") for panel in panels],
            "r of the changes": [correlation(panel, "pearson_of_change") for panel in panels],
            "seeds": [len(panel["seeds"]) for panel in panels],
        }
    )


def main() -> None:
    tables = table_files.read()
    if tables:
        folder = run_flags.run_dir("figures")
        result = run(tables, folder, run_flags.OVERWRITE.value)
    else:
        triples = train_flags.load_dataset()
        config = train_flags.config_of_flags(triples.name)
        folder = run_flags.run_dir(f"{triples.name}-{config.model}-constraints")
        asked = Asked.of_flags(triples.name)
        result = compare_constraints(triples, config, folder, asked, _CONSTRAINTS.value, seed_flags.NUM_SEEDS.value)
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}: {NAME}.png, result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
