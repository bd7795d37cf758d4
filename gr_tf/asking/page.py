"""Shows an answer as one HTML page that needs nothing else: no network, no other file."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gr_tf.asking.about import RatherThan, Several
from gr_tf.asking.answer import Answer, signed
from gr_tf.asking.asker import Asker
<<<<<<< HEAD
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.check_plot import check_plot
from gr_tf.runs import files
from gr_tf.runs.outputs import check_output
from gr_tf.tasks.drawing import Edge
=======
from gr_tf.asking.check import EXPLAINED, NOTHING, Check, check_frame, conclusion, seeds_frame
from gr_tf.attribution.combined import queries_of
from gr_tf.tasks.drawing import Drawing, Edge

# How many of a group's questions are listed.
_MOST_QUESTIONS = 20
>>>>>>> main


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
    query = answer.explanation.query
    values = answer.about.values if isinstance(answer.about, RatherThan) else (answer.value,)
    # A group has too many questions to draw.
    drawn = () if isinstance(answer.about, Several) else queries_of(query)
    drawings = [asker.task.drawing(one, value, ids, influences) for one, value in zip(drawn, values, strict=False)]
    quality = asker.quality_at(query)
    return environment.get_template("page.html").render(
        answer=answer,
        method=asker.methods[answer.method].title,
        checks=checks,
        check_frames=(check_frame(checks), seeds_frame(checks)) if checks else (),
        conclusion=conclusion(checks),
        quality=quality.frame(),
        quality_question=quality.question,
        how_checked=asker.checker.how,
        check_plot=check_plot,
        minimal=found,
        timeline=asker.task.timeline(drawn[0], ids) if drawn else (),
        signed=signed,
        columns=list(frame.columns),
        numbers=[column for column in frame.columns if is_numeric_dtype(frame[column])],
        rows=frame.to_dict("records"),
        questions=_questions(asker, answer),
        num_drawn=len(drawings[0].edges) if drawings else 0,
        facts=[(name, told_fact(value)) for name, value in asker.facts().items()],
        data=_data(drawings, values) if drawings else None,
    )


<<<<<<< HEAD
def write_page(
    answer: Answer, path: pathlib.Path, checks: Sequence[Check] = (), *, overwrite: bool = False
) -> pathlib.Path:
    """Writes an answer's page; see Answer.page."""
    asker = answer.asker
    check_output(path, overwrite=overwrite, data=[asker.task.dataset.source])
    files.write_text(path, page(asker, answer, checks))
    return path


def _told(value: Any) -> str:
=======
def _questions(asker: Asker, answer: Answer) -> list[tuple[str, float]]:
    """The first questions of a group, with the values of their answers; none of another answer."""
    if not isinstance(answer.about, Several):
        return []
    query = answer.explanation.query
    shown = queries_of(query)[:_MOST_QUESTIONS]
    return [
        (", ".join(asker.task.names_of(one)), value)
        for one, value in zip(shown, asker.checker.look(query).values, strict=False)
    ]


def _data(drawings: Sequence[Drawing], values: Sequence[float]) -> dict[str, Any]:
    """The graph for the page's script: the question, perhaps the same with another answer, and the examples."""
    nodes = {node: name for drawing in drawings for node, name in drawing.nodes.items()}
    edges = sorted(drawings[0].edges, key=lambda edge: -abs(edge.influence or 0))
    query, *others = [
        _edge(drawing.query, nodes, f"{value:.4f}") for drawing, value in zip(drawings, values, strict=True)
    ]
    return {
        "query": query,
        "others": others,
        "edges": [_edge(edge, nodes, signed(edge.influence or 0.0)) for edge in edges],
        "nodes": nodes,
        "summary": f"The question and the {len(edges)} training examples of the table below as a graph.",
    }


def told_fact(value: Any) -> str:
>>>>>>> main
    """A fact's value on one line."""
    return "; ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else str(value)


def _edge(edge: Edge, nodes: Mapping[str, str], value: str) -> dict[str, Any]:
    text = f"{nodes[edge.start]}, {edge.label}, {nodes[edge.end]}: {value}"
    told: dict[str, Any] = {"start": edge.start, "end": edge.end, "label": edge.label, "text": text}
    return told if edge.example is None else told | {"influence": edge.influence, "example": str(edge.example)}
<<<<<<< HEAD
=======


def check_plot(checks: Sequence[Check], quantity: str) -> Any:
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
    marks = [(0.0, "0"), *((value, f"{value:+.3g}") for value in (low, high) if value)]
    parts.append(f'<path d="M{x(0)},8 V{bottom - 8}" stroke="var(--soft)" stroke-dasharray="2 3"/>')
    parts += [f'<text x="{x(value)}" y="{bottom + 8}" text-anchor="middle">{text}</text>' for value, text in marks]
    told = f"change of {quantity[0].lower()}{quantity[1:]}"
    legend = f"{told}; dots: trainings, bar: their mean and 95% interval, triangle: predicted; grey: chance"
    parts.append(f'<text x="0" y="{bottom + 32}">{markupsafe.escape(legend)}</text>')
    return markupsafe.Markup(
        f'<svg viewBox="0 0 720 {bottom + 44}" style="min-width: 36rem; max-width: 46rem; width: 100%" role="img" '
        'aria-label="Predicted and measured changes, the numbers of the table above" font-size="12" '
        f'fill="var(--text)">{"".join(parts)}</svg>'
    )
>>>>>>> main
