"""The tables and the figure of what methods say beside the truth, from result.json."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.evaluation import agreement
from gr_tf.report.figures import Line, fidelity_curves
from gr_tf.report.tables import corrected_correlation, correlation_interval, mean_and_sd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Result = Mapping[str, Any]
# What methods are called in results from before they had one name everywhere.
_EARLIER_NAMES = {
    "NH": "nh",
    "GR": "gr",
    "GR-O": "gr-o",
    "CRIAGE": "criage",
    "TracIn": "tracin",
    "TracInCP": "tracin, every epoch",
    "gradient dot": "dot",
    "gradient cosine": "cosine",
    "influence (query's rows)": "influence, query's rows",
    "influence (all)": "influence",
    "complete rollback": "rollback-all",
    "replay": "replay with epoch 1",
    "replay, median": "replay with epoch 1, median",
    "replay from epoch 2": "replay",
    "replay of the last epoch": "replay, last epoch",
    "FIA, published decay": "fia, published decay",
    "FIA, decay as trained": "fia",
    "IA": "ia",
}


def with_present_names(result: Result) -> Result:
    """A result whose methods have the names of the registry, whichever version wrote it."""
    if not any(row["method"] == "NH" for row in result["rows"]):
        return result

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {k: _EARLIER_NAMES.get(v, v) if k == "method" else renamed(v) for k, v in value.items()}

    return {key: renamed(value) for key, value in result.items()}


def atlas_frame(result: Result) -> pd.DataFrame:
    """The reliability of an atlas for reading: a row per stratum."""
    settings, rows = result["settings"], result["rows"]
    spearman = [row["spearman"] for row in rows]
    return pd.DataFrame(
        {
            "dataset": settings["dataset"],
            "model": settings["config"]["model"],
            "varied": settings["varied"],
            "seeds": settings["num_seeds"],
            "examples": [row["stratum"] for row in rows],
            "mean size of an effect, one seed": [f"{row['mean_effect']:.4f}" for row in rows],
            "of its mean over seeds": [f"{row['mean_expected_effect']:.4f}" for row in rows],
            "Spearman of two seeds": [f"{cell['one_seed']:.2f}" for cell in spearman],
            "reliability of the mean": [f"{cell['reliability']:.2f}" for cell in spearman],
            "ceiling": ["none" if cell["ceiling"] is None else f"{cell['ceiling']:.2f}" for cell in spearman],
        }
    )


def frame(result: Result) -> pd.DataFrame:
    """All methods beside an atlas, for reading: a row per method, of one training and of the largest ensemble."""
    result = with_present_names(result)
    ceilings = {row["stratum"]: row["spearman"]["ceiling"] for row in result["ceilings"]}
    most = max(row["trainings"] for row in result["rows"])
    found = {(row["method"], row["trainings"]): row for row in result["rows"]}
    lds = {(row["method"], row["trainings"]): row["lds"][0] for row in result["lds"]["rows"]}
    nearest = _nearest(result)
    near, adjacent = f"spearman, {nearest}", "spearman, adjacent"
    rows = []
    for shuffled in result["shuffled"]:
        name = shuffled["method"]
        one, all_of_them = found[name, 1], found[name, most]
        rows.append(
            {
                "model": result["settings"]["config"]["model"],
                "method": name,
                "Spearman, 1 training": correlation_interval(one[near]),
                "corrected": corrected_correlation(one[near], ceilings[nearest]),
                f"{most} trainings": correlation_interval(all_of_them[near]),
                "corrected ": corrected_correlation(all_of_them[near], ceilings[nearest]),
                "adjacent, corrected": corrected_correlation(all_of_them[adjacent], ceilings["adjacent"]),
                "top 1 captures": f"{all_of_them['captured, 1']:.0%}",
                "top 10": f"{all_of_them['captured, 10']:.0%}",
                "LDS": f"{lds[name, most]:.2f}",
                "on shuffled tails": correlation_interval(shuffled["spearman"]),
            }
        )
    return pd.DataFrame(rows)


def _nearest(result: Result) -> str:
    """The last stratum is that of the examples that share most with the queries."""
    return str(result["ceilings"][-1]["stratum"])


def ceiling_lines(result: Result) -> str:
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


def own_frame(result: Result) -> pd.DataFrame:
    """One training's explanation of itself, for reading: Spearman with its own effects, and PD%."""

    def shares(values: Sequence[float] | None) -> str:
        return "-" if not values else mean_and_sd([100 * value for value in values], 0) + "%"

    rows = with_present_names(result)["own"]
    return pd.DataFrame(
        {
            "model": result["settings"]["config"]["model"],
            "method": [row["method"] for row in rows],
            **{
                stratum: [
                    correlation_interval(row[f"spearman, {stratum}"]) if f"spearman, {stratum}" in row else "-"
                    for row in rows
                ]
                for stratum in (told["stratum"] for told in result["ceilings"])
            },
            "PD% of its first": [shares(row.get("pd_own")) for row in rows],
            "PD% of the ensemble's first": [shares(row["pd_ensemble"]) for row in rows],
        }
    )


