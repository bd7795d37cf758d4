"""Draws checks: predicted and measured changes on one axis."""

from collections.abc import Sequence

import markupsafe

from gr_tf.asking.check import EXPLAINED, NOTHING, Check

# Width of a digit, of the letters of the axis.
_DIGIT = 8.0


def check_plot(checks: Sequence[Check], quantity: str) -> markupsafe.Markup:
    """Draws predicted and measured changes on one axis, as SVG; see About.quantity."""
    numbers = (number for check in checks for number in (check.predicted, *check.interval, *check.changes))
    values = [0.0, *(number for number in numbers if number is not None)]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{180 + 440 * (value - low) / span:.1f}"

    parts = []
    for place, check in enumerate(checks):
        y = 30 + 46 * place
        mean, least, most = check.interval
        colour = "var(--for)" if check.what == EXPLAINED else "var(--soft)"
        parts.append(f'<text x="0" y="{y + 4}">{markupsafe.escape(check.removed)}</text>')
        for change in check.changes:
            parts.append(f'<circle cx="{x(change)}" cy="{y}" r="4" fill="{colour}" fill-opacity=".45"/>')
        if check.what == NOTHING:  # The mean of these changes says nothing: each seed is before and after once.
            continue
        if least is not None and most is not None:
            parts.append(f'<path d="M{x(least)},{y} H{x(most)}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<path d="M{x(mean)},{y - 9} v18" stroke="{colour}" stroke-width="3"/>')
        if check.predicted is not None:
            parts.append(f'<path d="M{x(check.predicted)},{y + 10} l-6,10 h12 z" fill="var(--against)"/>')
    bottom = 30 + 46 * len(checks)
    marks = sorted([(0.0, "0"), *((value, f"{value:+.3g}") for value in (low, high) if value)])
    ends, under = [0.0, 0.0], 0  # Where a line of texts ends; a text that would touch another is a line lower.
    parts.append(f'<path d="M{x(0)},8 V{bottom - 8}" stroke="var(--soft)" stroke-dasharray="2 3"/>')
    for value, text in marks:
        middle, half = float(x(value)), _DIGIT * len(text) / 2
        line = 0 if middle - half >= ends[0] else 1
        ends[line], under = middle + half + _DIGIT, max(under, 14 * line)
        parts.append(f'<text x="{middle:.1f}" y="{bottom + 8 + 14 * line}" text-anchor="middle">{text}</text>')
    bottom += under
    told = f"change of {quantity[0].lower()}{quantity[1:]}"
    legend = f"{told}; dots: trainings, bar: their mean and 95% interval, triangle: predicted; grey: chance"
    parts.append(f'<text x="0" y="{bottom + 32}">{markupsafe.escape(legend)}</text>')
    return markupsafe.Markup(
        f'<svg viewBox="0 0 720 {bottom + 44}" style="min-width: 36rem; max-width: 46rem; width: 100%" role="img" '
        'aria-label="Predicted and measured changes, the numbers of the table above" font-size="12" '
        f'fill="var(--text)">{"".join(parts)}</svg>'
    )
