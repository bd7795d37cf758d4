"""Figures 2 and 4 of Lawrence et al. (2021), and how they are drawn and saved."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gr_tf.evaluation.statistics import mean_interval
from gr_tf.runs import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUPPORTING, OPPOSING, NEUTRAL = "#0072B2", "#D55E00", "#555555"  # Okabe and Ito: told apart by colour-blind readers
_DOTS_PER_INCH = 130
_SMALLEST = 1e-12


def new_figure(columns: int, rows: int = 1, *, width: float = 3.6, height: float = 3.6) -> "Figure":
    """An empty figure for a grid of panels of this size in inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width * columns, height * rows), layout="constrained")


def save(figure: "Figure", path: pathlib.Path) -> None:
    """Writes a PNG, whole or not at all."""
    with files.new_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


@dataclasses.dataclass(frozen=True)
class Scatter:
    """One panel of Figure 2.

    Attributes:
        title: above the panel.
        predicted: [n] probabilities after the removal by Gradient Rollback.
        retrained: [n] the same by really retraining.
    """

    title: str
    predicted: Sequence[float]
    retrained: Sequence[float]


def prediction_scatter(panels: Sequence[Scatter], columns: int = 4) -> "Figure":
    """Figure 2: predicted against retrained probabilities, a panel each."""
    columns = min(columns, len(panels))
    figure = new_figure(columns, -(-len(panels) // columns))
    for i, panel in enumerate(panels):
        axes = figure.add_subplot(-(-len(panels) // columns), columns, i + 1)
        axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle=":")
        axes.scatter(panel.predicted, panel.retrained, s=14, alpha=0.55, color=SUPPORTING, linewidths=0)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="p predicted by rolling back")
        axes.set_title(panel.title, fontsize=9)
        if i % columns == 0:
            axes.set_ylabel("p after retraining")
    return figure


@dataclasses.dataclass(frozen=True)
class Agreement:
    """One panel of influences (Cheng et al. 2019, Figure 2).

    Attributes:
        title: above the panel.
        computed: [n] influences.
        observed: [n] the same by really retraining.
        errors: [n] the standard errors of the observed ones; None: unknown.
    """

    title: str
    computed: Sequence[float]
    observed: Sequence[float]
    errors: Sequence[float] | None = None


def influence_scatter(panels: Sequence[Agreement]) -> "Figure":
    """Computed against observed influences, a panel each, with standard errors; the dotted line is where both agree."""
    figure = new_figure(len(panels), width=4.2, height=4.2)
    for i, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        axes.axline((0, 0), slope=1, color=NEUTRAL, linewidth=0.8, linestyle=":")
        axes.errorbar(
            panel.computed,
            panel.observed,
            panel.errors,
            fmt="o",
            markersize=4,
            alpha=0.6,
            color=SUPPORTING,
            elinewidth=1,
        )
        axes.set_title(panel.title, fontsize=9)
        axes.set_xlabel("computed influence (stars)")
        if i == 0:
            axes.set_ylabel("observed by retraining (stars)")
    return figure


def influence_spread(groups: Sequence[tuple[str, np.ndarray]]) -> "Figure":
    """Figure 4 of Cheng et al. (2019): the density of influences, and their sorted sizes.

    Args:
        groups: names and influences [n], at most two.
    """
    from scipy import stats  # here, because it is slow to import

    figure = new_figure(2, width=4.6, height=3.6)
    density, sizes = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    for (name, influences), color, style in zip(groups, (SUPPORTING, OPPOSING), ("-", "--"), strict=False):
        if len(set(influences)) > 1:
            half = 1.1 * np.abs(influences).max()
            x = np.linspace(-half, half, 400)
            density.plot(x, stats.gaussian_kde(influences)(x), style, color=color, label=name)
        ordered = np.sort(np.abs(influences))[::-1]
        sizes.plot(np.arange(1, len(ordered) + 1) / len(ordered), ordered, style, color=color, label=name)
    density.axvline(0, color=NEUTRAL, linewidth=0.8, linestyle=":")
    density.set(xlabel="influence (stars)", ylabel="density")
    sizes.set(xlabel="share of the ratings, by size", ylabel="|influence| (stars)", yscale="log")
    sizes.legend(fontsize=8)
    return figure


def removal_effects(panels: Sequence[tuple[str, Sequence[str], Sequence[Sequence[float]]]]) -> "Figure":
    """How removals changed metrics: a panel a metric, a dot a seed, lines at the mean and for its 95% interval.

    Args:
        panels: name of the metric, names of the removals, and of each the differences by seed.
    """
    figure = new_figure(len(panels), width=4.6, height=3.6)
    for i, (metric, names, differences) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        axes.axvline(0, color=NEUTRAL, linewidth=0.8, linestyle=":")
        for place, values in enumerate(differences):
            axes.scatter(values, np.full(len(values), -place), s=18, color=SUPPORTING, alpha=0.7, linewidths=0)
            mean, low, high = mean_interval(values)
            axes.plot([mean, mean], [-place - 0.25, -place + 0.25], color=OPPOSING, linewidth=1.5)
            if low is not None and high is not None:
                axes.plot([low, high], [-place, -place], color=OPPOSING, linewidth=0.8)
        axes.set_yticks(-np.arange(len(names)), names if i == 0 else [])
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(f"change of {metric}")
    return figure


@dataclasses.dataclass(frozen=True)
class Box:
    """One box of Figure 4.

    Attributes:
        name: below the box.
        values: [n] differences.
    """

    name: str
    values: Sequence[float]


def difference_boxes(panels: Sequence[tuple[str, Sequence[Box]]], what: str) -> "Figure":
    """Figure 4: box plots, a panel for each (title, boxes); whiskers to 1.5 times the box, all outliers shown.

    Args:
        panels: titles and boxes.
        what: the vertical axis.
    """
    width = max(2.6, 1.05 * max(len(boxes) for _, boxes in panels))
    figure = new_figure(len(panels), width=width, height=4.0)
    first = None
    for i, (title, boxes) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1, sharey=first)
        first = first or axes
        axes.axhline(0, color=NEUTRAL, linewidth=0.8, linestyle=":")
        axes.boxplot(
            [np.asarray(box.values) for box in boxes],
            tick_labels=[box.name for box in boxes],
            widths=0.5,
            patch_artist=True,
            boxprops={"facecolor": "#CCE3F0", "edgecolor": SUPPORTING},
            medianprops={"color": OPPOSING, "linewidth": 1.6},
            whiskerprops={"color": SUPPORTING},
            capprops={"color": SUPPORTING},
            flierprops={"marker": ".", "markersize": 4, "markeredgecolor": SUPPORTING, "alpha": 0.5},
        )
        axes.set_title(title, fontsize=10)
        axes.tick_params(axis="x", labelsize=7)
        if i == 0:
            axes.set_ylabel(what)
    return figure


@dataclasses.dataclass(frozen=True)
class Curve:
    """One line of a figure.

    Attributes:
        name: in the legend.
        values: [n].
        color: of the line.
        dashed: how it is drawn.
    """

    name: str
    values: Sequence[float]
    color: str
    dashed: bool = False


def curves(title: str, x: Sequence[float], lines: Sequence[Curve], x_name: str, y_name: str) -> "Figure":
    """Lines over a common axis, both axes logarithmic."""
    figure = new_figure(1, width=6.5, height=4.2)
    axes = figure.add_subplot()
    for line in lines:
        style = "--" if line.dashed else "-"
        # Zero, or what roundings make of it, has no place on a logarithmic axis.
        shown = [value if value > _SMALLEST else np.nan for value in line.values]
        axes.plot(x, shown, style, color=line.color, label=line.name)
    axes.set(xscale="log", yscale="log", xlabel=x_name, ylabel=y_name)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    return figure


def stability_curves(result: Mapping[str, Any]) -> "Figure":
    """What evaluation.stability.measure says: the distances over the steps, and what the proofs allow for them."""
    values = result["curves"]
    return curves(
        f"{result['dataset']}: SGD on {result['num_examples']:,} triples and on one less, "
        f"mean of {result['num_removed']} pairs",
        result["steps"],
        [
            Curve("bound on ||w - w'||", values["bound_apart"], OPPOSING, dashed=True),
            Curve("||w - w'||", values["apart"], OPPOSING),
            Curve("bound on ||w - gamma - w'||", values["bound_rolled_back_apart"], SUPPORTING, dashed=True),
            Curve("||w - gamma - w'|| (rolled back)", values["rolled_back_apart"], SUPPORTING),
        ],
        "step",
        "distance",
    )


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of `fidelity_curves`.

    Attributes:
        name: in the legend.
        x, y: [n].
        dashed: how it is drawn.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


def fidelity_curves(
    title: str, by_size: Sequence[Line], by_retrainings: Sequence[Line], exhaustive: float, candidates: int
) -> "Figure":
    """How methods gain by more trainings to explain, and by retraining what they propose.

    Args:
        title: above the panels.
        by_size: the share of the ceiling, by trainings explained.
        by_retrainings: the effect of the example chosen, by retrainings spent on a query.
        exhaustive: the effect of the example that retraining without every one chooses.
        candidates: that are retrained.
    """
    import matplotlib as mpl

    figure = new_figure(2, width=7, height=4.6)
    colors = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    left, right = (figure.add_subplot(1, 2, place) for place in (1, 2))
    for number, line in enumerate(by_size):
        color = colors[2 * number % 20 + number // 10]
        left.plot(line.x, line.y, marker="o", markersize=3, color=color, label=line.name)
    left.axhline(1, color=NEUTRAL, linewidth=0.8, linestyle=":")
    left.axhline(0, color=NEUTRAL, linewidth=0.8)
    left.set(xscale="log", xlabel="trainings explained", ylabel="Spearman / ceiling, shared >= 2")
    ticks = sorted({x for line in by_size for x in line.x})
    left.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    for number, line in enumerate(by_retrainings):
        style = "--" if line.dashed else "-"
        right.plot(line.x, line.y, style, marker="o", markersize=3, color=colors[2 * (number // 2)], label=line.name)
    right.axhline(exhaustive, color=NEUTRAL, linewidth=0.8, linestyle=":", label="every one retrained, half the seeds")
    right.set(xlabel=f"retrainings of the first {candidates}", ylabel="mean effect of the example chosen")
    right.set_ylim(bottom=min(0, right.get_ylim()[0]))
    for axes in (left, right):
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
