"""Draws an answer's influences as bars."""

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from gr_tf.report.figures import NEUTRAL, OPPOSING, REFERENCE, SUPPORTING

if TYPE_CHECKING:
    from gr_tf.asking.answer import Answer

# Of a bar's label, and of the title; longer ones are cut.
_LONGEST_LABEL, _LONGEST_TITLE = 60, 90
# Columns of Answer.frame that are no part of an example's name.
_NO_NAMES = ("influence", "standard error", "sign", "same sign in", "connection", "example_id")


class ShownFigure(Figure):
    """A figure that notebooks show, although no window or pyplot knows it."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=110, facecolor="white")
        return file.getvalue()


def influence_plot(answer: "Answer") -> ShownFigure:
    """The shown examples, the strongest for the prediction on top, the strongest against it at the bottom.

    Means over several trainings have their standard errors.
    """
    frame = answer.frame.sort_values("influence", ascending=False, kind="stable")
    figure = ShownFigure(figsize=(8, 1.4 + 0.3 * max(len(frame), 1)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(frame))
    colours = [SUPPORTING if influence > 0 else OPPOSING for influence in frame.influence]
    errors = frame.get("standard error")
    axes.barh(places, frame.influence, color=colours, xerr=errors, ecolor=NEUTRAL, height=0.7)
    axes.axvline(0, **REFERENCE)
    columns = [column for column in frame.columns if column not in _NO_NAMES]
    labels = [", ".join(map(str, row)) for row in frame[columns].itertuples(index=False, name=None)]
    axes.set_yticks(places, [_cut(label, _LONGEST_LABEL) for label in labels], fontsize=8)
    axes.invert_yaxis()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(f"influence by {answer.method}; positive: {answer.about.supports}", fontsize=9)
    title = f"({', '.join(answer.asked)}) \u2192 {answer.predicted}: {answer.value:.4f}"
    if not answer.is_plain:
        title = answer.about.told(answer.value)
    axes.set_title(_cut(title, _LONGEST_TITLE), fontsize=10)
    for text in (*axes.get_yticklabels(), axes.title):
        text.set_parse_math(False)  # A name may have dollars.
    return figure


def _cut(text: str, longest: int) -> str:
    """A name on one line."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}\u2026"
