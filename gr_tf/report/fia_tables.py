"""Makes tables, and Figures 2 and 4, of RQ1, RQ2 and RQ3 of Cheng et al. (2019) from result.json."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation
from gr_tf.report import figures, published
from gr_tf.runs.engine import scipy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The columns of a rating that RQ3 shows.
_RATING_COLUMNS = ["user", "title", "rating", "influence", "example_id"]


def rq1_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Says how well the computed influences agree with the observed ones, by decay."""
    settings, reliability = result["settings"], result["observed_reliability"] or 0
    network = ", with network" if settings["network"] else ""
    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": result["model"],
            "weight decay": result["config"]["weight_decay"],
            "test points": f"{len(result['points'])} {settings['selection']}{network}",
            "retrainings": settings["num_retrainings"],
            "decay in H": f"{decay}, chooses" if decay == settings["decay"] else decay,
            "Pearson": _with_interval(agreement["correlations"]["pearson"]),
            "paper's": published.FIA_RQ1.get((result["dataset"], result["model"]), "-"),
            "ceiling": f"{np.sqrt(reliability):.3f}" if reliability > 0 else "-",
            "Spearman": _with_interval(agreement["correlations"]["spearman"]),
            "slope": _with_interval(agreement["correlations"]["slope"]),
            "negative curvature": agreement["negative_curvature"],
            "unsolved": agreement["unsolved"],
        }
        for decay, agreement in result["agreement"].items()
    )


