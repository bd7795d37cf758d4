"""Makes and saves figures; draws box plots of differences, and the curves of the theory's distances."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gr_tf.runs import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUPPORTING, OPPOSING, NEUTRAL = "#0072B2", "#D55E00", "#555555"  # Okabe and Ito: told apart by colour-blind readers
# A thin line where two values agree, or where there is no effect.
REFERENCE: dict[str, Any] = {"color": NEUTRAL, "linewidth": 0.8, "linestyle": ":"}
_DOTS_PER_INCH = 130
_SMALLEST = 1e-12


def new_figure(
    count: int, columns: int | None = None, *, width: float = 3.6, height: float = 3.6
) -> tuple["Figure", list["Axes"]]:
    """Makes an empty figure without a window, and its panels, row by row.

    Args:
        count: how many panels it has.
        columns: how many panels stand side by side; None: all.
        width, height: the size of a panel in inches.
    """
    from matplotlib.figure import Figure

    columns = min(columns or count, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def save(figure: "Figure", path: pathlib.Path) -> None:
    """Writes a PNG, whole or not at all."""
    with files.new_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DOTS_PER_INCH, facecolor="white")


def difference_boxes(panels: Sequence[tuple[str, Sequence[tuple[str, Sequence[float]]]]], what: str) -> "Figure":
    """Draws Figure 4 of Lawrence et al. (2021): box plots with whiskers up to 1.5 times the box, and all outliers.

    Args:
        panels: each panel's title and its boxes: a label below the box, and its differences [n].
        what: the label of the vertical axis, which all panels share.
    """
    width = max(2.6, 1.05 * max(len(boxes) for _, boxes in panels))
    figure, (first, *others) = new_figure(len(panels), width=width, height=4.0)
    for axes in others:
        axes.sharey(first)
    for axes, (title, boxes) in zip((first, *others), panels, strict=True):
        axes.axhline(0, **REFERENCE)
        axes.boxplot(
            [np.asarray(values) for _, values in boxes],
            tick_labels=[name for name, _ in boxes],
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
    first.set_ylabel(what)
    return figure


def stability_curves(result: Mapping[str, Any]) -> "Figure":
    """Draws the result of evaluation.stability.measure: distances over the steps, and the proofs' bounds on them."""
    figure, (axes,) = new_figure(1, width=6.5, height=4.2)
    for curve, name, style, color in (
        ("bound_apart", "bound on ||w - w'||", "--", OPPOSING),
        ("apart", "||w - w'||", "-", OPPOSING),
        ("bound_rolled_back_apart", "bound on ||w - gamma - w'||", "--", SUPPORTING),
        ("rolled_back_apart", "||w - gamma - w'|| (rolled back)", "-", SUPPORTING),
    ):
        # Zero, and values that differ from it by rounding only, have no place on a logarithmic axis.
        shown = [value if value > _SMALLEST else np.nan for value in result["curves"][curve]]
        axes.plot(result["steps"], shown, style, color=color, label=name)
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="distance")
    axes.set_title(
        f"{result['dataset']}: SGD on {result['num_examples']:,} triples and on one less, "
        f"mean of {result['num_removed']} pairs",
        fontsize=10,
    )
    axes.legend(fontsize=8)
    return figure
