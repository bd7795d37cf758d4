"""Shows an answer as one HTML page that needs nothing else: no network, no other file."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gr_tf.asking.answer import Answer, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.check_plot import check_plot
from gr_tf.runs import files
from gr_tf.runs.outputs import check_output
from gr_tf.tasks.drawing import Edge


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """A set of examples that a search found, for people.

    Attributes:
        title, text: a heading and an explanation of the set.
        examples: the examples by name; all cells are text.
    """

    title: str
    text: str
    examples: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)


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
        check_plot=check_plot,
        minimal=found,
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


def write_page(
    answer: Answer, path: pathlib.Path, checks: Sequence[Check] = (), *, overwrite: bool = False
) -> pathlib.Path:
    """Writes an answer's page; see Answer.page."""
    asker = answer.asker
    check_output(path, overwrite=overwrite, data=[asker.task.dataset.source])
    files.write_text(path, page(asker, answer, checks))
    return path


def _told(value: Any) -> str:
    """A fact's value on one line."""
    return "; ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else str(value)


def _edge(edge: Edge, nodes: Mapping[str, str], value: str) -> dict[str, Any]:
    text = f"{nodes[edge.start]}, {edge.label}, {nodes[edge.end]}: {value}"
    told: dict[str, Any] = {"start": edge.start, "end": edge.end, "label": edge.label, "text": text}
    return told if edge.example is None else told | {"influence": edge.influence, "example": str(edge.example)}
