"""What fidelity prints and draws, from its result.json."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.report.figures import Line, fidelity_curves
from gr_tf.report.tables import corrected_correlation, correlation_interval, mean_and_sd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Those of evaluation.agreement that are looked at.
STRATA = ("all", "adjacent", "shared >= 2")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, from result.json: a row per method, of one training and of the largest ensemble."""
    ceilings = {row["stratum"]: row["spearman"]["ceiling"] for row in result["ceilings"]}
    most = max(row["trainings"] for row in result["rows"])
    found = {(row["method"], row["trainings"]): row for row in result["rows"]}
    lds = {(row["method"], row["trainings"]): row["lds"][0] for row in result["lds"]["rows"]}
    near, adjacent = "spearman, shared >= 2", "spearman, adjacent"
    rows = []
    for shuffled in result["shuffled"]:
        name = shuffled["method"]
        one, all_of_them = found[name, 1], found[name, most]
        rows.append(
            {
                "model": result["settings"]["config"]["model"],
                "method": name,
                "Spearman, 1 training": correlation_interval(one[near]),
                "corrected": corrected_correlation(one[near], ceilings["shared >= 2"]),
                f"{most} trainings": correlation_interval(all_of_them[near]),
                "corrected ": corrected_correlation(all_of_them[near], ceilings["shared >= 2"]),
                "adjacent, corrected": corrected_correlation(all_of_them[adjacent], ceilings["adjacent"]),
                "top 1 captures": f"{all_of_them['captured, 1']:.0%}",
                "top 10": f"{all_of_them['captured, 10']:.0%}",
                "LDS": f"{lds[name, most]:.2f}",
                "on shuffled tails": correlation_interval(shuffled["spearman"]),
            }
        )
    return pd.DataFrame(rows)


def ceiling_lines(result: Mapping[str, Any]) -> str:
    """The reliabilities and ceilings behind the table, in a sentence."""
    parts = [
        f"{row['stratum']} {row['spearman']['reliability']:.2f} ({row['spearman']['ceiling'] or 0:.2f})"
        for row in result["ceilings"]
    ]
    lds = result["lds"]
    return (
        f"{result['settings']['config']['model']}: reliability (ceiling) of the truth over "
        f"{result['settings']['atlas_seeds']} seeds, Spearman: {', '.join(parts)}; of the half-subsets' outputs "
        f"{lds['reliability']:.2f} ({lds['ceiling'] or 0:.2f})."
    )


def own_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """One training's explanation of itself, for reading: Spearman with its own effects, and PD%."""

    def shares(values: Sequence[float] | None) -> str:
        return "-" if not values else mean_and_sd([100 * value for value in values], 0) + "%"

    return pd.DataFrame(
        {
            "model": result["settings"]["config"]["model"],
            "method": [row["method"] for row in result["own"]],
            **{
                stratum: [
                    correlation_interval(row[f"spearman, {stratum}"]) if f"spearman, {stratum}" in row else "-"
                    for row in result["own"]
                ]
                for stratum in STRATA
            },
            "PD% of its first": [shares(row.get("pd_own")) for row in result["own"]],
            "PD% of the ensemble's first": [shares(row["pd_ensemble"]) for row in result["own"]],
        }
    )


def blend_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A few retrainings, alone and blended with a method, for reading: corrected Spearman, shared >= 2."""
    rows = result["blends"]
    spent = sorted({row["retrainings"] for row in rows})
    cells = {
        (row["method"], row["retrainings"]): corrected_correlation(row["spearman"], row["ceiling"]) for row in rows
    }
    methods = dict.fromkeys(row["method"] for row in rows)
    return pd.DataFrame(
        {
            "model": result["settings"]["config"]["model"],
            "what": [name if name == "retrainings alone" else f"blended with {name}" for name in methods],
            **{f"retrained {count} x": [cells[name, count] for name in methods] for count in spent},
        }
    )


def drawn(result: Mapping[str, Any]) -> "Figure":
    """Corrected Spearman by size of ensemble, and the effect of the example chosen by retrainings spent."""
    (ceiling,) = (row["spearman"]["ceiling"] for row in result["ceilings"] if row["stratum"] == "shared >= 2")
    methods = dict.fromkeys(row["method"] for row in result["rows"])
    by_size = []
    for name in methods:
        rows = [row for row in result["rows"] if row["method"] == name]
        values = [row["spearman, shared >= 2"][0] / (ceiling or 1) for row in rows]
        by_size.append(Line(name, [row["trainings"] for row in rows], values))
    screens = result["screens"]
    by_retrainings = [
        Line(
            row["method"] + (", both decide" if row["blended"] else ", retraining decides"),
            [count * screens["candidates"] for count in range(len(row["effects"]))],
            row["effects"],
            dashed=not row["blended"],
        )
        for row in screens["rows"]
    ]
    return fidelity_curves(
        result["settings"]["config"]["model"], by_size, by_retrainings, screens["exhaustive"], screens["candidates"]
    )