def models_frame(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Describes the models behind RQ1."""
    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": result["model"],
            "weight decay": result["config"]["weight_decay"],
            "test RMSE": f"{result['accuracy']['test']['rmse']:.3f}",
            "test MAE": f"{result['accuracy']['test']['mae']:.3f}",
            "mean norm of the users' factors": f"{result['factor_norms']['users']:.2g}",
            "items'": f"{result['factor_norms']['items']:.2g}",
        }
        for result in results
    ).drop_duplicates()


def by_steps_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Says what shorter retrainings of RQ1 would have shown."""
    return pd.DataFrame(
        {
            "retraining steps": look["steps"],
            **{name: _with_interval(look[name]) for name in ("pearson", "spearman", "slope")},
        }
        for look in result["agreement"][result["settings"]["decay"]]["by_steps"]
    )


def scatter(result: Mapping[str, Any], selection: str) -> "Figure":
    """Draws the paper's Figure 2: computed against observed influences with standard errors, a panel for each decay.

    Args:
        result: the result of RQ1.
        selection: how the test points were selected.
    """
    points = result["points"]
    figure, panels = figures.new_figure(len(result["agreement"]), width=4.2, height=4.2)
    for axes, (decay, agreement) in zip(panels, result["agreement"].items(), strict=True):
        # The line on which both agree.
        axes.axline((0, 0), slope=1, **figures.REFERENCE)
        axes.errorbar(
            [point["computed"][decay] for point in points],
            [point["observed"] for point in points],
            None if points[0]["standard_error"] is None else [point["standard_error"] for point in points],
            fmt="o",
            markersize=4,
            alpha=0.6,
            color=figures.SUPPORTING,
            elinewidth=1,
        )
        axes.set_title(
            f"{result['model'].upper()}, {result['dataset']}, {selection}; {decay} decay\n"
            f"Pearson {_with_interval(agreement['correlations']['pearson'])}",
            fontsize=9,
        )
        axes.set_xlabel("computed influence (stars)")
    panels[0].set_ylabel("observed by retraining (stars)")
    return figure


def _with_interval(correlation: Mapping[str, Any]) -> str:
    return "-" if correlation["r"] is None else "{r:.3f} [{low:.3f}, {high:.3f}]".format(**correlation)


def rq2_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Says how long FIA and IA take, by the number of factors K."""
    paper = {row["dim"]: row for row in result["paper_seconds"] or ()}
    rows = []
    for row in result["rows"]:
        fia, beside = row["fia"], paper.get(row["dim"], {"fia": "-", "ia": "-"})
        ia_time, ratio, ia_curvature = _ia(row["ia"], fia) if row["ia"] else ("-", "-", "")
        rows.append(
            {
                "model": result["model"],
                "K": row["dim"],
                "training": "{:.2f} ms a step".format(1e3 * row["training"]["seconds"] / row["training"]["steps"]),
                "FIA, one": "{mean:.4f} +- {sd:.4f} s".format(**fia["single"]),
                "FIA, batch": f"{fia['num_points'] / fia['batch']:.0f} points/s",
                "paper's FIA": f"{beside['fia']} s",
                "IA": ia_time,
                "paper's IA": f"{beside['ia']} s",
                "IA / FIA": ratio,
                "negative curvature": f"{fia['negative_curvature']} of {fia['num_points']}{ia_curvature}",
            }
        )
    return pd.DataFrame(rows)


def _ia(ia: Mapping[str, Any], fia: Mapping[str, Any]) -> tuple[str, str, str]:
    """Says how long IA took, how many times as long as FIA, and how often it met a negative curvature."""
    seconds, count = ia["seconds"], len(ia["seconds"])
    spread = f" +- {np.std(seconds, ddof=1):.1f}" if count > 1 else ""
    given_up = [residual for residual, converged in zip(ia["residual"], ia["converged"], strict=True) if not converged]
    told = f"{_span(ia['iterations'])} products, "
    told += f"{len(given_up)} of {count} given up at residual {_span(given_up)}" if given_up else "solved"
    # A system that was given up would have taken longer.
    ratio = f"{'over ' if given_up else ''}{np.mean(seconds) / fia['single']['mean']:,.0f}"
    return f"{np.mean(seconds):.1f}{spread} s ({told})", ratio, f"; IA {ia['negative_curvature']} of {count}"


def _span(values: Sequence[float]) -> str:
    low, high = (f"{value:.2g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def neighbours(of_user: Explanation[Any], of_item: Explanation[Any], k: int) -> dict[str, Any]:
    """The ratings of the query's user and of its item, by descending |influence|, for result.json."""
    return {
        "num_of_user": len(of_user.influences),
        "num_of_item": len(of_item.influences),
        "item_based": of_user.only(slice(k)).frame[_RATING_COLUMNS].to_dict("records"),
        "user_based": of_item.only(slice(k)).frame[_RATING_COLUMNS].to_dict("records"),
        "share_of_top_tenth": {"of_user": _share_of_top_tenth(of_user), "of_item": _share_of_top_tenth(of_item)},
    }


def _share_of_top_tenth(explanation: Explanation[Any]) -> float | None:
    """The share of the sum of |influence| that the largest tenth of the ratings has; None if there is no rating."""
    sizes = np.abs(explanation.influences)
    return float(np.sort(sizes)[::-1][: -(-len(sizes) // 10)].sum() / sizes.sum()) if sizes.any() else None


def influence_spread(of_user: np.ndarray, of_item: np.ndarray) -> "Figure":
    """Draws the paper's Figure 4: the density of influences [n] of a user's and an item's ratings, and their sizes."""
    figure, (density, sizes) = figures.new_figure(2, width=4.6)
    for name, influences, color, style in (
        ("of the user", of_user, figures.SUPPORTING, "-"),
        ("of the item", of_item, figures.OPPOSING, "--"),
    ):
        if len(set(influences)) > 1:
            half = 1.1 * np.abs(influences).max()
            x = np.linspace(-half, half, 400)
            density.plot(x, scipy.stats.gaussian_kde(influences)(x), style, color=color, label=name)
        ordered = np.sort(np.abs(influences))[::-1]
        sizes.plot(np.arange(1, len(ordered) + 1) / len(ordered), ordered, style, color=color, label=name)
    density.axvline(0, **figures.REFERENCE)
    density.set(xlabel="influence (stars)", ylabel="density")
    sizes.set(xlabel="share of the ratings, by size", ylabel="|influence| (stars)", yscale="log")
    sizes.legend(fontsize=8)
    return figure


def rq3_summary(result: Mapping[str, Any]) -> str:
    """Says in a sentence what is explained."""
    return (
        f"{result['model'].upper()} predicts {result['prediction']:.2f} for {result['title']} by user "
        f"{result['user']}, who has {result['num_of_user']} training ratings; the item has {result['num_of_item']}."
    )


def rq3_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The ratings of the same user, or of the same item."""
    table = pd.DataFrame(rows, columns=_RATING_COLUMNS)
    return table.assign(rating=table.rating.map("{:g}".format), influence=table.influence.map("{:+.3f}".format))
