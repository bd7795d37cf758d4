"""Shows an answer as one HTML page that needs nothing else: no network, no other file."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import markupsafe
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gr_tf.asking.answer import Answer, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import EXPLAINED, NOTHING, Check, check_frame, conclusion, seeds_frame
from gr_tf.tasks.drawing import Edge


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """A set of examples that a search found, for people.

    Attributes:
        title, text: a heading and an explanation of the set.
        examples: the examples by name; all cells are text.
        rows: what the rows of `examples` are, if they are others than examples.
    """

    title: str
    text: str
    examples: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    rows: str = "examples"


def page(asker: Asker, answer: Answer, checks: Sequence[Check] = (), found: Sequence[Found] = ()) -> str:
    """Makes the page's HTML.

    Args:
        asker: the asker that answered.
        answer: the answer to show.
        checks: checks of the answer, if there are any.
        found: smallest sets, if there was a search for them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    frame = answer.frame
    ids, influences = frame.example_id.to_numpy(), frame.influence.to_numpy()
    drawing = asker.task.drawing(answer.explanation.query, answer.value, ids, influences)
    quality = asker.quality_at(answer.explanation.query)
    edges = sorted(drawing.edges, key=lambda edge: -abs(edge.influence or 0))
    return environment.get_template("page.html").render(
        answer=answer,
        method=asker.methods[answer.method].title,
        checks=checks,
        check_frames=(check_frame(checks), seeds_frame(checks)) if checks else (),
        conclusion=conclusion(checks),
        quality=quality.frame(),
        quality_question=quality.question,
        how_checked=asker.checker.how,
        check_plot=_check_plot,
        minimal=found,
        timeline=asker.task.timeline(answer.explanation.query, ids),
        signed=signed,
        columns=list(frame.columns),
        numbers=[column for column in frame.columns if is_numeric_dtype(frame[column])],
        rows=frame.to_dict("records"),
        edges=edges,
        facts=[(name, _told(value)) for name, value in asker.facts().items()],
        data={
            "query": _edge(drawing.query, drawing.nodes, f"{answer.value:.4f}"),
            "edges": [_edge(edge, drawing.nodes, signed(edge.influence or 0.0)) for edge in edges],
            "nodes": dict(drawing.nodes),
            "summary": f"The question and the {len(edges)} training examples of the table below as a graph.",
        },
    )


def _told(value: Any) -> str:
    """A fact's value on one line."""
    return "; ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else str(value)


def _edge(edge: Edge, nodes: Mapping[str, str], value: str) -> dict[str, Any]:
    text = f"{nodes[edge.start]}, {edge.label}, {nodes[edge.end]}: {value}"
    told: dict[str, Any] = {"start": edge.start, "end": edge.end, "label": edge.label, "text": text}
    return told if edge.example is None else told | {"influence": edge.influence, "example": str(edge.example)}


def _check_plot(checks: Sequence[Check], unit: str) -> Any:
    """Draws predicted and measured changes on one axis, as SVG."""
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
    marks = [(0.0, "0"), *((value, f"{value:+.3g}") for value in (low, high) if value)]
    parts.append(f'<path d="M{x(0)},8 V{bottom - 8}" stroke="var(--soft)" stroke-dasharray="2 3"/>')
    parts += [f'<text x="{x(value)}" y="{bottom + 8}" text-anchor="middle">{text}</text>' for value, text in marks]
    legend = (
        f"change of the {unit}; dots: trainings, bar: their mean and 95% interval, triangle: predicted; grey: chance"
    )
    parts.append(f'<text x="0" y="{bottom + 32}">{legend}</text>')
    return markupsafe.Markup(
        f'<svg viewBox="0 0 720 {bottom + 44}" style="min-width: 36rem; max-width: 46rem; width: 100%" role="img" '
        'aria-label="Predicted and measured changes, the numbers of the table above" font-size="12" '
        f'fill="var(--text)">{"".join(parts)}</svg>'
    )
