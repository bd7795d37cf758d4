"""Makes Figure 2 of Lawrence et al. (2021) from tables: what rolling back predicts, against what retraining gives."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.data.sources import published_name
from gr_tf.errors import InputError
from gr_tf.evaluation.statistics import pearson
from gr_tf.report import figures, published
from gr_tf.report.tables import mean_and_sd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def panels(tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The figure's numbers, for result.json: one panel for all tables that differ by their seed only.

    Args:
        tables: results of removal_table.run.

    Raises:
        InputError: if a table occurs twice, or has too few retrainings of GR-1 (GR's first triple removed).
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for table in tables:
        group = groups.setdefault(_all_but_seed(table["settings"]), [])
        if any(other["settings"]["config"] == table["settings"]["config"] for other in group):
            raise InputError(f"the table of {table['dataset']}, {table['model']} with the same seed is given twice.")
        group.append(table)
    return [_panel(group) for group in groups.values()]


def _all_but_seed(settings: Mapping[str, Any]) -> str:
    """The settings that tables of one panel share, as a key."""
    shared = {name: value for name, value in settings.items() if not name.endswith("_fingerprint") and name != "k"}
    return json.dumps(shared | {"config": settings["config"] | {"seed": None}}, sort_keys=True)


def _panel(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One panel, from tables that differ by their seed."""
    table = tables[0]
    config = table["settings"]["config"]
    trained = (published_name(table["settings"]["checksums"]), config["model"], config["loss"])
    return {
        "dataset": table["dataset"],
        "model": table["model"],
        "constraint": config["constraint"],
        "paper": published.FIGURE_2.get(config["constraint"]) if trained == published.FIGURE_2_TRAINED else None,
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
        # Both probabilities contain the one before the removal; their changes do not.
        "pearson_of_change": dataclasses.asdict(pearson((before - predicted).tolist(), (before - retrained).tolist())),
        "mean_error": float((predicted - retrained).abs().mean()),
        "mean_change": float((before - retrained).abs().mean()),
        "p_before": before.tolist(),
        "p_predicted": predicted.tolist(),
        "p_retrained": retrained.tolist(),
    }


def draw(result: Mapping[str, Any]) -> "Figure":
    """Draws the figure from result.json: predicted against retrained probabilities, for each panel's first seed."""
    figure, places = figures.new_figure(len(result["panels"]), columns=4)
    for axes, panel in zip(places, result["panels"], strict=True):
        seed = panel["seeds"][0]
        r, n = seed["pearson"]["r"], seed["pearson"]["n"]
        axes.plot([0, 1], [0, 1], **figures.REFERENCE)
        axes.scatter(seed["p_predicted"], seed["p_retrained"], s=14, alpha=0.55, color=figures.SUPPORTING, linewidths=0)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="p predicted by rolling back")
        axes.set_title(
            f"{panel['dataset']}, {panel['model']}, {panel['constraint'].replace('_', ' ')}\n"
            f"r {'undefined' if r is None else f'= {r:.2f}'}, Lipschitz {seed['lipschitz']:.2f}, n = {n}",
            fontsize=9,
        )
        if axes in places[::4]:
            axes.set_ylabel("p after retraining")
    return figure


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The figure's numbers for reading, from result.json."""
    return pd.DataFrame(map(_row, result["panels"]))


def _row(panel: Mapping[str, Any]) -> dict[str, Any]:
    def mean(name: str, decimals: int) -> str:
        return mean_and_sd([seed[name] for seed in panel["seeds"]], decimals)

    def correlation(name: str) -> str:
        defined = [seed[name] for seed in panel["seeds"] if seed[name]["r"] is not None]
        if len(defined) == 1:
            return "{r:.2f} [{low:.2f}, {high:.2f}]".format(**defined[0])
        return mean_and_sd([one["r"] for one in defined], 2) if defined else "undefined"

    lipschitz, tc = map(str, panel["paper"] or ("-", "-"))
    return {
        **{name: panel[name] for name in ("dataset", "model", "constraint")},
        "Lipschitz": mean("lipschitz", 2),
        "paper's": lipschitz,
        "GR-1 TC%": mean("tc", 1),
        "paper's TC%": tc,
        "mean error of p": mean("mean_error", 3),
        "mean change of p": mean("mean_change", 3),
        "r": correlation("pearson"),
        "r of the changes": correlation("pearson_of_change"),
        "seeds": len(panel["seeds"]),
    }