def blend_frame(result: Result) -> pd.DataFrame:
    """A few retrainings, alone and blended with a method, for reading: corrected Spearman of the nearest examples."""
    rows = with_present_names(result)["blends"]
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


def drawn(result: Result) -> "Figure":
    """Corrected Spearman by size of ensemble, and the effect of the example chosen by retrainings spent."""
    result, nearest = with_present_names(result), _nearest(result)
    ceiling = result["ceilings"][-1]["spearman"]["ceiling"]
    methods = dict.fromkeys(row["method"] for row in result["rows"])
    by_size = []
    for name in methods:
        rows = [row for row in result["rows"] if row["method"] == name]
        values = [row[f"spearman, {nearest}"][0] / (ceiling or 1) for row in rows]
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


def one_model_frame(result: Result) -> pd.DataFrame:
    """Methods beside training on from one model, for reading."""
    settings, rows = result["settings"], with_present_names(result)["rows"]

    def limit(name: str) -> str:
        return f"{agreement.ceiling(result['reliability'][name]) or 0:.2f}"

    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": f"{result['config']['model']}, weight decay {result['config']['weight_decay']:g}",
            "ratings": f"{settings['num_points']} x {settings['num_ratings']}",
            "method": [row["method"] for row in rows],
            "Spearman": [correlation_interval(row["spearman"]) for row in rows],
            "ceiling": limit("spearman"),
            "Pearson": [correlation_interval(row["pearson"]) for row in rows],
            "ceiling ": limit("pearson"),
            "negative curvature": [row["negative_curvature"] for row in rows],
            "unsolved": [row["unsolved"] for row in rows],
        }
    )


def truth_line(result: Result) -> str:
    """What the truth of `seeds_frame` is, and how certain, in a sentence."""
    settings, told, rmse = result["settings"], result["reliability"], result["accuracy"]
    points = settings["points"]

    def limit(name: str) -> str:
        ceiling = told[name]["ceiling"]
        return "no ceiling" if ceiling is None else f"ceiling {ceiling:.2f}"

    return (
        f"{settings['config']['model']}, {settings['dataset']}: {points['num_ratings']} ratings of each of "
        f"{points['num_points']} points, {settings['num_seeds']} seeds. Two seeds agree at Spearman "
        f"{told['spearman']['one_seed']:.2f}, Pearson {told['pearson']['one_seed']:.2f}; reliability of their mean "
        f"{told['spearman']['reliability']:.2f} ({limit('spearman')}) and {told['pearson']['reliability']:.2f} "
        f"({limit('pearson')}). Test RMSE of the explained trainings {mean_and_sd(rmse['test'], 3)}."
    )


def seeds_frame(result: Result) -> pd.DataFrame:
    """Methods beside trainings of several seeds without some ratings, for reading."""
    rows, ceilings = with_present_names(result)["rows"], result["reliability"]
    count = result["settings"]["num_seeds"]
    return pd.DataFrame(
        {
            "method": [row["method"] for row in rows],
            "Spearman, 1 training": [correlation_interval(row["spearman"]["one"]) for row in rows],
            f"{count} trainings": [correlation_interval(row["spearman"]["all"]) for row in rows],
            "corrected Spearman": [
                corrected_correlation(row["spearman"]["all"], ceilings["spearman"]["ceiling"]) for row in rows
            ],
            f"Pearson, {count} trainings": [correlation_interval(row["pearson"]["all"]) for row in rows],
            "corrected Pearson": [
                corrected_correlation(row["pearson"]["all"], ceilings["pearson"]["ceiling"]) for row in rows
            ],
            "an influence of 1 does": [correlation_interval(row["slope"]) for row in rows],
            "Spearman with its own training": [correlation_interval(row["spearman"]["own"]) for row in rows],
            "negative curvature": [row["negative_curvature"] for row in rows],
            "unsolved": [row["unsolved"] for row in rows],
        }
    )


def notes(result: Result) -> list[str]:
    """Why methods are not in a table, or are to be doubted, a line each."""
    told = [f"{name}: {why}" for name, why in result.get("refused", {}).items()]
    for name, warnings in result.get("warnings", {}).items():
        told += [f"{name}: {warning} ({count} trainings)" for warning, count in warnings.items()]
    return told
