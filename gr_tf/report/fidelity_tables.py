"""Makes the tables and the figure that compare methods with the truth, from result.json."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.evaluation import agreement
from gr_tf.evaluation.method_names import with_present_names
from gr_tf.report.figures import NEUTRAL, REFERENCE, new_figure
from gr_tf.report.tables import corrected_correlation, correlation_interval, mean_and_sd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Result = Mapping[str, Any]


def atlas_frame(result: Result) -> pd.DataFrame:
    """The reliability of an atlas for reading, a row for each stratum."""
    settings = result["settings"]
    return pd.DataFrame(
        {
            "dataset": settings["dataset"],
            "model": settings["config"]["model"],
            "varied": settings["varied"],
            "seeds": settings["num_seeds"],
            "examples": row["stratum"],
            "mean size of an effect, one seed": f"{row['mean_effect']:.4f}",
            "of its mean over seeds": f"{row['mean_expected_effect']:.4f}",
            "Spearman of two seeds": f"{row['spearman']['one_seed']:.2f}",
            "reliability of the mean": f"{row['spearman']['reliability']:.2f}",
            "ceiling": "none" if row["spearman"]["ceiling"] is None else f"{row['spearman']['ceiling']:.2f}",
        }
        for row in result["rows"]
    )


def frame(result: Result) -> pd.DataFrame:
    """Compares all methods with an atlas: a row per method, for one training and for the largest ensemble."""
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
    """The stratum of the examples that share most with the queries, which is the last one."""
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
    """Shows one training's explanation of itself: Spearman's correlation with its own effects, and PD%."""

    def shares(values: Sequence[float] | None) -> str:
        return "-" if not values else mean_and_sd([100 * value for value in values], 0) + "%"

    def interval(row: Mapping[str, Any], name: str) -> str:
        return correlation_interval(row[name]) if name in row else "-"

    strata = [told["stratum"] for told in result["ceilings"]]
    return pd.DataFrame(
        {
            "model": result["settings"]["config"]["model"],
            "method": row["method"],
            **{stratum: interval(row, f"spearman, {stratum}") for stratum in strata},
            "PD% of its first": shares(row.get("pd_own")),
            "PD% of the ensemble's first": shares(row["pd_ensemble"]),
        }
        for row in with_present_names(result)["own"]
    )


def blend_frame(result: Result) -> pd.DataFrame:
    """Shows a few retrainings, alone and blended with a method: Spearman over the ceiling, for the nearest examples."""
    cells: dict[str, dict[str, Any]] = {}
    for row in sorted(with_present_names(result)["blends"], key=lambda row: row["retrainings"]):
        what = row["method"] if row["method"] == "retrainings alone" else f"blended with {row['method']}"
        told = cells.setdefault(what, {"model": result["settings"]["config"]["model"], "what": what})
        told[f"retrained {row['retrainings']} x"] = corrected_correlation(row["spearman"], row["ceiling"])
    return pd.DataFrame(list(cells.values()))


def drawn(result: Result) -> "Figure":
    """Draws what methods gain from more trainings to explain, and from retraining what they propose.

    On the left is Spearman's correlation as a share of the ceiling, by the number of explained trainings; on the right,
    the effect of the chosen example, by the number of retrainings for a query.
    """
    import matplotlib as mpl

    result, nearest = with_present_names(result), _nearest(result)
    ceiling, screens = result["ceilings"][-1]["spearman"]["ceiling"] or 1, result["screens"]
    colors = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    figure, (left, right) = new_figure(2, width=7, height=4.6)
    rows = pd.DataFrame(result["rows"])
    for number, (name, of_method) in enumerate(rows.groupby("method", sort=False)):
        shares = [mean / ceiling for mean, *_ in of_method[f"spearman, {nearest}"]]
        color = colors[2 * number % 20 + number // 10]
        left.plot(of_method["trainings"], shares, marker="o", markersize=3, color=color, label=name)
    left.axhline(1, **REFERENCE)
    left.axhline(0, color=NEUTRAL, linewidth=0.8)
    left.set(xscale="log", xlabel="trainings explained", ylabel="Spearman / ceiling, shared >= 2")
    ticks = sorted(set(rows["trainings"]))
    left.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    for number, row in enumerate(screens["rows"]):
        retrained = [count * screens["candidates"] for count in range(len(row["effects"]))]
        label = row["method"] + (", both decide" if row["blended"] else ", retraining decides")
        style, color = "-" if row["blended"] else "--", colors[2 * (number // 2)]
        right.plot(retrained, row["effects"], style, marker="o", markersize=3, color=color, label=label)
    # The effect of the example that is chosen if retraining leaves out every example in turn.
    right.axhline(screens["exhaustive"], **REFERENCE, label="every one retrained, half the seeds")
    right.set(xlabel=f"retrainings of the first {screens['candidates']}", ylabel="mean effect of the example chosen")
    right.set_ylim(bottom=min(0, right.get_ylim()[0]))
    for axes in (left, right):
        axes.set_title(result["settings"]["config"]["model"], fontsize=10)
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def one_model_frame(result: Result) -> pd.DataFrame:
    """Compares methods with training on from one model."""
    settings = result["settings"]
    spearman, pearson = (agreement.ceiling(result["reliability"][name]) or 0 for name in ("spearman", "pearson"))
    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": f"{result['config']['model']}, weight decay {result['config']['weight_decay']:g}",
            "ratings": f"{settings['num_points']} x {settings['num_ratings']}",
            "method": row["method"],
            "Spearman": correlation_interval(row["spearman"]),
            "ceiling": f"{spearman:.2f}",
            "Pearson": correlation_interval(row["pearson"]),
            "ceiling ": f"{pearson:.2f}",
            "negative curvature": row["negative_curvature"],
            "unsolved": row["unsolved"],
        }
        for row in with_present_names(result)["rows"]
    )


def truth_line(result: Result) -> str:
    """Says what the truth of `seeds_frame` is, and how certain."""
    settings, points = result["settings"], result["settings"]["points"]
    spearman, pearson = (result["reliability"][name] for name in ("spearman", "pearson"))

    def limit(ceiling: float | None) -> str:
        return "no ceiling" if ceiling is None else f"ceiling {ceiling:.2f}"

    return (
        f"{settings['config']['model']}, {settings['dataset']}: {points['num_ratings']} ratings of each of "
        f"{points['num_points']} points, {settings['num_seeds']} seeds. Two seeds agree at Spearman "
        f"{spearman['one_seed']:.2f}, Pearson {pearson['one_seed']:.2f}; reliability of their mean "
        f"{spearman['reliability']:.2f} ({limit(spearman['ceiling'])}) and {pearson['reliability']:.2f} "
        f"({limit(pearson['ceiling'])}). Test RMSE of the explained trainings "
        f"{mean_and_sd(result['accuracy']['test'], 3)}."
    )


def seeds_frame(result: Result) -> pd.DataFrame:
    """Compares methods with trainings of several seeds without some ratings."""
    spearman, pearson = (result["reliability"][name]["ceiling"] for name in ("spearman", "pearson"))
    count = result["settings"]["num_seeds"]
    return pd.DataFrame(
        {
            "method": row["method"],
            "Spearman, 1 training": correlation_interval(row["spearman"]["one"]),
            f"{count} trainings": correlation_interval(row["spearman"]["all"]),
            "corrected Spearman": corrected_correlation(row["spearman"]["all"], spearman),
            f"Pearson, {count} trainings": correlation_interval(row["pearson"]["all"]),
            "corrected Pearson": corrected_correlation(row["pearson"]["all"], pearson),
            "an influence of 1 does": correlation_interval(row["slope"]),
            "Spearman with its own training": correlation_interval(row["spearman"]["own"]),
            "negative curvature": row["negative_curvature"],
            "unsolved": row["unsolved"],
        }
        for row in with_present_names(result)["rows"]
    )


def notes(result: Result) -> list[str]:
    """Lines that say why a method is not in a table, or why to doubt it."""
    told = [f"{name}: {why}" for name, why in result.get("refused", {}).items()]
    for name, warnings in result.get("warnings", {}).items():
        told += [f"{name}: {warning} ({count} trainings)" for warning, count in warnings.items()]
    return told
